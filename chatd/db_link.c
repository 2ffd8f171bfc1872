/*
 * One connection in pipeline mode. Units are written one behind the other, each
 * ended by a Sync; answers come back in the same order:
 *
 *   rows of a statement, NULL, rows of the next, NULL, ..., SYNC
 *
 * An error turns the rest of the unit into PGRES_PIPELINE_ABORTED up to its
 * SYNC and leaves the next unit alone. A snapshot unit is an explicit
 * transaction, so its COMMIT stands behind a Sync of its own: after an error it
 * still ends the transaction, or the next unit would run into the failed one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chatd/db_connect.h"
#include "chatd/db_fault.h"
#include "chatd/db_int.h"
#include "chatd/db_tls.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

static void link_read(struct db_link *l);

/* ---- sending ------------------------------------------------------------- */

static bool
send_statement(struct db_link *l, enum sql statement, struct db_unit *u,
    const struct db_step_data *step)
{
	const char *values[DB_PARAMS_MAX];
	int lengths[DB_PARAMS_MAX];
	int formats[DB_PARAMS_MAX];
	unsigned n = step != NULL ? step->count : 0;

	for (unsigned i = 0; i < n; i++) {
		const struct db_param *p = &u->params[step->first + i];

		values[i] = p->len < 0 ? NULL : p->len == 0 ? "" :
		    (const char *)u->bytes.data + p->at;
		lengths[i] = p->len < 0 ? 0 : p->len;
		formats[i] = 1;
	}
	return PQsendQueryPrepared(l->conn, sql_statements[statement].name,
	    (int)n, values, lengths, formats, 1) == 1;
}

static bool
send_unit(struct db_link *l, struct db_unit *u)
{
	bool snapshot = (u->flags & DB_SNAPSHOT) != 0;

	if (snapshot && !send_statement(l, SQL_snapshot_begin, u, NULL)) {
		return false;
	}
	for (unsigned i = 0; i < u->step_count; i++) {
		if (!send_statement(l, u->steps[i].statement, u,
		    &u->steps[i])) {
			return false;
		}
	}
	if (PQpipelineSync(l->conn) != 1) {
		return false;
	}
	if (!snapshot) {
		return true;
	}
	return send_statement(l, SQL_snapshot_end, u, NULL) &&
	    PQpipelineSync(l->conn) == 1;
}

static void on_ready(uv_poll_t *poll, int status, int events);

/* Asks the loop for what the connection waits for. Not again for what it watches
 * already: libuv would take two system calls to change nothing. */
static bool
watch(struct db_link *l)
{
	int left = PQflush(l->conn);
	int events = left > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE;

	if (left < 0) {
		return false;
	}
	if (events == l->watched) {
		return true;
	}
	l->watched = events;
	return uv_poll_start(l->poll, events, on_ready) == 0;
}

bool
link_send(struct db_link *l, struct db_unit *u)
{
	if (l->sent_count == 0) {
		l->moved_ms = clock_mono_ms();
	}
	u->attempts++;
	list_push_back(&l->sent, &u->link);
	l->sent_count++;
	if (!send_unit(l, u) || !watch(l)) {
		link_fail(l, PQerrorMessage(l->conn));
		return false;
	}
	return true;
}

/* ---- reading ------------------------------------------------------------- */

static void
note_error(struct db_unit *u, const PGresult *res)
{
	struct db_result *r = u->result;
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	const char *name = PQresultErrorField(res, PG_DIAG_CONSTRAINT_NAME);

	if (r->outcome != DB_OK) {
		return;
	}
	r->outcome = DB_FAILED;
	snprintf(r->sqlstate, sizeof(r->sqlstate), "%s",
	    state != NULL ? state : "08000");
	snprintf(r->constraint, sizeof(r->constraint), "%s",
	    name != NULL ? name : "");
	/* The primary message names columns and types, never values. */
	log_debug("db_error", "sqlstate=%s", r->sqlstate);
}

static void
take_rows(struct db_link *l, struct db_unit *u, PGresult *res)
{
	bool snapshot = (u->flags & DB_SNAPSHOT) != 0;
	unsigned step = l->at - (snapshot ? 1 : 0);

	if (l->syncs > 0 || (snapshot && l->at == 0) ||
	    step >= u->step_count) {
		PQclear(res);
		return;
	}
	PQclear(u->result->res[step]);
	u->result->res[step] = res;
}

/* The first unit's last Sync was answered. */
static void
unit_answered(struct db_link *l, struct db_unit *u)
{
	list_del(&u->link);
	l->sent_count--;
	l->at = 0;
	l->answered = false;
	l->syncs = 0;
	l->moved_ms = clock_mono_ms();
	db_unit_answered(l->db, u);
}

/* False: the link is gone. */
static bool
take_result(struct db_link *l, PGresult *res)
{
	struct db_unit *u = LIST_ENTRY(l->sent.next, struct db_unit, link);
	unsigned syncs = (u->flags & DB_SNAPSHOT) != 0 ? 2 : 1;
	const char *state;

	l->moved_ms = clock_mono_ms();
	switch (PQresultStatus(res)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
		l->answered = true;
		take_rows(l, u, res);
		return true;
	case PGRES_PIPELINE_ABORTED:
		l->answered = true;
		PQclear(res);
		return true;
	case PGRES_PIPELINE_SYNC:
		PQclear(res);
		if (l->commit_doubt) {
			link_fail(l, "the server warned that a commit may not "
			    "be replicated");
			return false;
		}
		if (++l->syncs == syncs) {
			unit_answered(l, u);
		}
		return true;
	default:
		l->answered = true;
		state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
		if (state == NULL || db_fault_ends_link(state)) {
			char cause[256];

			db_first_line(PQresultErrorMessage(res), cause,
			    sizeof(cause));
			PQclear(res);
			link_fail(l, cause);
			return false;
		}
		note_error(u, res);
		PQclear(res);
		return true;
	}
}

static void
link_read(struct db_link *l)
{
	unsigned nulls = 0;

	while (l->state == LINK_UP && !list_empty(&l->sent) &&
	    PQisBusy(l->conn) == 0) {
		PGresult *res = PQgetResult(l->conn);

		if (res != NULL) {
			nulls = 0;
			if (!take_result(l, res)) {
				return;
			}
			continue;
		}
		/* NULL ends a statement's results; none follows a SYNC. */
		if (l->answered) {
			l->answered = false;
			l->at++;
		} else if (++nulls > 1) {
			break;
		}
	}
}

static void
on_ready(uv_poll_t *poll, int status, int events)
{
	struct db_link *l = poll->data;
	struct db *db = l->db;

	/* libuv tells no more of a broken socket than that it is one, and does
	 * not watch it any longer: reading it names the cause. */
	if (status < 0 || (events & UV_READABLE) != 0) {
		bool whole = db_consume(l->conn) && status == 0;

		/* What came before the end still counts. */
		link_read(l);
		if (!whole && l->state == LINK_UP) {
			link_fail(l, PQerrorMessage(l->conn));
		}
		if (!whole) {
			return;
		}
	}
	if (l->state == LINK_UP && !watch(l)) {
		link_fail(l, PQerrorMessage(l->conn));
	}
	db_pump(db);
}

/* ---- life ---------------------------------------------------------------- */

/* A cancelled wait for a synchronous standby is but a warning to the session:
 * the commit stands here and may be lost with this server. */
static void
on_notice(void *arg, const PGresult *res)
{
	struct db_link *l = arg;
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);

	if (state != NULL && (strcmp(state, "01000") == 0 ||
	    strcmp(state, "57P01") == 0)) {
		l->commit_doubt = true;
	}
}

bool
link_adopt(struct db_link *l, PGconn *conn)
{
	l->poll = mem_zalloc(sizeof(*l->poll));
	if (PQsetnonblocking(conn, 1) != 0 ||
	    uv_poll_init(l->db->loop, l->poll, PQsocket(conn)) != 0) {
		free(l->poll);
		l->poll = NULL;
		PQfinish(conn);
		l->state = LINK_DOWN;
		return false;
	}
	l->poll->data = l;
	l->conn = conn;
	l->state = LINK_UP;
	l->at = 0;
	l->answered = false;
	l->syncs = 0;
	l->commit_doubt = false;
	l->watched = 0;
	l->moved_ms = clock_mono_ms();
	PQsetNoticeReceiver(conn, on_notice, l);
	if (!watch(l)) {
		link_close(l);
		return false;
	}
	return true;
}

static void
free_handle(uv_handle_t *handle)
{
	free(handle);
}

void
link_close(struct db_link *l)
{
	if (l->poll != NULL) {
		uv_poll_stop(l->poll);
		uv_close((uv_handle_t *)l->poll, free_handle);
		l->poll = NULL;
	}
	if (l->conn != NULL) {
		PQfinish(l->conn);
		l->conn = NULL;
	}
	l->state = LINK_DOWN;
}

void
link_fail(struct db_link *l, const char *cause)
{
	struct list units;
	char line[256];

	db_first_line(cause, line, sizeof(line));
	log_warn("postgres_link_lost", "link=%u units=%u cause=\"%s\"",
	    l->number, l->sent_count, line);
	list_init(&units);
	list_splice_back(&units, &l->sent);
	l->sent_count = 0;
	link_close(l);
	db_link_lost(l->db, l, &units);
}
