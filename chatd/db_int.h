/*
 * What the database layer's files share. Nobody else includes
 * this.
 *
 *   db.c          the pool: who waits, which link is next, what is sent again
 *   db_keep.c     which links have stalled, when to reconnect
 *   db_link.c     one connection: sends units, reads their results
 *   db_connect.c  connecting and preparing; blocks, runs off the loop
 *   db_unit.c     parameters in, results out
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_DB_INT_H
#define CHATD_DB_INT_H

#include <libpq-fe.h>
#include <stdatomic.h>

#include "chatd/db.h"
#include "common/buf.h"
#include "common/list.h"

struct metric;

/* ---- units (db_unit.c) --------------------------------------------------- */

struct db_param {
	size_t at; /* in the unit's bytes */
	int len;   /* -1: null */
};

struct db_step_data {
	enum sql statement;
	unsigned first; /* its parameters */
	unsigned count;
};

struct db_result {
	unsigned refs;
	enum db_outcome outcome;
	bool doubtful;
	char sqlstate[6];
	char constraint[64];
	PGresult *res[DB_STEPS_MAX]; /* owned; NULL where none came */
};

struct db_unit {
	struct list link;      /* db.waiting or db_link.sent */
	struct db *db;         /* borrowed */
	unsigned flags;
	unsigned attempts;     /* times it was sent */
	uint64_t deadline_ms;
	uint64_t submitted_us;
	struct db_step_data steps[DB_STEPS_MAX];
	unsigned step_count;
	struct db_param params[DB_PARAMS_MAX];
	unsigned param_count;
	struct buf bytes;
	struct db_result *result; /* owned */
	db_done_fn *done;
	void *arg;
};

void db_unit_free(struct db_unit **u);
/* Forgets what an attempt brought. */
void db_unit_forget(struct db_unit *u);

/* ---- links (db_link.c) --------------------------------------------------- */

enum link_state {
	LINK_DOWN,       /* no connection; the pool makes one when due */
	LINK_CONNECTING, /* on the thread pool */
	LINK_UP,         /* takes units */
};

/* Units on one link at a time: enough to hide the way there and back, few
 * enough that a slow statement holds up little. */
#define LINK_SENT_MAX 16

struct db_link {
	struct db *db;       /* borrowed */
	unsigned number;
	enum link_state state;
	PGconn *conn;        /* owned */
	uv_poll_t *poll;     /* owned; freed by its close callback */
	int watched;         /* what it watches for */
	struct list sent;    /* units, in the order of the pipeline */
	unsigned sent_count;
	unsigned at;         /* statement of the first unit being answered */
	bool answered;       /* that statement has answered */
	unsigned syncs;      /* of the first unit, seen */
	bool commit_doubt;   /* the server warned that a commit is not safe */
	uint64_t moved_ms;   /* when something last came, or began to be due */
};

/* Takes a connection that db_connect made. False: it is closed again. */
bool link_adopt(struct db_link *l, PGconn *conn);
/* False: the link broke (db_link_lost was called; the unit waits again). */
bool link_send(struct db_link *l, struct db_unit *u);
/* Closes, and gives its units back to the pool. */
void link_fail(struct db_link *l, const char *cause);
void link_close(struct db_link *l);

/* ---- the pool (db.c) ----------------------------------------------------- */

#define DB_LINKS_MAX 64

struct connect_job;

struct db {
	uv_loop_t *loop;
	char *url;              /* owned */
	bool settling;          /* no further connects */
	bool closing;
	uv_timer_t *tick;       /* owned; freed by its close callback */
	struct db_link links[DB_LINKS_MAX];
	unsigned link_count;
	unsigned up_count;
	struct list first;      /* waiting units of DB_FIRST */
	struct list large;      /* waiting units of DB_LARGE */
	struct list others;     /* waiting units else */
	struct list refused;    /* to be ended at the next tick of the loop */
	size_t waiting;
	size_t pending;
	struct connect_job *job; /* one at a time; freed when it is back */
	uint64_t connect_at_ms;
	unsigned failures;      /* connects in a row */
	uv_async_t *kick;       /* ends what was refused */
	char refusal[6];        /* the SQLSTATE last logged */
	uint64_t refusal_logged_ms;
	unsigned refusals_unlogged;
	struct metric *m_latency;
	struct metric *m_wait;
	struct metric *m_steps;
	struct metric *m_retries;
	struct metric *m_conflicts;
	struct metric *m_failed;
	struct metric *m_refused;
	struct metric *m_lost;
	struct metric *m_connect_failures;
};

/* The first unit of a link is answered: take it off and end or repeat it. */
void db_unit_answered(struct db *db, struct db_unit *u);
/* A link went down with these units on it. */
void db_link_lost(struct db *db, struct db_link *l, struct list *units);
void db_pump(struct db *db);

/* ---- its links (db_keep.c) ----------------------------------------------- */

/* Ends what has stalled, begins the next connect when one is due. */
void db_keep_links(struct db *db, uint64_t now);
/* Tells a connect under way to give up; it comes back as one that failed. */
void db_keep_settle(struct db *db);
/* A connect under way no longer concerns the pool. */
void db_keep_end(struct db *db);
void db_link_is_up(struct db *db, struct db_link *l);

/* ---- connecting (db_connect.c) ------------------------------------------- */

/* Blocks. A connection in pipeline mode with every statement prepared, or NULL
 * and one line in `error`. Any thread; who sets `given_up` (or NULL) from another
 * ends it early, unless the server is still being reached. */
MUST_CHECK PGconn *db_connect(const char *url, const atomic_bool *given_up,
    char *error, size_t error_len);

#endif
