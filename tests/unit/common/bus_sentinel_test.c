/*
 * Tests of the bus with real Sentinels: which of them it believes, and what
 * becomes of a master that is left.
 *
 * Two servers, each a master, and two Sentinels that never meet: OLD believes in
 * the first server, NEW, by a later epoch, in the second, as on the two sides of
 * a network that is cut in two.
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

#include <arpa/inet.h>
#include <cmocka.h>
#include <hiredis/hiredis.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "common/bus.h"
#include "common/mem.h"

#define PASSWORD "a-password-of-the-test"

enum { FIRST, SECOND, OLD, NEW, PROGRAMS };

struct listener {
	struct bus *bus;
	unsigned ups;
	unsigned downs;
	unsigned lost;
	unsigned messages;
	unsigned done;
	uint64_t away_ms;
	uint64_t since_ms;
};

static struct listener heard; /* each test's; freed also when it failed */
static uv_loop_t loop;
static pid_t pids[PROGRAMS];
static int ports[PROGRAMS];
static char paths[PROGRAMS][64];
static char url[160];

/* ---- servers and Sentinels ---------------------------------------------- */

static int
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

static redisContext *
ask_link(int which)
{
	for (int tries = 0; tries < 1000; tries++) {
		redisContext *c = redisConnect("127.0.0.1", ports[which]);

		if (c != NULL && c->err == 0) {
			freeReplyObject(redisCommand(c, "AUTH %s", PASSWORD));
			return c;
		}
		redisFree(c);
		usleep(10000);
	}
	fail_msg("program %d does not start", which);
	return NULL;
}

/* A number, or the last one of an array (PUBSUB NUMSUB). */
static long long
ask(int which, const char *command)
{
	redisContext *c = ask_link(which);
	redisReply *r = redisCommand(c, command);
	long long n;

	assert_non_null(r);
	n = r->type == REDIS_REPLY_ARRAY
	    ? r->element[r->elements - 1]->integer : r->integer;
	freeReplyObject(r);
	redisFree(c);
	return n;
}

/* Redis hears of a closed connection when it comes to it. */
static void
wait_for_nobody(int which)
{
	for (int i = 0; i < 1000 && ask(which, "PUBSUB NUMSUB user:a") > 0;
	    i++) {
		usleep(10000);
	}
	assert_int_equal(ask(which, "PUBSUB NUMSUB user:a"), 0);
}

static void
write_config(int which)
{
	FILE *f = fopen(paths[which], "w");

	assert_non_null(f);
	fprintf(f, "bind 127.0.0.1\nport %d\nrequirepass %s\ndir /tmp\n",
	    ports[which], PASSWORD);
	if (which < OLD) {
		fprintf(f, "save \"\"\nappendonly no\n");
	} else {
		fprintf(f, "sentinel monitor parley 127.0.0.1 %d 1\n"
		    "sentinel auth-pass parley %s\n"
		    "sentinel config-epoch parley %d\n",
		    ports[which == OLD ? FIRST : SECOND], PASSWORD,
		    which == OLD ? 3 : 4);
	}
	assert_int_equal(fclose(f), 0);
}

static void
start(int which)
{
	write_config(which);
	pids[which] = fork();
	assert_true(pids[which] >= 0);
	if (pids[which] == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* Or it would keep the bus' connections open. */
		for (int fd = 3; fd < 256; fd++) {
			close(fd);
		}
		if (freopen("/dev/null", "w", stdout) == NULL) {
			_exit(1);
		}
		execlp("redis-server", "redis-server", paths[which],
		    which < OLD ? (char *)NULL : "--sentinel", (char *)NULL);
		_exit(127);
	}
	redisFree(ask_link(which));
}

static void
stop(int which)
{
	if (pids[which] != 0) {
		kill(pids[which], SIGKILL);
		waitpid(pids[which], NULL, 0);
		pids[which] = 0;
	}
	unlink(paths[which]);
}

static int
begin(void **state)
{
	(void)state;
	for (int i = 0; i < PROGRAMS; i++) {
		ports[i] = free_port();
		snprintf(paths[i], sizeof(paths[i]),
		    "/tmp/parley-sentinel-test-%d-%d.conf", (int)getpid(), i);
	}
	start(FIRST);
	start(SECOND);
	start(OLD);
	snprintf(url, sizeof(url), "sentinel://:%s@127.0.0.1:%d,127.0.0.1:%d/%s",
	    PASSWORD, ports[OLD], ports[NEW], "parley");
	return uv_loop_init(&loop);
}

static int
end(void **state)
{
	(void)state;
	bus_free(&heard.bus);
	for (int i = 0; i < PROGRAMS; i++) {
		stop(i);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

/* ---- who listens -------------------------------------------------------- */

static void
on_message(void *arg, const char *topic, size_t topic_len, const uint8_t *data,
    size_t len)
{
	struct listener *l = arg;

	(void)topic;
	(void)topic_len;
	(void)data;
	(void)len;
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

	l->lost++;
	l->since_ms = since_ms;
}

static void
on_done(void *arg, bool ok)
{
	struct listener *l = arg;

	assert_true(ok);
	l->done++;
}

static void
listener_open(struct listener *l)
{
	struct bus_conf conf = { .url = url, .name = "sentinel-test",
		.backlog_max = 1 << 20, .on_message = on_message,
		.on_subscriptions = on_subscriptions, .on_lost = on_lost,
		.arg = l };

	memset(l, 0, sizeof(*l));
	l->bus = bus_new(&loop, &conf);
	assert_non_null(l->bus);
	bus_subscribe(l->bus, "user:a", NULL, NULL);
}

static void
on_late(uv_timer_t *timer)
{
	*(bool *)timer->data = true;
}

static void
on_late_closed(uv_handle_t *handle)
{
	handle->data = NULL;
}

/* Turns the loop until *what is n, or for ms; true: it is. */
static bool
turn(const unsigned *what, unsigned n, unsigned ms)
{
	uv_timer_t timer;
	bool late = false;

	uv_timer_init(&loop, &timer);
	timer.data = &late;
	uv_timer_start(&timer, on_late, ms, 0);
	while (!late && (what == NULL || *what < n)) {
		uv_run(&loop, UV_RUN_ONCE);
	}
	uv_close((uv_handle_t *)&timer, on_late_closed);
	while (timer.data != NULL) {
		uv_run(&loop, UV_RUN_NOWAIT);
	}
	return what != NULL && *what >= n;
}

static void
say_and_hear(struct listener *l)
{
	unsigned messages = l->messages;

	bus_publish(l->bus, "user:a", "x", 1, on_done, l);
	assert_true(turn(&l->messages, messages + 1, 20000));
}

/* ---- the tests ---------------------------------------------------------- */

static void
the_highest_epoch_is_believed_also_when_who_told_it_is_gone(void **state)
{
	struct listener *l = &heard;

	(void)state;
	listener_open(l);
	assert_true(turn(&l->ups, 1, 20000));
	assert_int_equal(ask(FIRST, "PUBSUB NUMSUB user:a"), 1);
	say_and_hear(l);
	start(NEW);
	assert_true(turn(&l->ups, 2, 20000));
	assert_int_equal(l->downs, 1);
	wait_for_nobody(FIRST);
	assert_int_equal(ask(SECOND, "PUBSUB NUMSUB user:a"), 1);
	/* The old master was left while it lived: others may have left before. */
	assert_true(turn(&l->lost, 1, 20000));
	say_and_hear(l);
	stop(NEW);
	/* The other Sentinel is asked again and again meanwhile. */
	(void)turn(NULL, 0, 1500);
	assert_int_equal(l->downs, 1);
	say_and_hear(l);
	assert_int_equal(ask(SECOND, "PUBSUB NUMSUB user:a"), 1);
}

static void
what_a_master_without_replicas_took_counts_as_lost_when_it_is_left(void **state)
{
	struct listener *l = &heard;

	(void)state;
	listener_open(l);
	assert_true(turn(&l->ups, 1, 20000));
	(void)ask(FIRST, "CONFIG SET min-replicas-to-write 1");
	/* It is not left for that alone. */
	(void)turn(NULL, 0, 4500);
	say_and_hear(l);
	assert_int_equal(l->downs, 0);
	start(NEW);
	assert_true(turn(&l->ups, 2, 20000));
	assert_true(turn(&l->lost, 1, 20000));
	assert_true(l->since_ms >= 4500);
	assert_true(l->away_ms >= 4500);
}

static void
a_name_no_sentinel_knows_leads_nowhere_and_harms_nothing(void **state)
{
	struct listener *l = &heard;

	(void)state;
	memcpy(strrchr(url, '/'), "/nobody", sizeof("/nobody"));
	listener_open(l);
	(void)turn(NULL, 0, 500);
	assert_false(bus_up(l->bus));
	bus_publish(l->bus, "user:a", "x", 1, NULL, NULL);
	assert_int_equal(bus_backlog(l->bus), 1);
}

#define WITH_SENTINELS(test) \
	cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SENTINELS(
		    the_highest_epoch_is_believed_also_when_who_told_it_is_gone),
		WITH_SENTINELS(
		    what_a_master_without_replicas_took_counts_as_lost_when_it_is_left),
		WITH_SENTINELS(
		    a_name_no_sentinel_knows_leads_nowhere_and_harms_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
