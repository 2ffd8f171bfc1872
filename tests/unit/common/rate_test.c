/*
 * rate and rate_table: what is let through, what a refusal promises, and what
 * is forgotten when there are too many keys.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <string.h>

#include "common/attr.h"
#include "common/clock.h"
#include "common/rate.h"
#include "common/rate_table.h"

#define SECOND UINT64_C(1000000000)

static void
test_parse(void **state)
{
	static const struct {
		const char *text;
		int64_t count, period_ms, burst;
	} good[] = {
		{ "off", 0, 0, 0 },
		{ "OFF", 0, 0, 0 },
		{ "50/s burst 500", 50, 1000, 500 },
		{ "50/s", 50, 1000, 50 },
		{ "600/h burst 1000", 600, 3600000, 1000 },
		{ "10/5m burst 3", 10, 300000, 3 },
		{ "1/7d", 1, 7 * INT64_C(86400000), 1 },
		{ "20M/s  burst  2G ", 20 << 20, 1000, INT64_C(2) << 30 },
		{ "8k/2s\tburst 1", 8192, 2000, 1 },
	};
	static const char *const bad[] = { "", " ", "0/s", "50", "50/", "/s",
		"50/x", "50/0s", "-1/s", "50/s burst", "50/s burst 0",
		"50/s burst -1", "50/s burst 5 x", "50/sburst 5", "50/s 5",
		"99999999999999999999/s", "50/99999999999999999999s",
		"9999999999G/s", "50/367d", "50/ms", "1.5/s", "5/s burst 1e3" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct rate r;

		assert_true(rate_parse(good[i].text, &r));
		assert_int_equal(r.count, good[i].count);
		assert_int_equal(r.period_ms, good[i].period_ms);
		assert_int_equal(r.burst, good[i].burst);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct rate r = { 7, 7, 7 };

		if (rate_parse(bad[i], &r)) {
			fail_msg("taken: \"%s\"", bad[i]);
		}
		assert_int_equal(r.count, 7);
	}
}

static struct rate
rate_of(const char *text)
{
	struct rate r;

	assert_true(rate_parse(text, &r));
	return r;
}

static void
test_burst_then_rate(void **state)
{
	struct rate r = rate_of("50/s burst 500");
	uint64_t now = 5000 * SECOND, wait;
	rate_bucket b = 0;
	int taken = 0;

	(void)state;
	while ((wait = rate_take(&r, &b, now, 1)) == 0) {
		taken++;
	}
	assert_int_equal(taken, 500);
	assert_int_equal(wait, SECOND / 50);
	assert_int_equal(rate_wait_ms(wait), 20);
	/* What a refusal promises holds, and not a bit earlier. */
	assert_int_not_equal(rate_take(&r, &b, now + wait - 1, 1), 0);
	assert_int_equal(rate_take(&r, &b, now + wait, 1), 0);
	assert_int_not_equal(rate_take(&r, &b, now + wait, 1), 0);
	/* An hour later it is full, not fuller. */
	now += 3600 * SECOND;
	assert_true(rate_idle(b, now));
	for (taken = 0; rate_take(&r, &b, now, 1) == 0; taken++) {
	}
	assert_int_equal(taken, 500);
	assert_false(rate_idle(b, now));
}

/* However it is asked, no more than burst + rate * time goes through. */
static void
test_never_more_than_the_rate(void **state)
{
	static const char *const rates[] = { "3/s burst 1", "7/s burst 10",
		"600/h burst 20", "499/s burst 7", "1/3s burst 2" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rates); i++) {
		struct rate r = rate_of(rates[i]);
		uint64_t start = 77 * SECOND + 12345, now = start;
		rate_bucket b = 0;
		uint64_t taken = 0, step = 1237 * 1009;
		double most;

		for (int k = 0; k < 200000; k++, now += step) {
			taken += rate_take(&r, &b, now, 1) == 0;
		}
		most = (double)r.burst + (double)(now - start) /
		    ((double)r.period_ms * 1e6) * (double)r.count;
		assert_true((double)taken <= most + 1);
		/* A bucket of one that is full between two asks loses some. */
		assert_true((double)taken >= most * 0.99 - 2);
	}
}

static void
test_bytes_and_giving_back(void **state)
{
	struct rate r = rate_of("1M/s burst 4M");
	uint64_t now = SECOND;
	rate_bucket b = 0;

	(void)state;
	/* More than the burst is charged as the burst, not refused for ever. */
	assert_int_equal(rate_take(&r, &b, now, 64 << 20), 0);
	assert_int_equal(rate_take(&r, &b, now, 1 << 20), SECOND);
	rate_give_back(&r, &b, 1 << 20);
	assert_int_equal(rate_take(&r, &b, now, 1 << 20), 0);
	/* Giving back what is long forgotten makes no credit. */
	now += 1000 * SECOND;
	rate_give_back(&r, &b, 4 << 20);
	assert_int_equal(rate_take(&r, &b, now, 4 << 20), 0);
	assert_int_not_equal(rate_take(&r, &b, now, 1), 0);
}

static void
test_off_and_changed_rates(void **state)
{
	struct rate off = rate_of("off"), slow = rate_of("1/d burst 1000");
	struct rate fast = rate_of("10/s burst 10");
	rate_bucket b = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(rate_take(&off, &b, SECOND, 1), 0);
	}
	assert_int_equal(b, 0);
	rate_give_back(&off, &b, 5);
	assert_int_equal(b, 0);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(rate_take(&slow, &b, SECOND, 1), 0);
	}
	/* A thousand days of debt under another rate: one burst of it. */
	assert_int_equal(rate_take(&fast, &b, SECOND, 1), SECOND / 10);
	assert_int_equal(rate_take(&fast, &b, SECOND + SECOND / 10, 1), 0);
}

/* A burst worth more time than a bucket can tell is cut to what it can, and what
 * a refusal promises still holds. */
static void
test_bursts_beyond_all_time(void **state)
{
	struct rate r = rate_of("1/366d burst 1000000");
	rate_bucket b = 0;
	uint64_t wait = 0;
	int taken = 0;

	(void)state;
	for (; taken < 10000 && wait == 0; taken++) {
		wait = rate_take(&r, &b, SECOND, 1);
	}
	assert_in_range(taken, 30, 40);
	assert_true(wait > 0 && wait <= UINT64_C(366) * 86400 * SECOND);
	assert_int_equal(rate_take(&r, &b, SECOND + wait, 1), 0);
}

/* ---- the table ---------------------------------------------------------- */

struct thing {
	struct rate_entry e;
	int mark;
};

static struct uuid
key_of(unsigned n)
{
	struct uuid key = { { 1 } };

	memcpy(key.b + 4, &n, sizeof(n));
	return key;
}

static struct thing *
get(struct rate_table *t, unsigned n)
{
	struct uuid key = key_of(n);

	return (struct thing *)rate_table_get(t, &key);
}

static bool
has(const struct rate_table *t, unsigned n)
{
	struct uuid key = key_of(n);

	return rate_table_find(t, &key) != NULL;
}

static void
test_table_forgets_what_owes_nothing_first(void **state)
{
	struct rate_table *t = rate_table_new(4, sizeof(struct thing));
	uint64_t debt = rate_now() + 3600 * SECOND;

	(void)state;
	get(t, 1)->e.buckets[0] = debt;
	get(t, 2)->e.buckets[7] = debt;
	get(t, 3)->mark = 3;
	get(t, 4)->e.buckets[0] = debt;
	/* 3 owes nothing: it goes with the next newcomer. */
	get(t, 5)->e.buckets[0] = debt;
	assert_false(has(t, 3));
	assert_int_equal(get(t, 3)->mark, 0);
	assert_int_equal(rate_table_forgotten(t), 1);
	assert_false(has(t, 1));
	get(t, 3)->e.buckets[0] = debt;
	/* Now all owe: the one unused for longest goes, and is counted. */
	get(t, 2);
	get(t, 6)->e.buckets[0] = debt;
	assert_true(has(t, 2));
	assert_false(has(t, 4));
	assert_int_equal(rate_table_forgotten(t), 2);
	assert_int_equal(rate_table_len(t), 4);
	rate_table_free(&t);
}

static void
test_table_keeps_what_is_held(void **state)
{
	struct rate_table *t = rate_table_new(2, sizeof(struct thing));
	struct rate_entry *held;

	(void)state;
	held = &get(t, 1)->e;
	rate_table_hold(t, held);
	rate_table_hold(t, held);
	for (unsigned n = 2; n < 100; n++) {
		get(t, n)->e.buckets[0] = rate_now() + SECOND * 3600;
	}
	assert_ptr_equal(get(t, 1), held);
	assert_int_equal(rate_table_len(t), 3);
	rate_table_release(t, held);
	assert_ptr_equal(get(t, 1), held);
	held->buckets[0] = rate_now() + SECOND * 3600;
	rate_table_release(t, held);
	assert_int_equal(rate_table_len(t), 2);
	assert_true(has(t, 1));
	rate_table_free(&t);
}

static void
test_table_shrinks(void **state)
{
	struct rate_table *t = rate_table_new(1000, sizeof(struct thing));

	(void)state;
	clock_freeze(1000, 0);
	for (unsigned n = 0; n < 1000; n++) {
		get(t, n)->e.buckets[0] = rate_now() + SECOND;
	}
	assert_int_equal(rate_table_len(t), 1000);
	clock_advance(2000);
	for (unsigned n = 2000; n < 2200; n++) {
		get(t, n);
	}
	assert_true(rate_table_len(t) < 10);
	assert_int_equal(rate_table_forgotten(t), 0);
	rate_table_free(&t);
}

static void
test_keys(void **state)
{
	struct rate_table *t = rate_table_new(4, sizeof(struct thing));
	struct rate_table *other = rate_table_new(4, sizeof(struct thing));
	struct uuid a = rate_table_key(t, "ab", 2, "c", 1);
	struct uuid b = rate_table_key(t, "a", 1, "bc", 2);
	struct uuid again = rate_table_key(t, "ab", 2, "c", 1);
	struct uuid elsewhere = rate_table_key(other, "ab", 2, "c", 1);

	(void)state;
	assert_true(uuid_eq(&a, &again));
	assert_false(uuid_eq(&a, &b));
	assert_false(uuid_eq(&a, &elsewhere));
	rate_table_free(&t);
	rate_table_free(&other);
	rate_table_free(&other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_burst_then_rate),
		cmocka_unit_test(test_never_more_than_the_rate),
		cmocka_unit_test(test_bytes_and_giving_back),
		cmocka_unit_test(test_off_and_changed_rates),
		cmocka_unit_test(test_bursts_beyond_all_time),
		cmocka_unit_test(test_table_forgets_what_owes_nothing_first),
		cmocka_unit_test(test_table_keeps_what_is_held),
		cmocka_unit_test(test_keys),
		/* The last: it stops the clock. */
		cmocka_unit_test(test_table_shrinks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
