/*
 * See harness.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/presenced/harness.h"

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <hiredis/hiredis.h>

#define TURN_MS 5

uv_loop_t loop;

static char dir[512];
static pid_t redis;
static uv_timer_t waker;

pid_t
spawn(const char *const argv[])
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	return pid;
}

int
end_process(pid_t *pid, int signal_number)
{
	int status = -1;

	if (*pid > 0) {
		kill(*pid, signal_number);
		assert_int_equal(waitpid(*pid, &status, 0), *pid);
		*pid = 0;
	}
	return status;
}

/* ---- Redis --------------------------------------------------------------- */

static redisContext *
redis_connect(void)
{
	uint64_t end = clock_mono_ms() + 10000;
	redisContext *c;

	for (;;) {
		redisReply *r = NULL;

		c = redisConnectUnix("r.sock");
		if (c != NULL && c->err == 0) {
			r = redisCommand(c, "PING");
		}
		if (r != NULL && r->type == REDIS_REPLY_STATUS) {
			freeReplyObject(r);
			return c;
		}
		if (r != NULL) {
			freeReplyObject(r);
		}
		if (c != NULL) {
			redisFree(c);
		}
		if (clock_mono_ms() > end) {
			fail_msg("redis-server does not start");
		}
		usleep(10000);
	}
}

void
redis_start(void)
{
	const char *argv[] = { "redis-server", "--port", "0", "--unixsocket",
		"r.sock", "--save", "", "--appendonly", "no", "--logfile",
		"redis.log", NULL };

	redis = spawn(argv);
	redisFree(redis_connect());
}

void
redis_signal(int signal_number)
{
	kill(redis, signal_number);
}

void
redis_kill(void)
{
	end_process(&redis, SIGKILL);
	unlink("r.sock");
}

long long
redis_do(const char *command)
{
	redisContext *c = redis_connect();
	redisReply *r = redisCommand(c, command);
	long long n;

	assert_non_null(r);
	if (r->type == REDIS_REPLY_ERROR) {
		fail_msg("%s: %s", command, r->str);
	}
	n = r->type == REDIS_REPLY_INTEGER ? r->integer
	    : r->type == REDIS_REPLY_ARRAY ? (long long)r->elements
	    : (long long)r->len;
	freeReplyObject(r);
	redisFree(c);
	return n;
}

/* ---- loop ---------------------------------------------------------------- */

static void
on_wake(uv_timer_t *timer)
{
	(void)timer;
}

void
turn(void)
{
	uv_run(&loop, UV_RUN_ONCE);
}

void
turn_ms(int64_t ms)
{
	uint64_t end = clock_mono_ms() + (uint64_t)ms;

	while (clock_mono_ms() < end) {
		turn();
	}
}

/* ---- begin and end ------------------------------------------------------- */

int
harness_setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "%s/run.XXXXXX", TEST_DIR);
	if (mkdtemp(dir) == NULL || chdir(dir) != 0) {
		return -1;
	}
	uv_loop_init(&loop);
	uv_timer_init(&loop, &waker);
	uv_timer_start(&waker, on_wake, TURN_MS, TURN_MS);
	redis_start();
	return 0;
}

static int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

int
harness_teardown(void **state)
{
	(void)state;
	redis_kill();
	uv_close((uv_handle_t *)&waker, NULL);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&loop), 0);
	assert_int_equal(chdir("/"), 0);
	return nftw(dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

struct uuid
id_of(unsigned kind, unsigned n)
{
	struct uuid id = { { 0 } };

	id.b[0] = (uint8_t)kind;
	id.b[12] = (uint8_t)(n >> 24);
	id.b[13] = (uint8_t)(n >> 16);
	id.b[14] = (uint8_t)(n >> 8);
	id.b[15] = (uint8_t)n;
	return id;
}
