/*
 * See trace.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/trace.h"

#include <sodium.h>

#include "common/clock.h"

#define TAG_SHIFT 48
#define TIME_SHIFT 8
#define TIME_MASK ((UINT64_C(1) << 40) - 1)
/* Another gateway may have drawn our tag; what it sends would be of any age. */
#define AGE_MAX_US (60 * UINT64_C(1000000))

static uint64_t tag;
static uint8_t counter;

void
trace_init(void)
{
	/* Not 0: an id of 0 is none. */
	tag = 1 + randombytes_uniform(UINT16_MAX);
}

uint64_t
trace_at(uint64_t us)
{
	return tag << TAG_SHIFT | (us & TIME_MASK) << TIME_SHIFT | counter++;
}

uint64_t
trace_new(void)
{
	return trace_at(clock_mono_us());
}

uint64_t
trace_age_us(uint64_t trace, uint64_t now_us)
{
	uint64_t age = (now_us - (trace >> TIME_SHIFT)) & TIME_MASK;

	if (tag == 0 || trace >> TAG_SHIFT != tag || age > AGE_MAX_US) {
		return TRACE_NO_AGE;
	}
	return age;
}
