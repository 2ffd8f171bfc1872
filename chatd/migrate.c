/*
 * Migrations. The table schema_migrations says what has been applied. A
 * database that is up to date is only read, so that the runtime role, which may
 * not change the schema, can start with migrations on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/migrate.h"

#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "chatd/db_connect.h"
#include "chatd/sql_migrations.h"
#include "common/log.h"

/* Any number that nobody else takes; "PRLY". */
#define LOCK_KEY "1347570777"
/* The least-privileged role that chatd runs as, where it exists. */
#define RUNTIME_ROLE "parley_chatd"
/* Between two attempts at a server that is away; a line is logged this often. */
#define WAIT_MS 250
#define WAIT_LOG_EVERY 40

static const char grants[] =
    "DO $do$ BEGIN"
    " IF EXISTS (SELECT FROM pg_roles WHERE rolname = '" RUNTIME_ROLE "'"
    " AND rolname <> current_user) THEN"
    " GRANT USAGE ON SCHEMA public TO " RUNTIME_ROLE ";"
    " GRANT SELECT, INSERT, UPDATE, DELETE ON users, tokens, contacts, chats,"
    " members, messages TO " RUNTIME_ROLE ";"
    " GRANT SELECT ON schema_migrations TO " RUNTIME_ROLE ";"
    " END IF; END $do$";

static int
newest(void)
{
	int version = 0;

	for (const struct sql_migration *m = sql_migrations; m->version != 0;
	    m++) {
		version = m->version;
	}
	return version;
}

static void
report(const char *what, PGconn *conn)
{
	char line[256];

	db_first_line(PQerrorMessage(conn), line, sizeof(line));
	log_error("cannot_migrate", "step=\"%s\" cause=\"%s\" remedy=\"check "
	    "the rights of the role in migrate_url (database_url if that is "
	    "not set): it must own the schema\"", what, line);
}

static bool
run(PGconn *conn, const char *what, const char *sql)
{
	PGresult *res = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(res);

	PQclear(res);
	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
		report(what, conn);
		return false;
	}
	return true;
}

/* The first column of the first row as a number; 0 when it is null. */
static bool
ask(PGconn *conn, const char *sql, int *number_r)
{
	PGresult *res = PQexec(conn, sql);

	if (PQresultStatus(res) != PGRES_TUPLES_OK || PQntuples(res) != 1) {
		PQclear(res);
		report("read version", conn);
		return false;
	}
	*number_r = atoi(PQgetvalue(res, 0, 0));
	PQclear(res);
	return true;
}

static bool
read_version(PGconn *conn, int *version_r)
{
	int exists;

	*version_r = 0;
	if (!ask(conn, "SELECT count(to_regclass('public.schema_migrations'))",
	    &exists)) {
		return false;
	}
	return exists == 0 ||
	    ask(conn, "SELECT max(version) FROM schema_migrations", version_r);
}

static bool
apply(PGconn *conn, const struct sql_migration *m)
{
	char note[160];

	snprintf(note, sizeof(note), "INSERT INTO schema_migrations (version, "
	    "name) VALUES (%d, '%s')", m->version, m->name);
	if (!run(conn, m->name, "BEGIN") || !run(conn, m->name, m->text) ||
	    !run(conn, m->name, note) || !run(conn, m->name, grants) ||
	    !run(conn, m->name, "COMMIT")) {
		return false; /* the closing connection rolls back */
	}
	log_info("migrated", "version=%d name=%s", m->version, m->name);
	return true;
}

static bool
apply_all(PGconn *conn)
{
	int version;

	if (!run(conn, "lock", "SET lock_timeout = '60s';"
	    "SET client_min_messages = warning;"
	    "SELECT pg_advisory_lock(" LOCK_KEY ")") ||
	    !run(conn, "schema_migrations",
	    "CREATE TABLE IF NOT EXISTS schema_migrations ("
	    "version integer PRIMARY KEY, name text NOT NULL,"
	    "applied_at timestamptz NOT NULL DEFAULT now())") ||
	    !read_version(conn, &version)) {
		return false;
	}
	for (const struct sql_migration *m = sql_migrations; m->version != 0;
	    m++) {
		if (m->version > version && !apply(conn, m)) {
			return false;
		}
	}
	return true;
}

static bool
refuse_newer(int version)
{
	if (version <= newest()) {
		return false;
	}
	log_error("schema_is_newer", "database=%d program=%d remedy=\"start a "
	    "chatd at least as new as the one that migrated this database\"",
	    version, newest());
	return true;
}

/* Nothing was begun yet: to end is all there is to do. */
static void
on_stop(int number)
{
	(void)number;
	_exit(0);
}

/* The order of starting does not matter: a server that is away is waited for,
 * without end, and with a line now and then. */
static void
wait_until_back(const char *cause)
{
	struct timespec pause = { .tv_nsec = WAIT_MS * 1000000 };
	static unsigned rounds;

	if (rounds++ % WAIT_LOG_EVERY == 0) {
		log_warn("waiting_for_postgres", "cause=\"%s\" remedy=\"start "
		    "the server, or check database_url (and migrate_url)\"",
		    cause);
	}
	nanosleep(&pause, NULL);
}

static PGconn *
connect_when_there(const char *url, char *error, size_t error_len)
{
	void (*before_term)(int), (*before_int)(int);
	PGconn *conn;
	unsigned refusals = 0;

	before_term = signal(SIGTERM, on_stop);
	before_int = signal(SIGINT, on_stop);
	while ((conn = db_connect_plain(url, error, error_len)) == NULL) {
		if (db_is_away(url)) {
			wait_until_back(error);
		} else if (++refusals > 1) {
			break; /* the first may have been its coming back */
		}
	}
	signal(SIGTERM, before_term);
	signal(SIGINT, before_int);
	return conn;
}

static PGconn *
open_for(const char *url)
{
	char error[256];
	PGconn *conn = connect_when_there(url, error, sizeof(error));

	if (conn == NULL) {
		log_error("cannot_reach_postgres", "cause=\"%s\" "
		    "remedy=\"check database_url (and migrate_url) and that "
		    "the server runs\"", error);
	}
	return conn;
}

bool
migrate_run(const char *url)
{
	PGconn *conn = open_for(url);
	int version;
	bool good;

	if (conn == NULL) {
		return false;
	}
	good = read_version(conn, &version) && !refuse_newer(version) &&
	    (version == newest() || apply_all(conn));
	PQfinish(conn);
	return good;
}

bool
migrate_check(const char *url)
{
	PGconn *conn = open_for(url);
	int version;
	bool good;

	if (conn == NULL) {
		return false;
	}
	good = read_version(conn, &version) && !refuse_newer(version);
	PQfinish(conn);
	if (good && version < newest()) {
		log_error("schema_is_older", "database=%d program=%d "
		    "remedy=\"run chatd --migrate-only\"", version, newest());
		return false;
	}
	return good;
}
