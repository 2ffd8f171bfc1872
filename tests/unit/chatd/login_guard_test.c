/*
 * login_guard: guesses are bounded, whoever makes them from wherever; an owner
 * at a familiar address is not held up by others.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "chatd/login_guard.h"
#include "chatd/settings.h"
#include "common/clock.h"

#define NAME(literal) ((struct text){ literal, sizeof(literal) - 1 })
#define ANN NAME("ann")

static struct uuid
address(unsigned n)
{
	struct uuid a = { { 0x20, 0x01 } };

	memcpy(a.b + 4, &n, sizeof(n));
	return a;
}

/* One try from begin to end; false: it was refused. */
static bool
attempt(struct login_guard *g, struct text name, unsigned from,
    enum login_outcome outcome)
{
	struct uuid a = address(from);
	struct login_try t;

	if (login_guard_begin(g, name, &a, &t) > 0) {
		return false;
	}
	login_guard_end(g, &t, outcome);
	return true;
}

static int64_t
wait_at(struct login_guard *g, struct text name, unsigned from)
{
	struct uuid a = address(from);
	struct login_try t;
	int64_t wait = login_guard_begin(g, name, &a, &t);

	if (wait == 0) {
		login_guard_end(g, &t, LOGIN_UNDECIDED);
	}
	return wait;
}

static unsigned
failures(struct login_guard *g, struct text name, unsigned from)
{
	unsigned n = 0;

	while (attempt(g, name, from, LOGIN_WRONG)) {
		n++;
	}
	return n;
}

static void
test_one_address_is_bounded(void **state)
{
	struct login_guard *g = *state;
	int64_t wait;

	assert_int_equal(failures(g, ANN, 1), 10);
	/* Her name elsewhere, and others' names there, are not concerned. */
	assert_true(attempt(g, ANN, 2, LOGIN_WRONG));
	assert_true(attempt(g, NAME("ben"), 1, LOGIN_WRONG));
	/* The same name, however it is written. */
	assert_int_equal(failures(g, NAME("ANN"), 1), 0);
	assert_int_equal(failures(g, NAME("Ann"), 1), 0);
	wait = wait_at(g, ANN, 1);
	assert_in_range(wait, 59000, 60000);
	clock_advance((uint64_t)wait);
	assert_int_equal(failures(g, ANN, 1), 1);
}

static void
test_success_costs_nothing(void **state)
{
	struct login_guard *g = *state;

	for (int i = 0; i < 1000; i++) {
		assert_true(attempt(g, ANN, 1, LOGIN_RIGHT));
		assert_true(attempt(g, ANN, 2, LOGIN_UNDECIDED));
	}
	assert_int_equal(failures(g, ANN, 1), 10);
	/* A success is no pardon for the failures before it. */
	assert_false(attempt(g, ANN, 1, LOGIN_RIGHT));
}

static void
test_tries_at_the_same_time_count(void **state)
{
	struct login_guard *g = *state;
	struct uuid a = address(1);
	struct login_try t[11];
	int open = 0;

	while (login_guard_begin(g, ANN, &a, &t[open]) == 0) {
		open++;
	}
	assert_int_equal(open, 10);
	login_guard_end(g, &t[0], LOGIN_UNDECIDED);
	assert_int_equal(login_guard_begin(g, ANN, &a, &t[0]), 0);
	for (int i = 0; i < 10; i++) {
		login_guard_end(g, &t[i], LOGIN_WRONG);
	}
	assert_false(attempt(g, ANN, 1, LOGIN_RIGHT));
}

/* Guesses from ever new addresses: bounded by the name's own rate. */
static unsigned
attack(struct login_guard *g, struct text name, unsigned first, unsigned n)
{
	unsigned guesses = 0;

	for (unsigned i = 0; i < n; i++) {
		guesses += attempt(g, name, first + i, LOGIN_WRONG);
	}
	return guesses;
}

static void
test_many_addresses_are_bounded_and_lock_nobody_out(void **state)
{
	struct login_guard *g = *state;
	struct uuid made_at = address(2);

	assert_true(attempt(g, ANN, 1, LOGIN_RIGHT));
	login_guard_made(g, ANN, &made_at);
	assert_int_equal(attack(g, ANN, 1000, 5000), 100);
	/* She is served at her own addresses, mistakes and all. */
	for (int i = 0; i < 9; i++) {
		assert_true(attempt(g, ANN, 1, LOGIN_WRONG));
	}
	assert_true(attempt(g, ANN, 1, LOGIN_RIGHT));
	assert_true(attempt(g, ANN, 2, LOGIN_RIGHT));
	/* A stranger to the name waits, and not for ever. */
	assert_in_range(wait_at(g, ANN, 3), 1, 60000);
	clock_advance(3600 * 1000);
	assert_int_equal(attack(g, ANN, 10000, 5000), 60);
	/* Another name is not concerned, nor is one that nobody has. */
	assert_int_equal(attack(g, NAME("nobody there"), 1000, 5000), 100);
}

static void
test_familiar_is_forgotten(void **state)
{
	struct login_guard *g = *state;

	assert_true(attempt(g, ANN, 1, LOGIN_RIGHT));
	clock_advance((uint64_t)settings.login_familiar - 1000);
	assert_int_equal(attack(g, ANN, 1000, 200), 100);
	assert_true(attempt(g, ANN, 1, LOGIN_WRONG));
	clock_advance(2000);
	assert_false(attempt(g, ANN, 1, LOGIN_RIGHT));
}

static void
test_names_of_any_length(void **state)
{
	struct login_guard *g = *state;
	static char longest[100000];

	memset(longest, 'x', sizeof(longest));
	assert_int_equal(failures(g, ((struct text){ longest,
	    sizeof(longest) }), 1), 10);
	assert_int_equal(failures(g, NAME(""), 1), 10);
	assert_int_equal(failures(g, TEXT_NULL, 1), 0);
}

static void
test_off(void **state)
{
	struct login_guard *g = *state;

	settings.rate_login_failures.count = 0;
	settings.rate_login_failures_name.count = 0;
	for (int i = 0; i < 1000; i++) {
		assert_true(attempt(g, ANN, 1, LOGIN_WRONG));
	}
}

static int
setup(void **state)
{
	clock_freeze(1000000, 0);
	settings.rate_login_failures = (struct rate){ 10, 600000, 10 };
	settings.rate_login_failures_name = (struct rate){ 60, 3600000, 100 };
	settings.login_familiar = INT64_C(30) * 86400000;
	*state = login_guard_new();
	return 0;
}

static int
teardown(void **state)
{
	struct login_guard *g = *state;

	login_guard_free(&g);
	return 0;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_one_address_is_bounded),
		CASE(test_success_costs_nothing),
		CASE(test_tries_at_the_same_time_count),
		CASE(test_many_addresses_are_bounded_and_lock_nobody_out),
		CASE(test_familiar_is_forgotten),
		CASE(test_names_of_any_length),
		CASE(test_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
