/*
 * Tests of the bus against a real Redis of their own, which they kill, stop and
 * start again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>

#include "common/bus.h"
#include "common/mem.h"

struct listener {
	struct bus *bus;
	unsigned messages;
	unsigned confirmed;
	unsigned ups;
	unsigned downs;
	unsigned lost;
	unsigned done_ok;
	unsigned done_failed;
	uint64_t away_ms;
	char last[64];
};

static uv_loop_t loop;
static pid_t redis;
static char socket_path[64];
static char url[80];

static void
redis_start(void)
{
	redis = fork();
	assert_true(redis >= 0);
	if (redis == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (freopen("/dev/null", "w", stdout) == NULL) {
			_exit(1);
		}
		execlp("redis-server", "redis-server", "--port", "0",
		    "--unixsocket", socket_path, "--save", "",
		    "--appendonly", "no", "--dir", "/tmp", (char *)NULL);
		_exit(127);
	}
}

static void
redis_kill(void)
{
	kill(redis, SIGKILL);
	waitpid(redis, NULL, 0);
	unlink(socket_path);
}

static void
on_message(void *arg, const char *topic, size_t topic_len, const uint8_t *data,
    size_t len)
{
	struct listener *l = arg;

	(void)topic;
	(void)topic_len;
	assert_true(len < sizeof(l->last));
	memcpy(l->last, data, len);
	l->last[len] = '\0';
	l->messages++;
}

static void
on_subscriptions(void *arg, bool up, uint64_t away_ms)
{
	struct listener *l = arg;

	if (up) {
		l->ups++;
		l->away_ms = away_ms;
	} else {
		l->downs++;
	}
}

static void
on_lost(void *arg, uint64_t since_ms)
{
	struct listener *l = arg;

	(void)since_ms;
	l->lost++;
}

static void
on_confirmed(void *arg, bool ok)
{
	struct listener *l = arg;

	l->confirmed += ok;
}

static void
on_done(void *arg, bool ok)
{
	struct listener *l = arg;

	if (ok) {
		l->done_ok++;
	} else {
		l->done_failed++;
	}
}

static void
listener_open(struct listener *l, size_t backlog_max)
{
	struct bus_conf conf = { .url = url, .name = "bus-test",
		.backlog_max = backlog_max, .on_message = on_message,
		.on_subscriptions = on_subscriptions, .on_lost = on_lost,
		.arg = l };

	memset(l, 0, sizeof(*l));
	l->bus = bus_new(&loop, &conf);
	assert_non_null(l->bus);
}

static void
on_late(uv_timer_t *timer)
{
	(void)timer;
	fail_msg("the test waited too long");
}

static void
on_late_closed(uv_handle_t *handle)
{
	handle->data = handle;
}

static void
turn_until(const unsigned *what, unsigned n)
{
	uv_timer_t late;

	uv_timer_init(&loop, &late);
	late.data = NULL;
	uv_timer_start(&late, on_late, 20000, 0);
	while (*what < n) {
		uv_run(&loop, UV_RUN_ONCE);
	}
	uv_close((uv_handle_t *)&late, on_late_closed);
	while (late.data == NULL) {
		uv_run(&loop, UV_RUN_NOWAIT);
	}
}

static void
turn_until_link(struct listener *l, bool up)
{
	while (bus_up(l->bus) != up) {
		uv_run(&loop, UV_RUN_ONCE);
	}
}

static void
a_subscriber_gets_what_is_published_after_its_confirmation(void **state)
{
	struct listener l;

	(void)state;
	listener_open(&l, 1 << 20);
	bus_subscribe(l.bus, "user:a", NULL, NULL);
	turn_until(&l.ups, 1);
	bus_subscribe(l.bus, "user:b", on_confirmed, &l);
	turn_until(&l.confirmed, 1);
	for (int i = 0; i < 1000; i++) {
		bus_publish(l.bus, i % 2 ? "user:a" : "user:b", "x\0y", 3,
		    on_done, &l);
	}
	bus_publish(l.bus, "user:c", "not for us", 10, on_done, &l);
	turn_until(&l.done_ok, 1001);
	turn_until(&l.messages, 1000);
	assert_int_equal(l.messages, 1000);
	assert_int_equal(bus_backlog(l.bus), 0);
	bus_free(&l.bus);
}

static void
leaving_and_coming_back_at_once_keeps_the_topic(void **state)
{
	struct listener l;

	(void)state;
	listener_open(&l, 1 << 20);
	bus_subscribe(l.bus, "user:a", NULL, NULL);
	turn_until(&l.ups, 1);
	for (int i = 0; i < 5; i++) {
		bus_unsubscribe(l.bus, "user:a");
		bus_subscribe(l.bus, "user:a", on_confirmed, &l);
	}
	turn_until(&l.confirmed, 1);
	bus_publish(l.bus, "user:a", "x", 1, NULL, NULL);
	turn_until(&l.messages, 1);
	bus_unsubscribe(l.bus, "user:a");
	bus_subscribe(l.bus, "user:b", on_confirmed, &l);
	turn_until(&l.confirmed, 2);
	bus_publish(l.bus, "user:a", "x", 1, on_done, &l);
	bus_publish(l.bus, "user:b", "y", 1, on_done, &l);
	turn_until(&l.messages, 2);
	assert_string_equal(l.last, "y");
	bus_free(&l.bus);
}

static void
publishes_made_while_redis_is_away_arrive_afterwards(void **state)
{
	struct listener l;

	(void)state;
	listener_open(&l, 1 << 20);
	bus_subscribe(l.bus, "user:a", NULL, NULL);
	turn_until(&l.ups, 1);
	redis_kill();
	turn_until(&l.downs, 1);
	for (int i = 0; i < 10; i++) {
		bus_publish(l.bus, "user:b", "x", 1, on_done, &l);
	}
	bus_subscribe(l.bus, "user:b", on_confirmed, &l);
	assert_int_equal(l.done_ok + l.done_failed, 0);
	redis_start();
	turn_until(&l.ups, 2);
	turn_until(&l.done_ok, 10);
	assert_int_equal(l.done_failed, 0);
	assert_int_equal(l.lost, 0);
	bus_publish(l.bus, "user:b", "again", 5, NULL, NULL);
	while (strcmp(l.last, "again") != 0) {
		uv_run(&loop, UV_RUN_ONCE);
	}
	bus_free(&l.bus);
}

static void
a_full_backlog_gives_up_the_oldest_and_says_so(void **state)
{
	struct listener l;

	(void)state;
	listener_open(&l, 100);
	turn_until_link(&l, true);
	redis_kill();
	turn_until_link(&l, false);
	for (int i = 0; i < 30; i++) {
		bus_publish(l.bus, "user:b", "0123", 4, on_done, &l);
	}
	assert_int_equal(l.done_failed, 20);
	redis_start();
	turn_until(&l.lost, 1);
	turn_until(&l.done_ok, 10);
	bus_free(&l.bus);
}

static void
a_stopped_redis_is_noticed_and_left(void **state)
{
	struct listener l;

	(void)state;
	listener_open(&l, 1 << 20);
	bus_subscribe(l.bus, "user:a", NULL, NULL);
	turn_until(&l.ups, 1);
	kill(redis, SIGSTOP);
	turn_until(&l.downs, 1);
	kill(redis, SIGCONT);
	turn_until(&l.ups, 2);
	assert_true(l.away_ms >= 4000);
	bus_free(&l.bus);
}

static void
on_answer(void *arg, redisReply *reply)
{
	struct listener *l = arg;

	if (reply != NULL && reply->type == REDIS_REPLY_STRING) {
		l->done_ok++;
	} else {
		l->done_failed++;
	}
}

static void
commands_answer_or_fail_but_never_within_the_call(void **state)
{
	const char *argv[] = { "ECHO", "hi" };
	const size_t lens[] = { 4, 2 };
	struct listener l;

	(void)state;
	listener_open(&l, 1 << 20);
	bus_command(l.bus, on_answer, &l, 2, argv, lens);
	assert_int_equal(l.done_failed, 0);
	turn_until(&l.done_failed, 1);
	turn_until_link(&l, true);
	bus_command(l.bus, on_answer, &l, 2, argv, lens);
	turn_until(&l.done_ok, 1);
	bus_free(&l.bus);
}

static void
malformed_urls_are_refused(void **state)
{
	const char *bad[] = { "", "http://x", "redis://:1", "redis://h:99999",
		"unix:" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct bus_conf conf = { .url = bad[i], .name = "t",
			.backlog_max = 1 };

		assert_null(bus_new(&loop, &conf));
	}
}

static int
open_loop(void **state)
{
	(void)state;
	snprintf(socket_path, sizeof(socket_path), "/tmp/parley-bus-test-%d",
	    (int)getpid());
	snprintf(url, sizeof(url), "unix:%s", socket_path);
	redis_start();
	return uv_loop_init(&loop);
}

static int
close_loop(void **state)
{
	(void)state;
	redis_kill();
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

#define WITH_REDIS(test) \
	cmocka_unit_test_setup_teardown(test, open_loop, close_loop)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_REDIS(
		    a_subscriber_gets_what_is_published_after_its_confirmation),
		WITH_REDIS(leaving_and_coming_back_at_once_keeps_the_topic),
		WITH_REDIS(
		    publishes_made_while_redis_is_away_arrive_afterwards),
		WITH_REDIS(a_full_backlog_gives_up_the_oldest_and_says_so),
		WITH_REDIS(a_stopped_redis_is_noticed_and_left),
		WITH_REDIS(commands_answer_or_fail_but_never_within_the_call),
		WITH_REDIS(malformed_urls_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
