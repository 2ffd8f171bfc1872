/*
 * The book across losses of Redis's memory; the reports, the log and the memory
 * that follows it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/rpc.h"
#include "presenced/memory.h"
#include "presenced/report.h"
#include "unit/presenced/ask.h"

#define SHORT_LEASE_MS 400

static struct uuid gw_a, gw_b, user, s1;

static int
begin(void **state)
{
	gw_a = id_of('g', 1);
	gw_b = id_of('g', 2);
	user = id_of('u', 1);
	s1 = id_of('s', 1);
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

/* ---- reports ------------------------------------------------------------- */

static void
test_newest_report_only(void **state)
{
	struct store *s = *state;
	struct presence_change p;

	ask_change(s, gw_a, SESSION_UP, user, s1);
	ask_change(s, gw_a, SESSION_LOGGED_OUT, user, s1);
	assert_int_equal(ask_tick(s).reports, 1);
	p = ask_report(s, user);
	assert_false(p.online);
	assert_int_equal(ask_tick(s).reports, 0);
}

static void
test_claims(void **state)
{
	struct store *s = *state;
	struct ask_reports first, again;

	ask_change(s, gw_a, SESSION_UP, user, s1);
	first = ask_claim(s, 100);
	assert_int_equal(first.n, 1);
	assert_int_equal(ask_claim(s, 100).n, 0);
	/* Not acknowledged in time: handed out again, as it is. */
	turn_ms(150);
	again = ask_claim(s, 100);
	assert_int_equal(again.n, 1);
	assert_int_equal(again.at[0].version, first.at[0].version);
	assert_int_equal(ask_ack(s, &first), 0);
	assert_int_equal(ask_tick(s).reports, 0);
}

/* What comes while a report is on its way follows when that is answered. */
static void
test_newer_waits_for_answer(void **state)
{
	struct store *s = *state;
	struct ask_reports first;
	struct presence_change p;

	ask_change(s, gw_a, SESSION_UP, user, s1);
	first = ask_claim(s, 60000);
	ask_change(s, gw_a, SESSION_LOGGED_OUT, user, s1);
	assert_int_equal(ask_claim(s, 60000).n, 0);
	assert_int_equal(ask_ack(s, &first), 1);
	p = ask_report(s, user);
	assert_false(p.online);
	assert_true(p.version > first.at[0].version);
}

static void
test_versions_grow(void **state)
{
	struct store *s = *state;
	uint64_t last = 0;

	for (unsigned i = 0; i < 50; i++) {
		struct uuid session = id_of('s', i);
		struct presence_change p;

		ask_change(s, gw_a, SESSION_UP, user, session);
		p = ask_report(s, user);
		assert_true(p.version > last);
		last = p.version;
		ask_change(s, gw_a, SESSION_LOGGED_OUT, user, session);
		p = ask_report(s, user);
		assert_true(p.version > last);
		last = p.version;
	}
	/* Even if Redis forgets what it gave, and its clock is behind. */
	redis_do("HSET {presence}:epoch version 8000000000000000");
	ask_tick(s);
	redis_do("FLUSHALL");
	ask_change(s, gw_a, SESSION_UP, user, id_of('s', 99));
	assert_int_equal(ask_report(s, user).version, 8000000000000001);
}

static void
test_damaged_report(void **state)
{
	struct store *s = *state;

	ask_change(s, gw_a, SESSION_UP, user, s1);
	redis_do("HSET {presence}:report xxxxxxxxxxxxxxxx nonsense");
	redis_do("ZADD {presence}:reports 1 xxxxxxxxxxxxxxxx");
	ask_report(s, user);
	assert_int_equal(ask_tick(s).reports, 0);
}

/* ---- epochs -------------------------------------------------------------- */

static void
test_emptied(void **state)
{
	struct store *s = *state;
	int64_t epoch;

	ask_beat(s, gw_a);
	ask_register(s, gw_a, 1, 3, false);
	epoch = ask_tick(s).epoch_ms;
	assert_int_equal(ask_beat(s, gw_a), ERR_OK);
	turn_ms(5);
	redis_do("FLUSHALL");
	assert_int_equal(ask_beat(s, gw_a), ERR_NOT_FOUND);
	assert_true(ask_tick(s).epoch_ms > epoch);
	/* Those we remember are registered without a word, others are told. */
	assert_int_equal(ask_register(s, gw_a, 1, 2, true), 0);
	assert_int_equal(ask_register(s, gw_a, 3, 1, false), 1);
	assert_int_equal(ask_beat(s, gw_a), ERR_OK);
	/* A session that comes up anew is told in any case. */
	assert_int_equal(ask_change(s, gw_a, SESSION_UP, id_of('u', 9),
	    id_of('s', 9)), 1);
	assert_int_equal(ask_tick(s).online, 4);
}

static void
on_transitions(void *arg, enum err e, unsigned transitions)
{
	assert_int_equal(e, ERR_OK);
	*(unsigned *)arg = transitions;
}

/* Who went offline since the loss is not silently back. */
static void
test_silent_once(void **state)
{
	struct store *s = *state;

	ask_beat(s, gw_a);
	assert_int_equal(ask_register(s, gw_a, 1, 1, true), 0);
	ask_change(s, gw_a, SESSION_LOGGED_OUT, user, s1);
	assert_int_equal(ask_register(s, gw_a, 1, 1, true), 0); /* closed */
	{
		const struct session_head head = { gw_b, true };
		const struct store_change c = { { SESSION_UP, user,
			id_of('s', 7) }, true };
		unsigned transitions = 0;

		assert_false(ask_report(s, user).online);
		store_change(s, &head, &c, 1, on_transitions, &transitions);
		TURN_UNTIL(transitions > 0, 5000);
		assert_true(ask_report(s, user).online);
	}
}

/* It ended before its gateway came to register it. */
static void
test_ended_before_registered(void **state)
{
	struct store *s = *state;
	struct presence_change p;
	struct uuid other = id_of('u', 2);
	int64_t closed;

	/* A fresh book, as after a loss. */
	assert_int_equal(ask_change(s, gw_a, SESSION_DOWN, user, s1), 0);
	assert_int_equal(ask_change(s, gw_a, SESSION_DOWN, user, s1), 0);
	assert_int_equal(ask_change(s, gw_a, SESSION_LOGGED_OUT, other,
	    id_of('s', 2)), 0);
	closed = ask_tick(s).now_ms;
	assert_int_equal(ask_tick(s).due, 2);
	/* The other one has a second device. */
	assert_int_equal(ask_change(s, gw_b, SESSION_UP, other,
	    id_of('s', 3)), 0);
	assert_int_equal(ask_due(s, closed).transitions, 1);
	p = ask_report(s, user);
	assert_false(p.online);
	assert_in_range(p.at_ms, closed - 1000, closed);
	assert_true(ask_online(s, other));
	/* A session of which an older repeat tells is no news. */
	assert_int_equal(ask_change(s, gw_a, SESSION_DOWN, user, s1), 0);
	assert_int_equal(ask_tick(s).due, 0);
}

/* A part of a registration whose first parts went to the Redis that was. */
static void
test_half_a_registration(void **state)
{
	struct store *s = *state;

	ask_beat(s, gw_a);
	ask_register(s, gw_a, 1, 2, false);
	redis_do("FLUSHALL");
	ask_register(s, gw_a, 3, 2, false);
	assert_int_equal(ask_beat(s, gw_a), ERR_NOT_FOUND);
	ask_register(s, gw_a, 1, 4, false);
	assert_int_equal(ask_beat(s, gw_a), ERR_OK);
	assert_int_equal(ask_tick(s).online, 4);
}

/* Changes of a gateway we do not know are taken, but are not all it has. */
static void
test_changes_before_registration(void **state)
{
	struct store *s = *state;

	assert_int_equal(ask_change(s, gw_a, SESSION_UP, user, s1), 1);
	assert_int_equal(ask_beat(s, gw_a), ERR_NOT_FOUND);
	assert_int_equal(ask_beat(s, gw_a), ERR_NOT_FOUND);
	ask_register(s, gw_a, 1, 1, false);
	assert_int_equal(ask_beat(s, gw_a), ERR_OK);
}

static void
test_settle(void **state)
{
	struct store *s = *state;
	struct presence_change p;
	int64_t at = ask_tick(s).now_ms - 777;

	ask_beat(s, gw_a);
	ask_register(s, gw_a, 1, 1, true);
	assert_int_equal(ask_settle(s, user, at), 0);
	assert_int_equal(ask_settle(s, id_of('u', 2), at), 1);
	assert_int_equal(ask_settle(s, id_of('u', 2), at), 0); /* two presenceds */
	p = ask_report(s, id_of('u', 2));
	assert_false(p.online);
	assert_int_equal(p.at_ms, at);
	assert_int_equal(ask_who(s, id_of('u', 2)), STORE_OFFLINE);
	assert_int_equal(ask_who(s, id_of('u', 3)), STORE_UNHEARD);
	/* It comes after all: it is told. */
	assert_int_equal(ask_register(s, gw_b, 2, 1, true), 1);
	assert_true(ask_report(s, id_of('u', 2)).online);
}

/* Redis comes back with an older snapshot of itself. */
static void
test_snapshot(void **state)
{
	struct store *s = *state;
	struct presence_change p;
	int64_t beat, now;

	ask_beat(s, gw_a);
	ask_register(s, gw_a, 1, 2, false);
	while (ask_tick(s).reports > 0) {
		struct ask_reports r = ask_claim(s, 5000);

		ask_ack(s, &r);
	}
	beat = ask_tick(s).now_ms;
	redis_do("SAVE");
	assert_int_equal(ask_beat(s, gw_a), ERR_OK);
	redis_kill();
	TURN_UNTIL(!store_ready(s), 5000);
	redis_start();
	TURN_UNTIL(store_ready(s), 5000);
	assert_int_equal(ask_beat(s, gw_a), ERR_NOT_FOUND);
	/* One of the two is there still. */
	assert_int_equal(ask_register(s, gw_a, 1, 1, false), 0);
	assert_int_equal(ask_tick(s).dying, 1);
	now = ask_tick(s).now_ms;
	assert_int_equal(ask_expire(s, now - LEASE_MS).sessions, 0);
	store_free(&s);
	s = ask_open(LEASE_MS, GRACE_MS);
	/* A lease later the other one is gone, as of the last heartbeat. */
	{
		struct store_swept w = { 0 };

		redis_do("ZINCRBY {presence}:dying -6000 1");
		w = ask_expire(s, now - LEASE_MS);
		assert_int_equal(w.gateways, 0);
		assert_int_equal(w.sessions, 1);
	}
	/* Who was due before is spared while the book is rebuilt. */
	assert_int_equal(ask_due(s, now).transitions, 0);
	redis_do("HINCRBY {presence}:epoch start -6001");
	assert_int_equal(ask_due(s, now).transitions, 1);
	p = ask_report(s, id_of('u', 2));
	assert_false(p.online);
	assert_in_range(p.at_ms, beat - 1000, beat);
	assert_true(ask_online(s, user));
	*state = s;
}

static void
test_scripts_forgotten(void **state)
{
	struct store *s = *state;

	redis_do("SCRIPT FLUSH");
	assert_int_equal(ask_change(s, gw_a, SESSION_UP, user, s1), 1);
	assert_true(ask_online(s, user));
	assert_true(ask_report(s, user).online);
}

static void
on_beat(void *arg, enum err e)
{
	*(enum err *)arg = e;
}

static void
test_refused(void **state)
{
	struct store *s = *state;
	enum err e = ERR_OK;

	redis_do("REPLICAOF 127.0.0.1 1");
	store_beat(s, &gw_a, on_beat, &e);
	TURN_UNTIL(e != ERR_OK, 5000);
	assert_int_equal(e, ERR_UNAVAILABLE);
	redis_do("REPLICAOF NO ONE");
	/* The replica was hung up on: first the link has to be there again. */
	TURN_UNTIL(ask_beat(s, gw_a) == ERR_NOT_FOUND, 10000);
}

static void
test_away(void **state)
{
	struct store *s = *state;
	enum err out = ERR_OK, down = ERR_OK;

	redis_signal(SIGSTOP);
	store_beat(s, &gw_a, on_beat, &out);
	turn_ms(50);
	assert_int_equal(out, ERR_OK);
	redis_kill();
	TURN_UNTIL(out != ERR_OK, 5000);
	assert_int_equal(out, ERR_UNAVAILABLE);
	TURN_UNTIL(!store_ready(s), 5000);
	store_beat(s, &gw_a, on_beat, &down);
	assert_int_equal(down, ERR_UNAVAILABLE);
	redis_start();
	TURN_UNTIL(store_ready(s), 5000);
	assert_int_equal(ask_beat(s, gw_a), ERR_NOT_FOUND);
}

/* ---- log and memory ------------------------------------------------------ */

static void
test_log(void **state)
{
	struct store *s = *state;
	struct store_seen last = { 0 };
	uint64_t from = ask_tick(s).noted;

	assert_int_equal(ask_log(s, from, &last), 0);
	ask_register(s, gw_a, 1, 30, false);
	ask_change(s, gw_a, SESSION_LOGGED_OUT, user, s1);
	assert_int_equal(ask_log(s, from, &last), 31);
	assert_int_equal(last.number, from + 31);
	assert_false(last.online);
	assert_true(uuid_eq(&last.user, &user));
	assert_int_equal(ask_scan(s), 29);
	assert_int_equal(ask_log(s, from + 30, &last), 1);
	assert_int_equal(ask_log(s, from + 31, &last), 0);
}

struct follower {
	struct store *store;
	struct report *report;
	struct memory *memory;
	struct rpc_client *client; /* nobody at the other end */
};

static void
follow(struct follower *f, struct store *s, int64_t lease_ms)
{
	const struct rpc_client_conf conf = { .service = "chatd",
		.addresses = "ipc://nobody.sock", .timeout_ms = 1000,
		.attempt_ms = 500, .pending_max = 10 };

	f->store = s;
	f->report = report_new(s);
	f->client = rpc_client_new(&loop, &conf);
	report_set_chatd(f->report, f->client);
	f->memory = memory_new(s, f->report, lease_ms);
}

static void
unfollow(struct follower *f)
{
	store_free(&f->store);
	rpc_client_free(&f->client);
	memory_free(&f->memory);
	report_free(&f->report);
}

static void
look(struct follower *f, bool may_judge)
{
	struct store_tick t = ask_tick(f->store);

	memory_tick(f->memory, &t, may_judge);
	turn_ms(30);
}

static void
test_memory_follows(void **state)
{
	struct store *s = *state;
	struct follower f;
	struct uuid id = id_of('u', 7);

	ask_register(s, gw_a, 0, 300, false);
	follow(&f, s, LEASE_MS);
	look(&f, false);
	assert_int_equal(memory_users(f.memory), 300);
	ask_register(s, gw_a, 300, 50, false);
	ask_change(s, gw_a, SESSION_LOGGED_OUT, id, id_of('s', 7));
	look(&f, false);
	assert_int_equal(memory_users(f.memory), 349);
	assert_false(memory_knows(f.memory, &id));
	/* The log was cut before it was read: all is read again. */
	ask_register(s, gw_a, 350, 20, false);
	redis_do("XTRIM {presence}:log MAXLEN 5");
	look(&f, false);
	look(&f, false);
	assert_int_equal(memory_users(f.memory), 369);
	unfollow(&f);
	*state = NULL;
}

static void
test_memory_settles(void **state)
{
	struct store *s = ask_open(SHORT_LEASE_MS, GRACE_MS);
	struct follower f;
	struct ask_reports r;
	struct store_tick t;
	int64_t lost;

	(void)state;
	ask_register(s, gw_a, 1, 250, false);
	follow(&f, s, SHORT_LEASE_MS);
	look(&f, true);
	assert_int_equal(memory_users(f.memory), 250);
	lost = ask_tick(s).now_ms;
	redis_do("FLUSHALL");
	look(&f, true);
	assert_int_equal(memory_unsettled(f.memory), 250);
	ask_beat(s, gw_a);
	assert_int_equal(ask_register(s, gw_a, 1, 200, true), 0);
	look(&f, true);
	assert_int_equal(ask_claim(s, 5000).n, 0);
	t = ask_tick(s);
	turn_ms(t.epoch_ms + SHORT_LEASE_MS + 50 - t.now_ms);
	/* A lease later, but nobody is judged without a lease of contact. */
	look(&f, false);
	assert_int_equal(ask_claim(s, 5000).n, 0);
	look(&f, true);
	r = ask_claim(s, 5000);
	assert_int_equal(r.n, 50);
	for (size_t i = 0; i < r.n; i++) {
		assert_false(r.at[i].online);
		assert_in_range(r.at[i].at_ms, lost - 1000, lost);
	}
	assert_int_equal(memory_unsettled(f.memory), 0);
	assert_int_equal(ask_tick(s).online, 200);
	unfollow(&f);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(test_newest_report_only),
		CASE(test_claims),
		CASE(test_newer_waits_for_answer),
		CASE(test_versions_grow),
		CASE(test_damaged_report),
		CASE(test_emptied),
		CASE(test_silent_once),
		CASE(test_ended_before_registered),
		CASE(test_half_a_registration),
		CASE(test_changes_before_registration),
		CASE(test_settle),
		CASE(test_snapshot),
		CASE(test_scripts_forgotten),
		CASE(test_refused),
		CASE(test_away),
		CASE(test_log),
		CASE(test_memory_follows),
		CASE(test_memory_settles),
	};

	return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
