/*
 * Connecting to PostgreSQL: conninfo, session settings, prepared statements.
 * Blocks: at start on the main thread, later on libuv's thread pool. Shares
 * nothing but its arguments.
 *
 * Error lines are made of libpq's own words about host and cause. They never
 * hold the connection string, which may hold the password.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "chatd/db_connect.h"
#include "chatd/db_fault.h"
#include "chatd/db_int.h"
#include "common/attr.h"
#include "common/log.h"

/*
 * Settings of every session. The plans: all statements here touch few rows by
 * index, and one generic plan each must stay good from an empty database to a
 * large one without waiting for statistics; so plans that read whole tables are
 * ruled out where an index will do.
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

static bool
set_session(PGconn *conn, char *error, size_t error_len)
{
	PGresult *res = PQexec(conn, session_settings);
	ExecStatusType status = PQresultStatus(res);

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
		db_first_line(PQerrorMessage(conn), error, error_len);
		PQclear(res);
		return false;
	}
	PQclear(res);
	return true;
}

/* A standby, or a primary that was told so: it would refuse every send. */
static bool
takes_writes(PGconn *conn, char *error, size_t error_len)
{
	PGresult *res = PQexec(conn, "SHOW transaction_read_only");
	bool good = PQresultStatus(res) == PGRES_TUPLES_OK &&
	    strcmp(PQgetvalue(res, 0, 0), "off") == 0;

	if (!good && PQresultStatus(res) == PGRES_TUPLES_OK) {
		snprintf(error, error_len, "the server is read-only (%s)",
		    db_fault_remedy("25006"));
	} else if (!good) {
		db_first_line(PQerrorMessage(conn), error, error_len);
	}
	PQclear(res);
	return good;
}

static bool
send_prepares(PGconn *conn)
{
	if (PQenterPipelineMode(conn) != 1) {
		return false;
	}
	for (int i = 0; i < SQL_COUNT; i++) {
		if (PQsendPrepare(conn, sql_statements[i].name,
		    sql_statements[i].text, 0, NULL) != 1) {
			return false;
		}
	}
	return PQpipelineSync(conn) == 1;
}

/* The results of send_prepares: one a statement, each followed by NULL. */
static bool
read_prepares(PGconn *conn, char *error, size_t error_len)
{
	char line[256];

	for (int i = 0; i < SQL_COUNT; i++) {
		PGresult *res = PQgetResult(conn);

		if (PQresultStatus(res) != PGRES_COMMAND_OK) {
			db_first_line(PQresultErrorMessage(res), line,
			    sizeof(line));
			snprintf(error, error_len,
			    "statement %s cannot be prepared: %s",
			    sql_statements[i].name, line);
			PQclear(res);
			return false;
		}
		PQclear(res);
		res = PQgetResult(conn);
		PQclear(res);
	}
	PGresult *sync = PQgetResult(conn);
	bool good = PQresultStatus(sync) == PGRES_PIPELINE_SYNC;

	PQclear(sync);
	if (!good) {
		db_first_line(PQerrorMessage(conn), error, error_len);
	}
	return good;
}

PGconn *
db_connect(const char *url, char *error, size_t error_len)
{
	PGconn *conn = db_connect_plain(url, error, error_len);

	if (conn == NULL) {
		return NULL;
	}
	if (!set_session(conn, error, error_len) ||
	    !takes_writes(conn, error, error_len)) {
		PQfinish(conn);
		return NULL;
	}
	if (!send_prepares(conn)) {
		db_first_line(PQerrorMessage(conn), error, error_len);
		PQfinish(conn);
		return NULL;
	}
	if (!read_prepares(conn, error, error_len)) {
		PQfinish(conn);
		return NULL;
	}
	return conn;
}
