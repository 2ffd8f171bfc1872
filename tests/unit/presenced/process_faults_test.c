/*
 * presenced when its neighbours, or it itself, stand still, end or forget:
 * nobody goes offline falsely, nothing that was decided is lost.
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

#define LEASE "1200ms"
#define LEASE_MS 1200
#define GRACE "300ms"
#define GRACE_MS 300
#define SOON_MS 15000
#define ONE "ipc://p1.sock"

static struct chatd chatd;
static struct gateway gw;

static int
begin(void **state)
{
	(void)state;
	redis_do("FLUSHALL");
	presenced_start(1, LEASE, GRACE);
	presenced_ready(1);
	chatd_open(&chatd, ONE);
	gateway_open(&gw, 1, ONE);
	gateway_change(&gw, SESSION_UP, 1, 200);
	TURN_UNTIL(chatd.told_len == 200, SOON_MS);
	/* Acknowledged too, or a restart would tell them again, rightly. */
	TURN_UNTIL(redis_do("ZCARD {presence}:reports") == 0, SOON_MS);
	chatd_reset(&chatd);
	return 0;
}

static int
end(void **state)
{
	int status;

	(void)state;
	gateway_close(&gw);
	chatd_close(&chatd);
	status = presenced_end(1, SIGTERM);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	turn_ms(20);
	return 0;
}

/* All is as it was, and stays so for two leases. */
static void
assert_undisturbed(void)
{
	unsigned beats = gw.beats_ok;
	bool online = false;

	TURN_UNTIL(gw.beats_ok > beats, SOON_MS);
	turn_ms(2 * LEASE_MS + GRACE_MS);
	assert_int_equal(chatd.told_len, 0);
	assert_int_equal(chatd_ask(&chatd, 1, &online), ERR_OK);
	assert_true(online);
}

static void
test_presenced_stands_still(void **state)
{
	(void)state;
	turn_ms(LEASE_MS);
	presenced_signal(1, SIGSTOP);
	turn_ms(2 * LEASE_MS);
	presenced_signal(1, SIGCONT);
	assert_undisturbed();
	/* And a gateway that dies is noticed again. */
	gateway_die(&gw);
	TURN_UNTIL(chatd.told_len == 200, SOON_MS);
}

static void
test_redis_stands_still(void **state)
{
	(void)state;
	turn_ms(LEASE_MS);
	redis_signal(SIGSTOP);
	turn_ms(2 * LEASE_MS);
	redis_signal(SIGCONT);
	assert_undisturbed();
}

static void
test_presenced_restarts(void **state)
{
	(void)state;
	presenced_end(1, SIGKILL);
	turn_ms(2 * LEASE_MS);
	presenced_start(1, LEASE, GRACE);
	presenced_ready(1);
	assert_undisturbed();
}

/* A user on reload while presenced restarts: the grace counts anew. */
static void
test_restart_in_grace(void **state)
{
	(void)state;
	gateway_change(&gw, SESSION_DOWN, 1, 1);
	presenced_end(1, SIGKILL);
	turn_ms(2 * GRACE_MS);
	presenced_start(1, LEASE, "1s");
	/* The same user by another session. */
	{
		struct gateway *other = test_malloc(sizeof(*other));

		gateway_open(other, 3, ONE);
		gateway_change(other, SESSION_UP, 1, 1);
		assert_undisturbed();
		gateway_close(other);
		test_free(other);
	}
}

static void
test_chatd_away(void **state)
{
	struct presence_change p;

	(void)state;
	rpc_server_free(&chatd.server);
	gateway_change(&gw, SESSION_DOWN, 1, 3);
	turn_ms(2 * GRACE_MS);
	gateway_change(&gw, SESSION_UP, 500, 1);
	gateway_change(&gw, SESSION_LOGGED_OUT, 500, 1);
	/* What waits survives us. */
	presenced_end(1, SIGKILL);
	presenced_start(1, LEASE, GRACE);
	presenced_ready(1);
	chatd_listen(&chatd);
	TURN_UNTIL(chatd.told_len >= 4, SOON_MS);
	turn_ms(GRACE_MS);
	assert_int_equal(chatd.told_len, 4);
	assert_true(chatd_heard(&chatd, 1, false, &p));
	assert_true(chatd_heard(&chatd, 3, false, NULL));
	assert_true(chatd_heard(&chatd, 500, false, NULL));
}

static void
test_chatd_refuses(void **state)
{
	(void)state;
	chatd.answer = ERR_UNAVAILABLE;
	gateway_change(&gw, SESSION_LOGGED_OUT, 1, 2);
	TURN_UNTIL(chatd.calls >= 2, SOON_MS);
	chatd.answer = ERR_NOT_FOUND;
	turn_ms(300);
	chatd.answer = ERR_OK;
	TURN_UNTIL(chatd.told_len >= 2, SOON_MS);
	assert_true(chatd_heard(&chatd, 1, false, NULL));
	assert_true(chatd_heard(&chatd, 2, false, NULL));
}

/* Redis forgets everything at once: those still here are not mentioned, those
 * who went meanwhile are offline as of the loss. */
static void
memory_is_lost(void (*lose)(void))
{
	struct presence_change p;
	unsigned registrations = gw.registrations;
	int64_t lost;

	turn_ms(LEASE_MS); /* long enough for presenced to remember */
	gateway_forget(&gw, 191, 10);
	lost = clock_unix_ms();
	lose();
	TURN_UNTIL(gw.registrations > registrations, SOON_MS);
	/* A new one is told as ever. */
	gateway_change(&gw, SESSION_UP, 700, 1);
	TURN_UNTIL(chatd_heard(&chatd, 700, true, NULL), SOON_MS);
	for (unsigned n = 191; n <= 200; n++) {
		TURN_UNTIL(chatd_heard(&chatd, n, false, &p), SOON_MS);
		assert_in_range(p.at_ms, lost - 1000, lost + 50);
	}
	turn_ms(LEASE_MS);
	assert_int_equal(chatd.told_len, 11);
}

static void
lose_by_flush(void)
{
	redis_do("FLUSHALL");
}

static void
lose_by_restart(void)
{
	bool online;

	redis_kill();
	turn_ms(100);
	assert_int_equal(chatd_ask(&chatd, 1, &online), ERR_UNAVAILABLE);
	redis_start();
}

static void
test_redis_emptied(void **state)
{
	(void)state;
	memory_is_lost(lose_by_flush);
}

static void
test_redis_restarted(void **state)
{
	(void)state;
	memory_is_lost(lose_by_restart);
}

/* Redis comes back as it was some time ago. */
static void
test_redis_snapshot(void **state)
{
	struct presence_change p;
	unsigned registrations = gw.registrations;
	int64_t saved;

	(void)state;
	turn_ms(LEASE_MS);
	redis_do("SAVE");
	saved = clock_unix_ms();
	gateway_change(&gw, SESSION_UP, 600, 5);
	TURN_UNTIL(chatd.told_len == 5, SOON_MS);
	TURN_UNTIL(redis_do("ZCARD {presence}:reports") == 0, SOON_MS);
	turn_ms(200);
	chatd_reset(&chatd);
	gateway_forget(&gw, 1, 3);
	redis_kill();
	turn_ms(100);
	redis_start();
	TURN_UNTIL(gw.registrations > registrations, SOON_MS);
	for (unsigned n = 1; n <= 3; n++) {
		TURN_UNTIL(chatd_heard(&chatd, n, false, &p), SOON_MS);
		assert_in_range(p.at_ms, saved - 1000, saved + 50);
	}
	turn_ms(LEASE_MS);
	assert_int_equal(chatd.told_len, 3);
}

/* While the book is rebuilt, who was online is still said to be. */
static void
test_who_while_recovering(void **state)
{
	bool online = false;

	(void)state;
	turn_ms(LEASE_MS);
	gateway_die(&gw);
	redis_do("FLUSHALL");
	turn_ms(LEASE_MS / 3);
	assert_int_equal(chatd_ask(&chatd, 1, &online), ERR_OK);
	assert_true(online);
	TURN_UNTIL(chatd.told_len == 200, SOON_MS);
	assert_int_equal(chatd_ask(&chatd, 1, &online), ERR_OK);
	assert_false(online);
}

static void
test_wrong_version(void **state)
{
	const char *peer_argv[] = { WRONG_VERSION_PEER, "ipc://c.sock", NULL };
	pid_t peer;
	int status;

	(void)state;
	presenced_end(1, SIGTERM);
	rpc_server_free(&chatd.server);
	turn_ms(20);
	peer = spawn(peer_argv);
	turn_ms(200);
	presenced_start(1, LEASE, GRACE);
	status = presenced_end(1, 0); /* ends by itself */
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
	assert_true(WIFEXITED(end_process(&peer, SIGTERM)));
	chatd_listen(&chatd);
	presenced_start(1, LEASE, GRACE);
	presenced_ready(1);
}

int
main(void)
{
#define CASE(fn) cmocka_unit_test_setup_teardown(fn, begin, end)
	const struct CMUnitTest tests[] = {
		CASE(test_presenced_stands_still),
		CASE(test_redis_stands_still),
		CASE(test_presenced_restarts),
		CASE(test_restart_in_grace),
		CASE(test_chatd_away),
		CASE(test_chatd_refuses),
		CASE(test_redis_emptied),
		CASE(test_redis_restarted),
		CASE(test_redis_snapshot),
		CASE(test_who_while_recovering),
		CASE(test_wrong_version),
	};

	return cmocka_run_group_tests(tests, harness_setup, harness_teardown);
}
