/*
 * The book's rules for sessions, grace and leases, call by call, against a real
 * Redis. Times are given as cutoffs, so nothing here waits for them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/presenced/ask.h"

#define MANY 1700 /* more than three parts of a sweep */

static struct uuid gw_a, gw_b, user, s1, s2, s3;

static int
begin(void **state)
{
	gw_a = id_of('g', 1);
	gw_b = id_of('g', 2);
	user = id_of('u', 1);
	s1 = id_of('s', 1);
	s2 = id_of('s', 2);
	s3 = id_of('s', 3);
	redis_do("FLUSHALL");
	*state = ask_open(LEASE_MS, GRACE_MS);
	return 0;
}

static int
end(void **state)
{
	struct store *s = *state;

	store_free(&s);
	return 0;
}

static void
test_first_and_last_session(void **state)
{
	struct store *s = *state;
	struct presence_change p;
	int64_t closed;

	assert_false(ask_online(s, user));
	assert_int_equal(ask_change(s, gw_a, SESSION_UP, user, s1), 1);
	assert_true(ask_online(s, user));
	p = ask_report(s, user);
	assert_true(p.online);
	assert_in_range(p.at_ms, clock_unix_ms() - 5000, clock_unix_ms());
	assert_int_equal(ask_change(s, gw_a, SESSION_UP, user, s1), 0);
	assert_int_equal(ask_change(s, gw_b, SESSION_UP, user, s2), 0);
	assert_int_equal(ask_change(s, gw_a, SESSION_DOWN, user, s1), 0);
	assert_int_equal(ask_tick(s).due, 0);
	assert_int_equal(ask_change(s, gw_b, SESSION_DOWN, user, s2), 0);
	closed = ask_tick(s).now_ms;
	assert_int_equal(ask_tick(s).due, 1);
	/* In grace: still online. */
	assert_true(ask_online(s, user));
	assert_int_equal(ask_due(s, closed - 1000).transitions, 0);
	assert_true(ask_online(s, user));
	assert_int_equal(ask_due(s, closed).transitions, 1);
	assert_false(ask_online(s, user));
	assert_int_equal(ask_due(s, closed).transitions, 0);
	p = ask_report(s, user);
	assert_false(p.online);
	assert_in_range(p.at_ms, closed - 1000, closed);
}

static void
test_back_in_grace(void **state)
{
	struct store *s = *state;
	int64_t later = ask_tick(s).now_ms + 100000;

	assert_int_equal(ask_change(s, gw_a, SESSION_UP, user, s1), 1);
	ask_report(s, user);
	assert_int_equal(ask_change(s, gw_a, SESSION_DOWN, user, s1), 0);
	assert_int_equal(ask_change(s, gw_b, SESSION_UP, user, s2), 0);
	assert_int_equal(ask_tick(s).due, 0);
	assert_int_equal(ask_due(s, later).transitions, 0);
	assert_true(ask_online(s, user));
	assert_int_equal(ask_claim(s, 5000).n, 0);
}

static void
test_logout(void **state)
{
	struct store *s = *state;

	ask_change(s, gw_a, SESSION_UP, user, s1);
	ask_change(s, gw_a, SESSION_UP, user, s2);
	ask_report(s, user);
	/* Another device is still there. */
	assert_int_equal(ask_change(s, gw_a, SESSION_LOGGED_OUT, user, s1), 0);
	assert_true(ask_online(s, user));
	assert_int_equal(ask_change(s, gw_a, SESSION_LOGGED_OUT, user, s2), 1);
	assert_false(ask_online(s, user));
	assert_false(ask_report(s, user).online);
	/* A repeat says nothing new. */
	assert_int_equal(ask_change(s, gw_a, SESSION_LOGGED_OUT, user, s2), 0);
}

static void
test_no_grace(void **state)
{
	struct store *s = ask_open(LEASE_MS, 0);

	(void)state;
	ask_change(s, gw_a, SESSION_UP, user, s1);
	assert_int_equal(ask_change(s, gw_a, SESSION_DOWN, user, s1), 1);
	assert_false(ask_online(s, user));
	store_free(&s);
}

static void
test_lease(void **state)
{
	struct store *s = *state;
	struct presence_change p;
	struct store_swept w;
	int64_t beat;

	assert_int_equal(ask_beat(s, gw_a), ERR_NOT_FOUND);
	ask_register(s, gw_a, 0, 0, false);
	ask_change(s, gw_a, SESSION_UP, user, s1);
	ask_report(s, user);
	assert_int_equal(ask_beat(s, gw_a), ERR_OK);
	beat = ask_tick(s).now_ms;
	w = ask_expire(s, beat - 5000);
	assert_int_equal(w.gateways, 0);
	turn_ms(20);
	w = ask_expire(s, beat);
	assert_int_equal(w.gateways, 1);
	assert_int_equal(w.sessions, 1);
	/* The grace counts from the last heartbeat. */
	assert_true(ask_online(s, user));
	assert_int_equal(ask_due(s, beat).transitions, 1);
	p = ask_report(s, user);
	assert_false(p.online);
	assert_in_range(p.at_ms, beat - 1000, beat);
	assert_int_equal(ask_tick(s).gateways, 0);
	assert_int_equal(ask_tick(s).dying, 0);
	/* It speaks again: it has to tell everything, and is believed. */
	assert_int_equal(ask_beat(s, gw_a), ERR_NOT_FOUND);
	assert_int_equal(ask_register(s, gw_a, 1, 1, false), 1);
	assert_int_equal(ask_beat(s, gw_a), ERR_OK);
	assert_true(ask_report(s, user).online);
}

static void
test_other_gateway_keeps_user(void **state)
{
	struct store *s = *state;
	int64_t cutoff;

	ask_change(s, gw_a, SESSION_UP, user, s1);
	ask_report(s, user);
	turn_ms(20);
	cutoff = ask_tick(s).now_ms;
	turn_ms(20);
	ask_change(s, gw_b, SESSION_UP, user, s2);
	assert_int_equal(ask_expire(s, cutoff).sessions, 1);
	assert_int_equal(ask_tick(s).due, 0);
	assert_true(ask_online(s, user));
	assert_int_equal(ask_claim(s, 5000).n, 0);
}

/* Seen last where the latest session ended, not where the last gateway died. */
static void
test_latest_end_counts(void **state)
{
	struct store *s = *state;
	struct presence_change p;
	int64_t beat, closed;

	ask_change(s, gw_a, SESSION_UP, user, s1);
	beat = ask_tick(s).now_ms;
	turn_ms(50);
	ask_change(s, gw_b, SESSION_UP, user, s2);
	ask_change(s, gw_b, SESSION_DOWN, user, s2);
	closed = ask_tick(s).now_ms;
	ask_report(s, user);
	assert_int_equal(ask_expire(s, beat).sessions, 1);
	assert_int_equal(ask_due(s, beat).transitions, 0);
	assert_int_equal(ask_due(s, closed).transitions, 1);
	p = ask_report(s, user);
	assert_in_range(p.at_ms, beat + 40, closed);
}

static void
test_many_sessions_expire(void **state)
{
	struct store *s = *state;
	struct store_swept w;
	int64_t beat;

	for (unsigned at = 0; at < MANY; at += 100) {
		assert_int_equal(ask_register(s, gw_a, at, 100, false), 100);
	}
	beat = ask_tick(s).now_ms;
	assert_int_equal(ask_tick(s).online, MANY);
	assert_int_equal(ask_tick(s).reports, MANY);
	w = ask_expire(s, beat);
	assert_int_equal(w.sessions, MANY);
	w = ask_due(s, beat);
	assert_int_equal(w.transitions, MANY);
	assert_int_equal(ask_tick(s).online, 0);
	/* The newest of each user only. */
	assert_int_equal(ask_tick(s).reports, MANY);
}

static void
on_swept_once(void *arg, enum err e, const struct store_swept *w)
{
	assert_int_equal(e, ERR_OK);
	*(struct store_swept *)arg = *w;
	((struct store_swept *)arg)->more = true;
}

/* It comes back while its sessions are being ended: nobody is lost. */
static void
test_back_while_expiring(void **state)
{
	struct store *s = *state;
	struct store_swept w = { 0 };
	int64_t beat;

	ask_register(s, gw_a, 0, MANY, false);
	beat = ask_tick(s).now_ms;
	turn_ms(20);
	store_expire(s, beat, beat, on_swept_once, &w);
	TURN_UNTIL(w.more, 5000);
	assert_int_equal(w.gateways, 1);
	assert_in_range(w.sessions, 1, MANY - 1);
	assert_int_equal(ask_beat(s, gw_a), ERR_NOT_FOUND);
	assert_int_equal(ask_register(s, gw_a, 0, MANY, false), 0);
	assert_int_equal(ask_expire(s, beat).sessions, 0);
	assert_int_equal(ask_due(s, beat + 100000).transitions, 0);
	assert_int_equal(ask_tick(s).online, MANY);
	/* And the new registration is a whole one. */
	assert_int_equal(ask_expire(s, beat + 100000).sessions, MANY);
}

static void
test_closed_session_stays_closed(void **state)
{
	struct store *s = ask_open(1, GRACE_MS); /* the book is no new one */

	(void)state;
	ask_tick(s);
	turn_ms(20);
	assert_int_equal(ask_change(s, gw_a, SESSION_DOWN, user, s1), 0);
	assert_int_equal(ask_change(s, gw_a, SESSION_UP, user, s1), 0);
	assert_false(ask_online(s, user));
	assert_int_equal(ask_register(s, gw_a, 1, 1, false), 0);
	assert_false(ask_online(s, user));
	assert_int_equal(ask_tick(s).due, 0);
	assert_int_equal(ask_change(s, gw_a, SESSION_UP, user, s3), 1);
	store_free(&s);
}

/* One session that two gateways name (a repeat after a restart of one) is the
 * last one's. */
static void
test_session_moves(void **state)
{
	struct store *s = *state;
	int64_t cutoff;

	ask_change(s, gw_a, SESSION_UP, user, s1);
	turn_ms(20);
	cutoff = ask_tick(s).now_ms;
	turn_ms(20);
	ask_change(s, gw_b, SESSION_UP, user, s1);
	assert_int_equal(ask_expire(s, cutoff).sessions, 0);
	ask_change(s, gw_b, SESSION_DOWN, user, s1);
	assert_int_equal(ask_tick(s).due, 1);
}

static void
test_two_stores_one_book(void **state)
{
	struct store *s = *state;
	struct store *other = ask_open(LEASE_MS, GRACE_MS);
	int64_t later = ask_tick(s).now_ms + 100000;

	assert_int_equal(ask_change(s, gw_a, SESSION_UP, user, s1), 1);
	assert_int_equal(ask_change(other, gw_a, SESSION_UP, user, s2), 0);
	assert_true(ask_report(other, user).online);
	assert_int_equal(ask_change(other, gw_a, SESSION_DOWN, user, s1), 0);
	assert_int_equal(ask_change(s, gw_a, SESSION_DOWN, user, s2), 0);
	assert_int_equal(ask_due(other, later).transitions, 1);
	assert_int_equal(ask_due(s, later).transitions, 0);
	assert_false(ask_report(s, user).online);
	store_free(&other);
}

/* Nothing is left behind by users and gateways that are gone. */
static void
test_nothing_left(void **state)
{
	struct store *s = *state;
	struct ask_reports r;
	int64_t later = ask_tick(s).now_ms + 100000;

	ask_register(s, gw_a, 0, 50, false);
	ask_change(s, gw_b, SESSION_UP, id_of('u', 1), id_of('t', 1));
	ask_change(s, gw_b, SESSION_LOGGED_OUT, id_of('u', 1), id_of('t', 1));
	ask_expire(s, later);
	ask_due(s, later);
	r = ask_claim(s, 5000);
	assert_int_equal(r.n, 50);
	ask_ack(s, &r);
	redis_do("DEL {presence}:epoch {presence}:log {presence}:touched "
	    "{presence}:closed");
	assert_int_equal(redis_do("DBSIZE"), 0);
}

static void
test_old_closed_are_forgotten(void **state)
{
	struct store *s = *state;

	ask_change(s, gw_a, SESSION_DOWN, user, s1);
	redis_do("ZADD {presence}:closed 1 aaaaaaaaaaaaaaaa 2 bbbbbbbbbbbbbbbb");
	ask_tick(s);
	assert_int_equal(redis_do("ZCARD {presence}:closed"), 1);
}

/* The clock went back: times in the future must not hold anything up. */
static void
test_times_ahead(void **state)
{
	struct store *s = *state;
	int64_t now;

	ask_change(s, gw_a, SESSION_UP, user, s1);
	redis_do("ZADD {presence}:due 9000000000000 cccccccccccccccc");
	redis_do("ZADD {presence}:gateways 9000000000000 dddddddddddddddd");
	redis_do("ZADD {presence}:reports 9000000000000 eeeeeeeeeeeeeeee");
	now = ask_tick(s).now_ms;
	assert_int_equal(redis_do("ZCOUNT {presence}:due 8000000000000 +inf"),
	    0);
	assert_int_equal(redis_do("ZCOUNT {presence}:gateways 8000000000000 "
	    "+inf"), 0);
	assert_int_equal(redis_do("ZCOUNT {presence}:reports 8000000000000 "
	    "+inf"), 0);
	assert_true(now < 8000000000000);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(test_first_and_last_session),
		CASE(test_back_in_grace),
		CASE(test_logout),
		CASE(test_no_grace),
		CASE(test_lease),
		CASE(test_other_gateway_keeps_user),
		CASE(test_latest_end_counts),
		CASE(test_many_sessions_expire),
		CASE(test_back_while_expiring),
		CASE(test_closed_session_stays_closed),
		CASE(test_session_moves),
		CASE(test_two_stores_one_book),
		CASE(test_nothing_left),
		CASE(test_old_closed_are_forgotten),
		CASE(test_times_ahead),
	};

	return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
