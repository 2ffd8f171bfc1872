/*
 * PostgreSQL without waiting: a few connections in libpq's pipeline mode on the
 * loop.
 *
 *   db_unit_new -> db_step, db_put_* ... -> db_submit -> [waiting] -> a link
 *                                                           |
 *   done(result) <------------- all rows, committed <-------+
 *
 * A unit is one transaction: its statements are sent together, with one Sync
 * behind them, and it counts as done only when the answer to the Sync has come.
 * Every unit must be repeatable (ids are made beforehand, marks only move
 * forward), because a unit whose link broke is sent again on another: whether
 * its first COMMIT took effect is unknown, and the result says so (doubtful).
 * Serialization failures, deadlocks and lock timeouts are sent again as well.
 *
 * A unit waits for a link at most until its deadline; at most DB_WAITING_MAX
 * wait. Beyond either bound it ends with DB_UNAVAILABLE.
 *
 * Main thread only, but for connecting, which runs on libuv's thread pool (name
 * look-ups and TLS would block the loop).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_DB_H
#define CHATD_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "chatd/sql_statements.h"
#include "chatd/text.h"
#include "common/attr.h"
#include "common/uuid.h"

#define DB_WAITING_MAX 20000
#define DB_STEPS_MAX 8
#define DB_PARAMS_MAX 40

struct db;
struct db_unit;
struct db_result;

enum db_flags {
	/* All statements see one snapshot; nothing may be written. */
	DB_SNAPSHOT = 1,
	/* The send path: prefers the link that all else leaves alone. */
	DB_FIRST = 2,
	/* Sends to large groups: the same with a link of their own, if there
	 * are four or more. */
	DB_LARGE = 4,
};

enum db_outcome {
	DB_OK,          /* committed */
	DB_FAILED,      /* refused, see db_sqlstate; no effect */
	DB_UNAVAILABLE, /* no answer in time: it may have taken effect */
};

/* Connects the first link and prepares every statement, waiting for it: only at
 * start. NULL (and a log_error naming cause and remedy) when that fails for
 * another reason than that the server is away. The other links follow in the
 * background. `url` is borrowed. */
MUST_CHECK struct db *db_open(uv_loop_t *loop, const char *url,
    unsigned connections);
/* No further connects. False while one is still under way. */
bool db_settle(struct db *db);
/* Ends every unit with DB_UNAVAILABLE, also those submitted meanwhile and until
 * db_free, and closes the links. */
void db_close(struct db *db);
void db_free(struct db **db);
bool db_up(const struct db *db);
/* Units waiting or on a link. */
size_t db_pending(const struct db *db);

/* ---- a unit -------------------------------------------------------------- */

typedef void db_done_fn(void *arg, struct db_result *r);

/* `deadline_ms` on the monotonic clock; 0: a few seconds from now. */
MUST_CHECK struct db_unit *db_unit_new(struct db *db, unsigned flags,
    uint64_t deadline_ms);
/* The following db_put_* are its parameters, in order. */
void db_step(struct db_unit *u, enum sql statement);
void db_put_uuid(struct db_unit *u, const struct uuid *id); /* NULL: null */
void db_put_i64(struct db_unit *u, int64_t v);
void db_put_i32(struct db_unit *u, int32_t v);
void db_put_bytes(struct db_unit *u, const void *data, size_t len);
void db_put_text(struct db_unit *u, struct text t);
void db_put_cstr(struct db_unit *u, const char *text); /* NULL: null */
void db_put_null(struct db_unit *u);
/* Arrays. The items are copied. */
void db_put_uuids(struct db_unit *u, const struct uuid *ids, size_t n);
void db_put_i64s(struct db_unit *u, const int64_t *v, size_t n);
void db_put_i32s(struct db_unit *u, const int32_t *v, size_t n);
void db_put_i16s(struct db_unit *u, const int16_t *v, size_t n);
void db_put_times(struct db_unit *u, const int64_t *unix_ms, size_t n);
void db_put_texts(struct db_unit *u, const struct text *t, size_t n);
/* bytea, each of `len` bytes, one behind the other. */
void db_put_hashes(struct db_unit *u, const uint8_t *hashes, size_t len,
    size_t n);
/* Takes the unit. `done` comes once, never from within db_submit unless the
 * database is closed: let it be the caller's last act. The result is borrowed
 * for the call; db_result_ref keeps it. */
void db_submit(struct db_unit *u, db_done_fn *done, void *arg);

/* ---- its result ---------------------------------------------------------- */

enum db_outcome db_outcome(const struct db_result *r);
/* DB_FAILED: five characters; else "". */
const char *db_sqlstate(const struct db_result *r);
/* The violated constraint's name, or "". */
const char *db_constraint(const struct db_result *r);
/* An earlier attempt may have committed: its rows were never seen. */
bool db_doubtful(const struct db_result *r);
struct db_result *db_result_ref(struct db_result *r);
void db_result_unref(struct db_result **r);

size_t db_rows(const struct db_result *r, unsigned step);
/* Rows that the step inserted, updated or deleted. */
size_t db_affected(const struct db_result *r, unsigned step);

/* A row, read column by column in the order of the statement. */
struct db_row {
	const void *res; /* borrowed from the result */
	int row;
	int col;
};

struct db_row db_row(const struct db_result *r, unsigned step, size_t row);
/* Whether the next column is null (it is not read by that). */
bool db_null(const struct db_row *row);
void db_skip(struct db_row *row, int columns);
/* A null reads as nil, 0, false, TEXT_NULL, or the time -1. */
struct uuid db_get_uuid(struct db_row *row);
int64_t db_get_int(struct db_row *row); /* smallint, integer, bigint */
bool db_get_bool(struct db_row *row);
int64_t db_get_time(struct db_row *row); /* unix ms */
/* Borrowed from the result. */
struct text db_get_text(struct db_row *row);

#endif
