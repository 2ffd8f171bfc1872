/*
 * Latencies counted in log-linear buckets: each power of two is divided into 64
 * equal parts, so that any value is told within 1.6 %, in 20 KiB whatever was
 * recorded (the scheme of Gil Tene's HdrHistogram). Nanoseconds. No allocation;
 * one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_PARTS 64
#define HISTOGRAM_POWERS 40

struct histogram {
	uint64_t count;
	uint64_t max;
	uint64_t sum;
	uint64_t buckets[HISTOGRAM_POWERS * HISTOGRAM_PARTS];
};

void histogram_reset(struct histogram *h);
void histogram_add(struct histogram *h, uint64_t ns);
/* The value that `share` (0..1) of all are not above; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *h, double share);

#endif
