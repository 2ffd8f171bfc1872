/*
 * Statements, one by one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/parleyctl/sql.h"

#include <stdlib.h>
#include <string.h>

#include "chatd/db_connect.h"

#define LINE_LEN 256

/* What failed last: PQclear takes it along. */
static char last_state[6];

PGconn *
sql_open(enum ctl_exit *status_r)
{
	static const char settings[] = "SET lock_timeout = '2s';"
	    "SET statement_timeout = '60s';"
	    "SET idle_in_transaction_session_timeout = '30s';"
	    "SET client_min_messages = warning;"
	    "SET timezone = 'UTC';"
	    "SET application_name = 'parleyctl'";
	char error[LINE_LEN];
	PGconn *conn;

	if (ctl_settings.database_url == NULL ||
	    *ctl_settings.database_url == '\0') {
		*status_r = ctl_fail(CTL_USAGE, "this needs the database: give "
		    "PARLEY_DATABASE_URL, --database-url-file, or database_url "
		    "in the file of --config");
		return NULL;
	}
	conn = db_connect_plain(ctl_settings.database_url, error,
	    sizeof(error));
	if (conn == NULL) {
		*status_r = ctl_fail(CTL_UNAVAILABLE, "cannot reach "
		    "PostgreSQL: %s: check database_url and that the server "
		    "runs", error);
		return NULL;
	}
	if (!sql_do(conn, settings)) {
		*status_r = sql_fail(conn, "set the session");
		PQfinish(conn);
		return NULL;
	}
	*status_r = CTL_OK;
	return conn;
}

PGresult *
sql_ask(PGconn *conn, const char *statement, int n, const char *const *values)
{
	PGresult *res = n == 0 ? PQexec(conn, statement) :
	    PQexecParams(conn, statement, n, NULL, values, NULL, NULL, 0);
	ExecStatusType status = PQresultStatus(res);
	const char *state;

	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
		return res;
	}
	state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	memset(last_state, 0, sizeof(last_state));
	if (state != NULL) {
		memcpy(last_state, state, strnlen(state, 5));
	}
	PQclear(res);
	return NULL;
}

bool
sql_do(PGconn *conn, const char *statement)
{
	PGresult *res = sql_ask(conn, statement, 0, NULL);

	PQclear(res);
	return res != NULL;
}

bool
sql_may_repeat(const PGconn *conn)
{
	static const char *const states[] = { "55P03", "40P01", "40001" };

	if (PQstatus(conn) != CONNECTION_OK) {
		return false;
	}
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		if (strcmp(last_state, states[i]) == 0) {
			return true;
		}
	}
	return false;
}

enum ctl_exit
sql_fail(PGconn *conn, const char *what)
{
	char line[LINE_LEN];

	db_first_line(PQerrorMessage(conn), line, sizeof(line));
	return ctl_fail(PQstatus(conn) == CONNECTION_OK ? CTL_FAILED :
	    CTL_UNAVAILABLE, "cannot %s: %s", what, line);
}

int64_t
sql_number(const PGresult *res, int column, int64_t def)
{
	return PQntuples(res) > 0 && !PQgetisnull(res, 0, column) ?
	    strtoll(PQgetvalue(res, 0, column), NULL, 10) : def;
}
