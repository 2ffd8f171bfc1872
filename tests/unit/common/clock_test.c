/*
 * clock: the text form against gmtime, and the frozen clocks of tests.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <stdio.h>
#include <time.h>

#include "common/attr.h"
#include "common/clock.h"

static void
check_format(int64_t ms)
{
	char text[CLOCK_TEXT_LEN + 1], whole[32], wanted[64];
	time_t seconds = (time_t)(ms / 1000 - (ms % 1000 < 0 ? 1 : 0));
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(whole, sizeof(whole), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(wanted, sizeof(wanted), "%s.%03dZ", whole,
	    (int)(ms - (int64_t)seconds * 1000));
	assert_string_equal(clock_format(ms, text), wanted);
}

static void
test_format(void **state UNUSED)
{
	char text[CLOCK_TEXT_LEN + 1];

	assert_string_equal(clock_format(INT64_C(1770504900123), text),
	    "2026-02-07T22:55:00.123Z");
	assert_string_equal(clock_format(0, text), "1970-01-01T00:00:00.000Z");
	assert_string_equal(clock_format(-1, text), "1969-12-31T23:59:59.999Z");
	assert_string_equal(clock_format(INT64_MAX, text),
	    "9999-12-31T23:59:59.999Z");
	clock_format(INT64_MIN, text);
	assert_int_equal(text[CLOCK_TEXT_LEN], '\0');
	/* Each day of 1968 to 2104, and odd steps through the centuries. */
	for (int64_t day = -800; day < 49000; day++) {
		check_format(day * 86400000 + 86399999);
		check_format(day * 86400000);
	}
	for (int64_t ms = INT64_C(-30000000000000);
	    ms < INT64_C(250000000000000); ms += INT64_C(12345678901)) {
		check_format(ms);
	}
}

static void
test_running(void **state UNUSED)
{
	uint64_t us = clock_mono_us(), ms = clock_mono_ms();
	int64_t drift = clock_unix_ms() - (int64_t)time(NULL) * 1000;

	assert_true(clock_mono_us() >= us);
	assert_true(ms >= us / 1000 && ms < us / 1000 + 5000);
	assert_true(drift > -5000 && drift < 5000);
}

static void
test_frozen(void **state UNUSED)
{
	clock_freeze(1000, 5000);
	assert_int_equal(clock_mono_ms(), 1000);
	assert_int_equal(clock_mono_us(), 1000000);
	assert_int_equal(clock_unix_ms(), 5000);
	clock_advance(250);
	assert_int_equal(clock_mono_ms(), 1250);
	assert_int_equal(clock_unix_ms(), 5250);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_running),
		cmocka_unit_test(test_frozen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
