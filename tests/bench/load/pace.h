/*
 * An open loop's schedule: number n is due at begin + n / rate, whatever the
 * server does. Who takes from it late is told when it was due, so that latencies
 * count from then (no coordinated omission). One thread; no clock of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_PACE_H
#define BENCH_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
	uint64_t begin_ns;
	uint64_t taken;
	double rate; /* per second, above 0 */
};

void pace_begin(struct pace *p, double rate, uint64_t now);
/* True when one more is due; *due_r is when it was. */
bool pace_take(struct pace *p, uint64_t now, uint64_t *due_r);
/* Nanoseconds until the next is due; 0 when it is. */
uint64_t pace_wait(const struct pace *p, uint64_t now);

#endif
