/*
 * The histogram of the load client against sorted values.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <stdlib.h>

#include "bench/load/histogram.h"
#include "common/attr.h"

#define VALUES 20000

static struct histogram h;
static uint64_t values[VALUES];

static int
by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* What no more than `share` of the sorted values are not above. */
static uint64_t
exact(double share)
{
	size_t rank = (size_t)(share * VALUES + 0.5);

	return values[rank > 0 ? rank - 1 : 0];
}

static void
check_quantiles(void)
{
	static const double shares[] = { 0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1 };

	qsort(values, VALUES, sizeof(values[0]), by_size);
	for (size_t i = 0; i < ARRAY_LEN(shares); i++) {
		uint64_t wanted = exact(shares[i]);
		uint64_t found = histogram_quantile(&h, shares[i]);

		assert_true(found >= wanted);
		assert_true(found <= wanted + wanted / HISTOGRAM_PARTS);
	}
	assert_int_equal(histogram_quantile(&h, 1), values[VALUES - 1]);
}

/* Over nine powers of ten, as latencies are. */
static void
test_within_one_part(void **state UNUSED)
{
	srandom(1);
	histogram_reset(&h);
	for (size_t i = 0; i < VALUES; i++) {
		values[i] = (uint64_t)random() >> (random() % 31);
		histogram_add(&h, values[i]);
	}
	assert_int_equal(h.count, VALUES);
	check_quantiles();
}

static void
test_small_values_are_exact(void **state UNUSED)
{
	histogram_reset(&h);
	for (size_t i = 0; i < VALUES; i++) {
		values[i] = i % HISTOGRAM_PARTS;
		histogram_add(&h, values[i]);
	}
	qsort(values, VALUES, sizeof(values[0]), by_size);
	for (double share = 0.01; share < 1; share += 0.01) {
		assert_int_equal(histogram_quantile(&h, share), exact(share));
	}
}

static void
test_one_slow_among_many(void **state UNUSED)
{
	histogram_reset(&h);
	for (int i = 0; i < 999; i++) {
		histogram_add(&h, 1000000);
	}
	histogram_add(&h, 300000000);
	assert_in_range(histogram_quantile(&h, 0.99), 1000000, 1016000);
	assert_in_range(histogram_quantile(&h, 0.999), 1000000, 1016000);
	assert_int_equal(histogram_quantile(&h, 1), 300000000);
	assert_int_equal(h.max, 300000000);
	assert_int_equal(h.sum, 999 * 1000000ull + 300000000);
}

static void
test_bounds(void **state UNUSED)
{
	histogram_reset(&h);
	assert_int_equal(histogram_quantile(&h, 0.5), 0);
	/* Beyond half an hour there is but one bucket. */
	histogram_add(&h, UINT64_MAX);
	assert_true(histogram_quantile(&h, 0.5) > UINT64_C(1800000000000));
	assert_int_equal(h.max, UINT64_MAX);
	histogram_reset(&h);
	histogram_add(&h, 0);
	assert_int_equal(histogram_quantile(&h, 1), 0);
	assert_int_equal(h.count, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_within_one_part),
		cmocka_unit_test(test_small_values_are_exact),
		cmocka_unit_test(test_one_slow_among_many),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
