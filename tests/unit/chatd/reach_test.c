/*
 * When messages may be told to all gateways at once, by what Redis counts.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chatd/reach.h"

static void
test_on_when_each_gateway_hears_spreads(void **state)
{
	struct reach_view v = { .all = false };

	(void)state;
	assert_int_equal(reach_judge(&v, 3, 2, 1000), 0);
	assert_false(v.all);
	assert_int_equal(reach_judge(&v, 3, 3, 2000), 0);
	assert_true(v.all);
	/* One that has just come stands on the first topic before the other. */
	assert_int_equal(reach_judge(&v, 3, 4, 3000), 0);
	assert_true(v.all);
	assert_int_equal(reach_judge(&v, 0, 0, 4000), 0);
	assert_true(v.all);
}

/* Off at once; that something was missed is said when it is sure, and once. */
static void
test_an_older_gateway(void **state)
{
	struct reach_view v = { .all = false };

	(void)state;
	assert_int_equal(reach_judge(&v, 2, 2, 1000), 0);
	assert_int_equal(reach_judge(&v, 3, 2, 2000), 0);
	assert_false(v.all);
	assert_true(reach_judge(&v, 3, 2, 3000) >= 2000);
	assert_false(v.all);
	assert_int_equal(reach_judge(&v, 3, 2, 4000), 0);
	assert_int_equal(reach_judge(&v, 3, 2, 5000), 0);
}

/* Seen between its two subscriptions. */
static void
test_a_glimpse_loses_nothing(void **state)
{
	struct reach_view v = { .all = false };

	(void)state;
	assert_int_equal(reach_judge(&v, 1, 1, 1000), 0);
	assert_int_equal(reach_judge(&v, 2, 1, 2000), 0);
	assert_false(v.all);
	assert_int_equal(reach_judge(&v, 2, 2, 3000), 0);
	assert_true(v.all);
	assert_int_equal(reach_judge(&v, 3, 2, 4000), 0);
	assert_int_equal(reach_judge(&v, 3, 3, 5000), 0);
	assert_true(v.all);
}

/* Nothing was told once to all before: nothing can be missing. */
static void
test_older_from_the_start(void **state)
{
	struct reach_view v = { .all = false };

	(void)state;
	for (uint64_t now = 1000; now < 10000; now += 1000) {
		assert_int_equal(reach_judge(&v, 1, 0, now), 0);
		assert_false(v.all);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_on_when_each_gateway_hears_spreads),
		cmocka_unit_test(test_an_older_gateway),
		cmocka_unit_test(test_a_glimpse_loses_nothing),
		cmocka_unit_test(test_older_from_the_start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
