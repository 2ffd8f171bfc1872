/*
 * presenced as a process between a stand-in gateway and a stand-in chatd, in
 * good times. process_faults_test.c has the bad ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "unit/presenced/peers.h"

#define LEASE "1500ms"
#define LEASE_MS 1500
#define GRACE "1s"
#define GRACE_MS 1000
#define SOON_MS 8000
#define BOTH "ipc://p1.sock,ipc://p2.sock"

static struct chatd chatd;
static struct gateway gw, gw2;

static int
begin(void **state)
{
	(void)state;
	redis_do("FLUSHALL");
	presenced_start(1, LEASE, GRACE);
	presenced_start(2, LEASE, GRACE);
	presenced_ready(1);
	presenced_ready(2);
	chatd_open(&chatd, BOTH);
	gateway_open(&gw, 1, BOTH);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	gateway_close(&gw);
	chatd_close(&chatd);
	/* A clean end each time: the sanitizers have their say. */
	for (unsigned n = 1; n <= 2; n++) {
		int status = presenced_end(n, SIGTERM);

		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
	turn_ms(20);
	return 0;
}

static void
test_online_and_offline(void **state)
{
	struct presence_change up, down;
	bool online;
	int64_t closed;

	(void)state;
	assert_int_equal(chatd_ask(&chatd, 1, &online), ERR_OK);
	assert_false(online);
	gateway_change(&gw, SESSION_UP, 1, 1);
	TURN_UNTIL(chatd_heard(&chatd, 1, true, &up), SOON_MS);
	assert_int_equal(chatd_ask(&chatd, 1, &online), ERR_OK);
	assert_true(online);
	closed = clock_unix_ms();
	gateway_change(&gw, SESSION_DOWN, 1, 1);
	assert_int_equal(chatd_ask(&chatd, 1, &online), ERR_OK);
	assert_true(online);
	TURN_UNTIL(chatd_heard(&chatd, 1, false, &down), SOON_MS);
	assert_true(clock_unix_ms() >= closed + GRACE_MS);
	assert_in_range(down.at_ms, closed - 5, closed + GRACE_MS - 5);
	assert_true(down.version > up.version);
	assert_int_equal(chatd_ask(&chatd, 1, &online), ERR_OK);
	assert_false(online);
	assert_int_equal(chatd.told_len, 2);
}

static void
test_reload_is_silent(void **state)
{
	(void)state;
	gateway_open(&gw2, 2, BOTH);
	gateway_change(&gw, SESSION_UP, 1, 1);
	TURN_UNTIL(chatd_heard(&chatd, 1, true, NULL), SOON_MS);
	gateway_change(&gw, SESSION_DOWN, 1, 1);
	gateway_change(&gw2, SESSION_UP, 1, 1);
	turn_ms(3 * GRACE_MS);
	assert_int_equal(chatd.told_len, 1);
	gateway_close(&gw2);
}

static void
test_logout_is_at_once(void **state)
{
	struct presence_change p;
	int64_t left;

	(void)state;
	gateway_change(&gw, SESSION_UP, 1, 1);
	left = clock_unix_ms();
	gateway_change(&gw, SESSION_LOGGED_OUT, 1, 1);
	TURN_UNTIL(chatd_heard(&chatd, 1, false, &p), SOON_MS);
	assert_in_range(p.at_ms, left - 5, left + GRACE_MS - 5);
}

/* A dead gateway takes its sessions along, a live one keeps its own. */
static void
test_dead_gateway(void **state)
{
	struct presence_change p;
	int64_t died;

	(void)state;
	gateway_open(&gw2, 2, BOTH);
	gateway_change(&gw, SESSION_UP, 1, 10);
	gateway_change(&gw2, SESSION_UP, 5, 10);
	TURN_UNTIL(chatd.told_len == 14, SOON_MS);
	died = clock_unix_ms();
	gateway_die(&gw2);
	for (unsigned n = 11; n < 15; n++) {
		TURN_UNTIL(chatd_heard(&chatd, n, false, &p), SOON_MS);
		assert_in_range(p.at_ms, died - 1000, died + 50);
	}
	assert_true(clock_unix_ms() > died + LEASE_MS - 1000);
	turn_ms(LEASE_MS);
	assert_int_equal(chatd.told_len, 18);
	/* It was only asleep. */
	gateway_close(&gw2);
	gateway_open(&gw2, 2, BOTH);
	assert_int_equal(gw2.registrations, 1);
	gateway_close(&gw2);
}

static void
test_many(void **state)
{
	(void)state;
	gateway_change(&gw, SESSION_UP, 1, 3500);
	TURN_UNTIL(chatd.told_len == 3500, SOON_MS);
	gateway_change(&gw, SESSION_LOGGED_OUT, 1, 3500);
	TURN_UNTIL(chatd.told_len == 7000, SOON_MS);
	for (unsigned n = 1; n <= 3500; n++) {
		assert_true(chatd_heard(&chatd, n, false, NULL));
	}
}

static void
test_who_long_list(void **state)
{
	struct buf b = BUF_INIT;

	(void)state;
	gateway_change(&gw, SESSION_UP, 1, 2);
	for (unsigned n = 0; n <= 5001; n += n == 0 ? 2000 : 3001) {
		buf_reset(&b);
		buf_put_u32(&b, n);
		for (unsigned i = 0; i < n; i++) {
			struct uuid id = id_of('u', i);

			buf_put_uuid(&b, &id);
		}
		assert_int_equal(call_raw(chatd.client, CALL_who_is_online,
		    b.data, b.len), n == 5001 ? ERR_TOO_LARGE : ERR_OK);
	}
	buf_fini(&b);
}

static void
put_list(struct buf *b, uint8_t op, unsigned n)
{
	const struct session_head head = { id_of('g', 1), false };
	struct session_change c = { SESSION_UP, id_of('u', 1), id_of('s', 1) };

	buf_reset(b);
	put_session_head(b, &head);
	buf_put_u32(b, n);
	for (unsigned i = 0; i < n; i++) {
		c.op = (enum session_op)op;
		put_session_change(b, &c);
	}
}

static void
test_bad_bodies(void **state)
{
	struct rpc_client *c = gw.client;
	struct buf b = BUF_INIT;

	(void)state;
	put_list(&b, 0, 1);
	assert_int_equal(call_raw(c, CALL_sessions_changed, b.data, b.len),
	    ERR_PROTOCOL);
	put_list(&b, 4, 1);
	assert_int_equal(call_raw(c, CALL_sessions_changed, b.data, b.len),
	    ERR_PROTOCOL);
	put_list(&b, 1, 2);
	for (size_t cut = 0; cut < b.len; cut++) {
		assert_int_equal(call_raw(c, CALL_sessions_changed, b.data,
		    cut), ERR_PROTOCOL);
	}
	buf_put_u8(&b, 0);
	assert_int_equal(call_raw(c, CALL_sessions_changed, b.data, b.len),
	    ERR_PROTOCOL);
	put_list(&b, 1, 5001);
	assert_int_equal(call_raw(c, CALL_sessions_changed, b.data, b.len),
	    ERR_TOO_LARGE);
	put_list(&b, 1, 5000);
	assert_int_equal(call_raw(c, CALL_sessions_changed, b.data, b.len),
	    ERR_OK);
	assert_int_equal(call_raw(c, CALL_heartbeat, "x", 1), ERR_PROTOCOL);
	assert_int_equal(call_raw(c, CALL_who_is_online, "\0\0\0\1x", 5),
	    ERR_PROTOCOL);
	assert_int_equal(call_raw(c, CALL_check_token, "x", 1),
	    ERR_UNKNOWN_TYPE);
	buf_fini(&b);
}

/* Either of two may end; the other goes on with the same book. */
static void
test_one_of_two_ends(void **state)
{
	bool online;

	(void)state;
	gateway_change(&gw, SESSION_UP, 1, 100);
	TURN_UNTIL(chatd.told_len == 100, SOON_MS);
	for (unsigned n = 1; n <= 2; n++) {
		presenced_end(n, n == 1 ? SIGTERM : SIGKILL);
		assert_int_equal(chatd_ask(&chatd, 1, &online), ERR_OK);
		assert_true(online);
		gateway_change(&gw, SESSION_UP, 1000 + n, 1);
		turn_ms(2 * LEASE_MS);
		presenced_start(n, LEASE, GRACE);
		presenced_ready(n);
	}
	turn_ms(2 * LEASE_MS);
	assert_int_equal(chatd.told_len, 102);
	/* It registered once, at the very start. */
	assert_int_equal(gw.registrations, 1);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(test_online_and_offline),
		CASE(test_reload_is_silent),
		CASE(test_logout_is_at_once),
		CASE(test_dead_gateway),
		CASE(test_many),
		CASE(test_who_long_list),
		CASE(test_bad_bodies),
		CASE(test_one_of_two_ends),
	};

	return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
