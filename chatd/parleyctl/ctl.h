/*
 * parleyctl: what operators do, from a shell. About people and sessions it asks a
 * chatd, over the same calls and with the same rules as everything else (ADMIN
 * rows of contract.def); the schema and what is old it sees to in the database
 * itself, as chatd's own --migrate-only does; how the processes are it asks at
 * their admin ports.
 *
 *   main.c       settings, and on to the command; args.c: the command line
 *   commands.c   the table of commands, help, completion
 *   tell.c       errors, remarks, questions
 *   call.c       a call to chatd and what its failing means
 *   show.c       tables for people, --json for programs
 *   secret.c     passwords: asked for, read, made
 *   cmd_*.c      the commands, by what they are about
 *
 * One thread; everything blocks, within stated bounds.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_PARLEYCTL_CTL_H
#define CHATD_PARLEYCTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* Exit statuses: part of the interface (docs/parleyctl.md). */
enum ctl_exit {
	CTL_OK = 0,
	CTL_FAILED = 1,      /* refused, or it went wrong */
	CTL_USAGE = 2,       /* wrong arguments or settings */
	CTL_NOT_FOUND = 3,   /* no such user, session, ... */
	CTL_FORBIDDEN = 4,   /* not permitted */
	CTL_UNAVAILABLE = 5, /* chatd, a store or the network is away */
	CTL_UNWELL = 6,      /* status, doctor, migrate status: look at it */
	CTL_UNCONFIRMED = 7, /* nothing was done: not confirmed */
};

struct ctl_settings {
	char *chatd;
	char *processes;
	int64_t timeout;
	char *database_url;
	char *migrate_url;
	char *media_dir;
	char *log_level;
};

extern struct ctl_settings ctl_settings;

/* What a command is called with. */
struct ctl_args {
	const char *const *words; /* behind the command's own */
	int count;
};

typedef enum ctl_exit ctl_command_fn(const struct ctl_args *args);

/* Options of the command line. NULL, false: not given. */
const char *ctl_option(const char *name);
bool ctl_flag(const char *name);
/* A number; `def` where it is not given. False: said what is wrong. */
MUST_CHECK bool ctl_option_int(const char *name, int64_t def, int64_t min,
    int64_t max, int64_t *value_r);
/* A time such as 30d, in ms, at least `min`. */
MUST_CHECK bool ctl_option_ms(const char *name, int64_t min,
    int64_t *value_r);

/* One line on standard error; returns the status, to be returned. */
enum ctl_exit ctl_fail(enum ctl_exit status, const char *fmt, ...)
    PRINTF_LIKE(2, 3);
/* The same as a remark. */
void ctl_note(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Whether the operator wants it: --yes, or `word` typed at a terminal. */
MUST_CHECK bool ctl_confirm(const char *word, const char *fmt, ...)
    PRINTF_LIKE(2, 3);

/* The operator, for chatd's log: "ann@host". */
const char *ctl_operator(void);

/* ---- commands -------------------------------------------------------------- */

ctl_command_fn cmd_user_create, cmd_user_list, cmd_user_search, cmd_user_show,
    cmd_user_disable, cmd_user_enable, cmd_user_password;
ctl_command_fn cmd_user_export, cmd_user_delete;
ctl_command_fn cmd_session_list, cmd_session_end, cmd_online;
ctl_command_fn cmd_migrate_status, cmd_migrate_run;
ctl_command_fn cmd_retention_messages, cmd_retention_media;
ctl_command_fn cmd_status, cmd_doctor;

#endif
