/*
 * What the tests of presenced share: a directory of their own below the build
 * directory (all sockets in it, by relative paths), child processes that die
 * with the test, a Redis of their own, and a loop that turns until something is
 * true.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_PRESENCED_HARNESS_H
#define TESTS_PRESENCED_HARNESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "common/clock.h"
#include "common/uuid.h"

#define REDIS_URL "unix:r.sock"

extern uv_loop_t loop;

/* Enters a fresh directory and starts an empty Redis; a cmocka group setup. */
int harness_setup(void **state);
/* Closes the loop, ends Redis, removes the directory. */
int harness_teardown(void **state);

pid_t spawn(const char *const argv[]);
/* Sends the signal, waits for the end, returns waitpid's status. */
int end_process(pid_t *pid, int signal_number);

void redis_start(void);
void redis_signal(int signal_number);
/* SIGKILL; what was not saved is gone. */
void redis_kill(void);
/* One command, its words split at blanks; the reply as an integer or length. */
long long redis_do(const char *command);

/* Turns the loop once, at most some milliseconds. */
void turn(void);
/* Turns for so long. */
void turn_ms(int64_t ms);

#define TURN_UNTIL(condition, within_ms) \
	do { \
		uint64_t turn_end = clock_mono_ms() + (within_ms); \
		while (!(condition)) { \
			if (clock_mono_ms() > turn_end) { \
				fail_msg("%s: not within %d ms", #condition, \
				    (int)(within_ms)); \
			} \
			turn(); \
		} \
	} while (0)

/* A uuid made of one number. */
struct uuid id_of(unsigned kind, unsigned n);

#endif
