/*
 * When the contact with Redis counts as unbroken.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "presenced/contact.h"

#define UNIX_MS 1770000000000

static void
test_held(void **state)
{
	struct contact c;

	(void)state;
	contact_init(&c, 3000);
	assert_int_equal(contact_held_ms(&c), 0);
	assert_true(contact_heard(&c, 1000, UNIX_MS));
	assert_int_equal(contact_held_ms(&c), 0);
	assert_true(contact_heard(&c, 4000, UNIX_MS + 3000));
	assert_int_equal(contact_held_ms(&c), 3000);
	assert_true(contact_heard(&c, 7000, UNIX_MS + 6000));
	assert_int_equal(contact_held_ms(&c), 6000);
}

/* A loop or a Redis that stood still. */
static void
test_gap(void **state)
{
	struct contact c;

	(void)state;
	contact_init(&c, 3000);
	assert_true(contact_heard(&c, 1000, UNIX_MS));
	assert_true(contact_heard(&c, 3000, UNIX_MS + 2000));
	assert_false(contact_heard(&c, 6001, UNIX_MS + 5001));
	assert_int_equal(contact_held_ms(&c), 0);
	assert_true(contact_heard(&c, 6101, UNIX_MS + 5101));
	assert_int_equal(contact_held_ms(&c), 100);
}

static void
test_clock_jump(void **state)
{
	static const int64_t jumps[] = { 3001, -3001, 3600000, -3600000 };

	(void)state;
	for (size_t i = 0; i < sizeof(jumps) / sizeof(*jumps); i++) {
		struct contact c;

		contact_init(&c, 3000);
		assert_true(contact_heard(&c, 1000, UNIX_MS));
		assert_true(contact_heard(&c, 2000, UNIX_MS + 1000));
		assert_false(contact_heard(&c, 3000, UNIX_MS + 2000 +
		    jumps[i]));
		assert_int_equal(contact_held_ms(&c), 0);
		assert_true(contact_heard(&c, 4000, UNIX_MS + 3000 +
		    jumps[i]));
		assert_int_equal(contact_held_ms(&c), 1000);
	}
}

/* Slow drift, and a clock that is set by less than the gap, are no matter. */
static void
test_drift(void **state)
{
	struct contact c;

	(void)state;
	contact_init(&c, 3000);
	for (int i = 0; i < 1000; i++) {
		assert_true(contact_heard(&c, (uint64_t)i * 250 + 1,
		    UNIX_MS + i * 260));
	}
	assert_int_equal(contact_held_ms(&c), 999 * 250);
}

static void
test_lost(void **state)
{
	struct contact c;

	(void)state;
	contact_init(&c, 3000);
	assert_true(contact_heard(&c, 1000, UNIX_MS));
	assert_true(contact_heard(&c, 2000, UNIX_MS + 1000));
	contact_lost(&c);
	assert_int_equal(contact_held_ms(&c), 0);
	/* A first answer after a loss is no gap. */
	assert_true(contact_heard(&c, 90000, UNIX_MS + 89000));
	assert_int_equal(contact_held_ms(&c), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_clock_jump),
		cmocka_unit_test(test_drift),
		cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
