/*
 * The clockwork over all connections: pings to the idle, an end for those who
 * do not answer, and for those who do not finish closing. Every list has one
 * constant delay, so it is in order of time by itself and a tick looks only at
 * its head (the library's own sorted timers cost O(n) an insertion). Main
 * thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_WATCH_H
#define GATEWAY_WATCH_H

#include <stdint.h>

struct conn;
struct conns;

void watch_start(struct conns *conns);
void watch_stop(struct conns *conns);

/* It has shown that it lives: the next ping is ping_interval away. */
void watch_idle(struct conn *c);
/* So much of it was refused that its next requests wait for a moment, be it in
 * the kernel: refusing is not free either. */
void watch_rest(struct conn *c);
/* It is closing; patience_ms must be the same in every call. */
void watch_closing(struct conn *c, uint64_t patience_ms);

#endif
