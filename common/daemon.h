/*
 * The skeleton of every process: settings, logs, signals, loop, admin port,
 * drain and end. main() fills a daemon_spec and calls daemon_main().
 *
 *   load settings -> log -> loop -> admin port -> init() -> [ready] -> run
 *      SIGTERM/SIGINT -> drain() ... daemon_stopped() -> fini() -> exit 0
 *      SIGHUP  -> reload settings, reopen logs, reload()
 *      SIGUSR1 -> dump() (table sizes and queue depths into the log)
 *
 * Settings that every process has: config, log_level, log_file, admin_listen
 * (host:port, "" for none), drain_timeout.
 *
 * The admin port answers GET /healthz (200 while the loop turns), /readyz (200
 * only while daemon_ready is in force; the body names what is missing) and
 * /metrics. It serves nothing else and binds to 127.0.0.1 by default.
 *
 * All on the main thread. Only the skeleton calls exit().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_DAEMON_H
#define COMMON_DAEMON_H

#include <stdbool.h>
#include <uv.h>

#include "common/attr.h"
#include "common/config.h"

/* Room for a reason not to start. */
#define DAEMON_WHY_LEN 512

struct daemon_spec {
	const char *name;    /* "chatd" */
	const char *summary; /* one line for --help */
	const struct config_row *rows;
	const char *admin_default; /* default of admin_listen, host:port */

	/* Starts all parts. False: a log_error naming cause and remedy was
	 * written; the process ends with status 1 (fini still runs). */
	bool (*init)(uv_loop_t *loop);
	/* Begins a graceful stop; calls daemon_stopped() when nothing is left
	 * in flight. After drain_timeout the process ends anyway. */
	void (*drain)(void);
	/* Releases all that init made, in reverse; the loop turns once more
	 * afterwards so that uv_close callbacks run. */
	void (*fini)(void);
	void (*reload)(void); /* may be NULL */
	void (*dump)(void);   /* may be NULL */
	/* Looks at settings and files as --check-config does too, which tells
	 * the reason by `why` (DAEMON_WHY_LEN). May be NULL. */
	bool (*check)(char *why);
	/* Early exit modes: after settings and log, before init. Returns -1 to
	 * go on, else the exit status (`chatd --migrate-only`). May be NULL. */
	int (*preflight)(void);
};

int daemon_main(int argc, char **argv, const struct daemon_spec *spec);

/* Declares one thing readiness depends on ("postgres", "redis"), missing until
 * said otherwise; /readyz is 200 when none is missing and no drain has begun.
 * The name is borrowed for the life of the process. Changes are logged. */
void daemon_need(const char *what, bool met);

/* From drain(): all is finished. */
void daemon_stopped(void);
/* Ends the process in an orderly way after a fault found at run time during
 * start (a peer of the wrong version): logged by the caller; exit status 1. */
void daemon_fail(void);
bool daemon_draining(void);

/* The version shown by --version and parley_build_info. */
const char *daemon_version(void);

#endif
