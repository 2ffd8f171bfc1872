/*
 * Request ids: what leads through the logs of all processes, and back to the time
 * a request of this gateway began. An event carries the id of the request that
 * made it, so a gateway that is told of a message which one of its own
 * connections sent knows by its own clock how long that took.
 *
 *   16 bits, drawn at start   40 bits of the monotonic clock's us   8 bits: counter
 *
 * No secret, and none is needed. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_TRACE_H
#define GATEWAY_TRACE_H

#include <stdint.h>

/* Not one of ours, or too long ago for anybody to have waited. */
#define TRACE_NO_AGE UINT64_MAX

void trace_init(void);
/* Of a request that began now, or at `us` of the monotonic clock. */
uint64_t trace_new(void);
uint64_t trace_at(uint64_t us);
/* Microseconds from the beginning of the request until `now_us`. */
uint64_t trace_age_us(uint64_t trace, uint64_t now_us);

#endif
