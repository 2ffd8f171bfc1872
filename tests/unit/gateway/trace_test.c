/*
 * Request ids: that they differ, and what age they tell.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sodium.h>
#include <cmocka.h>

#define SECOND UINT64_C(1000000)
/* The clock's bits within an id. */
#define ROUND (UINT64_C(1) << 40)

static void
ids_of_one_moment_differ(void **state)
{
	uint64_t seen[256];

	(void)state;
	for (int i = 0; i < 256; i++) {
		seen[i] = trace_at(77);
		for (int k = 0; k < i; k++) {
			assert_true(seen[i] != seen[k]);
		}
	}
}

static void
an_id_tells_how_long_ago_it_was_made(void **state)
{
	uint64_t t = trace_at(5 * SECOND);

	(void)state;
	assert_true(trace_age_us(t, 5 * SECOND) == 0);
	assert_true(trace_age_us(t, 5 * SECOND + 1234) == 1234);
	assert_true(trace_age_us(t, 66 * SECOND) == TRACE_NO_AGE);
	/* A clock that was read just before: not of this world. */
	assert_true(trace_age_us(t, 5 * SECOND - 1) == TRACE_NO_AGE);
}

static void
the_clock_may_come_round(void **state)
{
	uint64_t t = trace_at(ROUND - 3);

	(void)state;
	assert_true(trace_age_us(t, ROUND + 7) == 10);
	assert_true(trace_age_us(trace_at(9 * ROUND), 9 * ROUND + 5) == 5);
}

static void
what_others_made_has_no_age(void **state)
{
	uint64_t t = trace_at(SECOND);

	(void)state;
	assert_true(trace_age_us(0, 1) == TRACE_NO_AGE);
	assert_true(trace_age_us(t ^ UINT64_C(1) << 63, SECOND) ==
	    TRACE_NO_AGE);
}

static int
setup(void **state)
{
	(void)state;
	if (sodium_init() < 0) {
		return -1;
	}
	trace_init();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ids_of_one_moment_differ),
		cmocka_unit_test(an_id_tells_how_long_ago_it_was_made),
		cmocka_unit_test(the_clock_may_come_round),
		cmocka_unit_test(what_others_made_has_no_age),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
