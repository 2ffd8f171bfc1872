/*
 * Connecting to PostgreSQL: conninfo, session settings, prepared statements.
 * Blocks: at start on the main thread, later on libuv's thread pool. Shares
 * nothing but its arguments.
 *
 * What is bounded by what: reaching a server by connect_timeout, for each of its
 * addresses; all that is asked of it afterwards by SETUP_MS, since a server that
 * was frozen answers nothing, while its kernel keeps the connection alive.
 *
 * Error lines are made of libpq's own words about host and cause. They never
 * hold the connection string, which may hold the password.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "chatd/db_connect.h"
#include "chatd/db_fault.h"
#include "chatd/db_int.h"
#include "common/attr.h"
#include "common/clock.h"
#include "common/log.h"

/* From the connection to its last statement prepared: tens of milliseconds. */
#define SETUP_MS 5000
/* How soon one who is told to give up does. */
#define GIVE_UP_MS 100

/*
 * Settings of every session. The plans: all statements here touch few rows by
 * index, and one generic plan each must stay good from an empty database to a
 * large one without waiting for statistics; so plans that read whole tables are
 * ruled out where an index will do, and so is keeping one that was read whole
 * beside the rows of another.
 */
static const char session_settings[] =
    "SET statement_timeout = '5s';"
    "SET lock_timeout = '2s';"
    "SET idle_in_transaction_session_timeout = '5s';"
    "SET plan_cache_mode = force_generic_plan;"
    "SET jit = off;"
    "SET max_parallel_workers_per_gather = 0;"
    "SET enable_seqscan = off;"
    "SET enable_hashjoin = off;"
    "SET enable_mergejoin = off;"
    "SET enable_material = off;"
    "SET timezone = 'UTC';"
    "SET client_min_messages = warning;"
    "SET bytea_output = hex;"
    /* What is acknowledged must be durable; stronger settings are kept. */
    "SELECT set_config('synchronous_commit', 'on', false)"
    " WHERE current_setting('synchronous_commit') = 'off'";

void
db_first_line(const char *message, char *line, size_t len)
{
	size_t n = strcspn(message, "\r\n");

	snprintf(line, len, "%.*s", (int)n, message);
}

/* A bad connection string must not be quoted: it may hold the password. */
static bool
url_is_good(const char *url, char *error, size_t error_len)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(url, &message);

	if (options == NULL) {
		snprintf(error, error_len,
		    "it is not a connection string (a URI such as "
		    "postgresql://user:password@host:5432/parley, or "
		    "key=value pairs)");
		PQfreemem(message);
		return false;
	}
	PQconninfoFree(options);
	return true;
}

/* What stands before dbname are defaults, what follows it is forced. */
static const char *const conn_keys[] = { "connect_timeout",
	"application_name", "keepalives_idle", "keepalives_interval",
	"keepalives_count", "tcp_user_timeout", "dbname", "client_encoding",
	NULL };
#define CONN_VALUES(url) { "5", "parley-chatd", "10", "5", "3", "10000", \
	(url), "UTF8", NULL }

PGconn *
db_connect_plain(const char *url, char *error, size_t error_len)
{
	const char *const values[] = CONN_VALUES(url);
	PGconn *conn;

	if (!url_is_good(url, error, error_len)) {
		return NULL;
	}
	conn = PQconnectdbParams(conn_keys, values, 1);
	if (conn == NULL || PQstatus(conn) != CONNECTION_OK) {
		if (conn == NULL) {
			snprintf(error, error_len, "out of memory");
		} else {
			db_first_line(PQerrorMessage(conn), error, error_len);
		}
		PQfinish(conn);
		return NULL;
	}
	return conn;
}

bool
db_is_away(const char *url)
{
	const char *const values[] = CONN_VALUES(url);
	PGPing answer = PQpingParams(conn_keys, values, 1);

	return answer == PQPING_REJECT || answer == PQPING_NO_RESPONSE;
}

/* A connection that is being made ready. */
struct setup {
	PGconn *conn;
	const atomic_bool *given_up; /* or NULL */
	uint64_t deadline_ms;
	char *error;
	size_t error_len;
};

static bool
is_over(struct setup *s)
{
	if (s->given_up != NULL && atomic_load(s->given_up)) {
		snprintf(s->error, s->error_len, "given up");
		return true;
	}
	if (clock_mono_ms() >= s->deadline_ms) {
		snprintf(s->error, s->error_len, "the server took the "
		    "connection, but has not made it ready within %d s",
		    SETUP_MS / 1000);
		return true;
	}
	return false;
}

/* Waits until PQgetResult would not block. */
static bool
await_result(struct setup *s)
{
	PGconn *conn = s->conn;

	while (PQisBusy(conn) != 0) {
		struct pollfd pfd = { .fd = PQsocket(conn), .events = POLLIN };

		if (is_over(s)) {
			return false;
		}
		(void)poll(&pfd, 1, GIVE_UP_MS);
		if (PQconsumeInput(conn) != 1) {
			db_first_line(PQerrorMessage(conn), s->error,
			    s->error_len);
			return false;
		}
	}
	return true;
}

/* The last result of a simple query, or NULL and the error. */
static PGresult *
ask(struct setup *s, const char *sql)
{
	PGresult *last = NULL, *res;

	if (PQsendQuery(s->conn, sql) != 1) {
		db_first_line(PQerrorMessage(s->conn), s->error, s->error_len);
		return NULL;
	}
	for (;;) {
		if (!await_result(s)) {
			PQclear(last);
			return NULL;
		}
		res = PQgetResult(s->conn);
		if (res == NULL) {
			return last;
		}
		if (last != NULL &&
		    PQresultStatus(last) == PGRES_FATAL_ERROR) {
			PQclear(res);
			continue;
		}
		PQclear(last);
		last = res;
	}
}

static bool
set_session(struct setup *s)
{
	PGresult *res = ask(s, session_settings);
	bool good = PQresultStatus(res) == PGRES_TUPLES_OK;

	if (res != NULL && !good) {
		db_first_line(PQresultErrorMessage(res), s->error,
		    s->error_len);
	}
	PQclear(res);
	return good;
}

/* A standby, or a primary that was told so: it would refuse every send. */
static bool
takes_writes(struct setup *s)
{
	PGresult *res = ask(s, "SHOW transaction_read_only");
	bool told = PQresultStatus(res) == PGRES_TUPLES_OK;
	bool good = told && strcmp(PQgetvalue(res, 0, 0), "off") == 0;

	if (told && !good) {
		snprintf(s->error, s->error_len, "the server is read-only (%s)",
		    db_fault_remedy("25006"));
	} else if (res != NULL && !good) {
		db_first_line(PQresultErrorMessage(res), s->error,
		    s->error_len);
	}
	PQclear(res);
	return good;
}

static bool
send_prepares(struct setup *s)
{
	bool sent = PQenterPipelineMode(s->conn) == 1;

	for (int i = 0; sent && i < SQL_COUNT; i++) {
		sent = PQsendPrepare(s->conn, sql_statements[i].name,
		    sql_statements[i].text, 0, NULL) == 1;
	}
	if (!sent || PQpipelineSync(s->conn) != 1) {
		db_first_line(PQerrorMessage(s->conn), s->error, s->error_len);
		return false;
	}
	return true;
}

static bool
read_prepare(struct setup *s, const char *name)
{
	char line[256];
	PGresult *res;
	bool good;

	if (!await_result(s)) {
		return false;
	}
	res = PQgetResult(s->conn);
	good = PQresultStatus(res) == PGRES_COMMAND_OK;
	if (!good) {
		db_first_line(PQresultErrorMessage(res), line, sizeof(line));
		snprintf(s->error, s->error_len,
		    "statement %s cannot be prepared: %s", name, line);
	}
	PQclear(res);
	if (good && await_result(s)) {
		PQclear(PQgetResult(s->conn)); /* the NULL that ends it */
	}
	return good;
}

/* The results of send_prepares: one a statement, each followed by NULL. */
static bool
read_prepares(struct setup *s)
{
	PGresult *sync;
	bool good;

	for (int i = 0; i < SQL_COUNT; i++) {
		if (!read_prepare(s, sql_statements[i].name)) {
			return false;
		}
	}
	if (!await_result(s)) {
		return false;
	}
	sync = PQgetResult(s->conn);
	good = PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
	PQclear(sync);
	if (!good) {
		db_first_line(PQerrorMessage(s->conn), s->error, s->error_len);
	}
	return good;
}

PGconn *
db_connect(const char *url, const atomic_bool *given_up, char *error,
    size_t error_len)
{
	struct setup s = {
		.conn = db_connect_plain(url, error, error_len),
		.given_up = given_up,
		.deadline_ms = clock_mono_ms() + SETUP_MS,
		.error = error,
		.error_len = error_len,
	};

	if (s.conn == NULL) {
		return NULL;
	}
	if (!set_session(&s) || !takes_writes(&s) || !send_prepares(&s) ||
	    !read_prepares(&s)) {
		PQfinish(s.conn);
		return NULL;
	}
	return s.conn;
}
