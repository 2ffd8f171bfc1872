/*
 * Log-linear buckets: see histogram.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/load/histogram.h"

#include <string.h>

#define PARTS_BITS 6 /* 1 << 6 == HISTOGRAM_PARTS */

void
histogram_reset(struct histogram *h)
{
	memset(h, 0, sizeof(*h));
}

/* Below HISTOGRAM_PARTS every value has its own bucket. */
static unsigned
bucket_of(uint64_t v)
{
	unsigned power, index;

	if (v < HISTOGRAM_PARTS) {
		return (unsigned)v;
	}
	power = 63 - (unsigned)__builtin_clzll(v) - PARTS_BITS;
	index = (power + 1) * HISTOGRAM_PARTS +
	    (unsigned)((v >> power) - HISTOGRAM_PARTS);
	return index < HISTOGRAM_POWERS * HISTOGRAM_PARTS ? index :
	    HISTOGRAM_POWERS * HISTOGRAM_PARTS - 1;
}

/* The highest value that falls into it. */
static uint64_t
top_of(unsigned bucket)
{
	unsigned power = bucket / HISTOGRAM_PARTS;
	uint64_t part = bucket % HISTOGRAM_PARTS;

	if (power == 0) {
		return part;
	}
	return ((HISTOGRAM_PARTS + part + 1) << (power - 1)) - 1;
}

void
histogram_add(struct histogram *h, uint64_t ns)
{
	h->count++;
	h->sum += ns;
	if (ns > h->max) {
		h->max = ns;
	}
	h->buckets[bucket_of(ns)]++;
}

uint64_t
histogram_quantile(const struct histogram *h, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)h->count + 0.5);
	uint64_t seen = 0;

	if (h->count == 0) {
		return 0;
	}
	for (unsigned i = 0; i < HISTOGRAM_POWERS * HISTOGRAM_PARTS; i++) {
		seen += h->buckets[i];
		if (seen >= wanted && seen > 0) {
			return top_of(i) < h->max ? top_of(i) : h->max;
		}
	}
	return h->max;
}
