/*
 * rate: how often something may happen, and the bucket that counts it.
 *
 * The bucket is the generic cell rate algorithm (ITU-T I.371): one timestamp,
 * the time at which the bucket would be full again if nothing more came. No
 * timer fills it, one that was never used is 0, and two of them are compared by
 * subtraction. A change of the rate applies to existing buckets at once.
 *
 * Pure; any thread. Times are nanoseconds of the monotonic clock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RATE_H
#define COMMON_RATE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

struct rate {
	int64_t count;     /* so many; 0: no limit */
	int64_t period_ms; /* in so long */
	int64_t burst;     /* and so many at once */
};

typedef uint64_t rate_bucket;

/* "50/s burst 500", "10/5m", "20M/s burst 200M", "off". Without `burst` it is
 * the count. Periods: a number (absent: 1) and s, m, h or d; counts and bursts
 * may end in k, M or G (of 1024). False: something else. */
MUST_CHECK bool rate_parse(const char *text, struct rate *rate_r);

/* Takes n (at most the burst is charged, so that nothing is refused for ever).
 * 0: taken. Else nothing was, and the same may be taken after so many ns. */
MUST_CHECK uint64_t rate_take(const struct rate *rate, rate_bucket *bucket,
    uint64_t now_ns, uint64_t n);
/* Gives back what was taken and turned out not to count. */
void rate_give_back(const struct rate *rate, rate_bucket *bucket, uint64_t n);
/* Nothing is owed: the bucket may be forgotten. */
static inline bool
rate_idle(rate_bucket bucket, uint64_t now_ns)
{
	return bucket <= now_ns;
}

/* Now, as buckets count. No system call. */
uint64_t rate_now(void);
/* Whole milliseconds after which a wait is certainly over. */
static inline int64_t
rate_wait_ms(uint64_t wait_ns)
{
	return (int64_t)((wait_ns + 999999) / 1000000);
}

#endif
