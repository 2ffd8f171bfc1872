/*
 * The pace of an open loop, on a clock moved by hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include "bench/load/pace.h"
#include "common/attr.h"

#define MS UINT64_C(1000000)
#define BEGIN UINT64_C(123456789)

static struct pace p;
static uint64_t due;

static void
test_in_time(void **state UNUSED)
{
	pace_begin(&p, 1000, BEGIN);
	assert_true(pace_take(&p, BEGIN, &due));
	assert_int_equal(due, BEGIN);
	assert_false(pace_take(&p, BEGIN, &due));
	assert_int_equal(pace_wait(&p, BEGIN), MS);
	assert_int_equal(pace_wait(&p, BEGIN + MS / 4), MS - MS / 4);
	assert_false(pace_take(&p, BEGIN + MS - 1, &due));
	assert_true(pace_take(&p, BEGIN + MS, &due));
	assert_int_equal(due, BEGIN + MS);
}

/* Who comes 300 ms late gets all that was due, each with its own time. */
static void
test_late(void **state UNUSED)
{
	pace_begin(&p, 1000, BEGIN);
	assert_int_equal(pace_wait(&p, BEGIN + 300 * MS), 0);
	for (uint64_t i = 0; i <= 300; i++) {
		assert_true(pace_take(&p, BEGIN + 300 * MS, &due));
		assert_int_equal(due, BEGIN + i * MS);
	}
	assert_false(pace_take(&p, BEGIN + 300 * MS, &due));
}

/* A rate that no nanosecond divides: after an hour it is where it should be. */
static void
test_no_drift(void **state UNUSED)
{
	uint64_t n = 0, hour = BEGIN + 3600 * 1000 * MS;

	pace_begin(&p, 777, BEGIN);
	while (pace_take(&p, hour, &due)) {
		n++;
	}
	assert_int_equal(n, 777 * 3600 + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_time),
		cmocka_unit_test(test_late),
		cmocka_unit_test(test_no_drift),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
