/*
 * Migrations. The table schema_migrations says what has been applied, and which
 * programs run on it. A database that is up to date is only read, so that the
 * runtime role, which may not change the schema, can start with migrations on.
 *
 * They are applied while chatds serve. One that needs a table to itself has every
 * statement on that table wait behind it, so it waits for its lock for a moment
 * only, far below the callers' patience, steps back and tries again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/migrate.h"

#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "chatd/db_connect.h"
#include "chatd/sql_migrations.h"
#include "common/log.h"
#include "common/mem.h"

/* Any number that nobody else takes; "PRLY". */
#define LOCK_KEY "1347570777"
/* The least-privileged role that chatd runs as, where it exists. */
#define RUNTIME_ROLE "parley_chatd"
/* Between two attempts at a server that is away; a line is logged this often. */
#define WAIT_MS 250
#define WAIT_LOG_EVERY 40
/* A lock that a migration needs: so long at a time; so many attempts, so far
 * apart, are some ten minutes, within which most dumps end. */
#define LOCK_TIMEOUT "1s"
#define LOCK_PAUSE_MS 1000
#define LOCK_ATTEMPTS 300
/* Outside a transaction a lock holds up nobody; and the longest wait for another
 * process that migrates, which may need all of the above. */
#define TURN_TIMEOUT "15min"
#define ALONE_ATTEMPTS 4

enum applied {
	APPLIED,
	LOCKED,  /* somebody held a lock; rolled back, nothing has changed */
	BROKEN,  /* reported */
};

/* The status of a process that is told to end meanwhile; for a signal handler. */
static volatile sig_atomic_t stop_status;

static const char grants[] =
    "DO $do$ BEGIN"
    " IF EXISTS (SELECT FROM pg_roles WHERE rolname = '" RUNTIME_ROLE "'"
    " AND rolname <> current_user) THEN"
    " GRANT USAGE ON SCHEMA public TO " RUNTIME_ROLE ";"
    " GRANT SELECT, INSERT, UPDATE, DELETE ON users, tokens, contacts, chats,"
    " members, messages TO " RUNTIME_ROLE ";"
    " GRANT SELECT ON schema_migrations TO " RUNTIME_ROLE ";"
    " END IF; END $do$";

int
migrate_newest(void)
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

/* As run(), of a statement that may find a lock taken. */
static enum applied
try(PGconn *conn, const char *what, const char *sql)
{
	PGresult *res = PQexec(conn, sql);
	ExecStatusType status = PQresultStatus(res);
	const char *state = PQresultErrorField(res, PG_DIAG_SQLSTATE);
	enum applied done = BROKEN;

	if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
		done = APPLIED;
	} else if (state != NULL && (strcmp(state, "55P03") == 0 ||
	    strcmp(state, "40P01") == 0)) { /* lock_timeout; a deadlock */
		done = LOCKED;
	}
	PQclear(res);
	if (done == BROKEN) {
		report(what, conn);
	}
	return done;
}

static bool
note(PGconn *conn, const struct sql_migration *m)
{
	char sql[192];

	snprintf(sql, sizeof(sql), "INSERT INTO schema_migrations (version, "
	    "name, works_with) VALUES (%d, '%s', %d)", m->version, m->name,
	    m->works_with);
	return run(conn, m->name, sql);
}

/* What cannot be done in a transaction, such as an index that is built while
 * others write: each statement by itself, as often as it takes, so the file's
 * first ones remove what an attempt before has left half done. They hold up
 * nobody, so they may wait long. */
static enum applied
attempt_alone(PGconn *conn, const struct sql_migration *m)
{
	const char *at = m->text, *end;
	enum applied done = APPLIED;

	while (done == APPLIED && (end = strstr(at, ";\n")) != NULL) {
		char *sql = mem_strndup(at, (size_t)(end - at));

		done = try(conn, m->name, sql);
		free(sql);
		at = end + 2;
	}
	if (done == APPLIED) {
		done = try(conn, m->name, grants);
	}
	return done == APPLIED && !note(conn, m) ? BROKEN : done;
}

/* In a transaction of its own. A BROKEN one is rolled back by the connection's
 * end. */
static enum applied
attempt(PGconn *conn, const struct sql_migration *m)
{
	enum applied done;

	if (m->alone) {
		return attempt_alone(conn, m);
	}
	if (!run(conn, m->name, "BEGIN; SET LOCAL lock_timeout = '"
	    LOCK_TIMEOUT "'")) {
		return BROKEN;
	}
	done = try(conn, m->name, m->text);
	if (done == APPLIED) {
		done = try(conn, m->name, grants);
	}
	if (done == LOCKED) {
		return run(conn, m->name, "ROLLBACK") ? LOCKED : BROKEN;
	}
	return done == APPLIED && note(conn, m) &&
	    run(conn, m->name, "COMMIT") ? APPLIED : BROKEN;
}

static bool
apply(PGconn *conn, const struct sql_migration *m)
{
	struct timespec pause = { .tv_sec = LOCK_PAUSE_MS / 1000 };
	int attempts = m->alone ? ALONE_ATTEMPTS : LOCK_ATTEMPTS;
	enum applied done = attempt(conn, m);

	for (int i = 1; done == LOCKED && i < attempts; i++) {
		if (i % 10 == 1) {
			log_warn("migration_waits", "version=%d attempts=%d "
			    "cause=\"somebody holds a lock it needs\" "
			    "remedy=\"let long transactions and dumps end: see "
			    "pg_stat_activity by xact_start\"", m->version, i);
		}
		nanosleep(&pause, NULL);
		done = attempt(conn, m);
	}
	if (done == LOCKED) {
		log_error("cannot_migrate", "step=\"%s\" cause=\"a lock it needs "
		    "was held at each of %d attempts\" remedy=\"end the "
		    "transaction that holds it (pg_stat_activity by "
		    "xact_start), then run this again\"", m->name,
		    attempts);
	}
	if (done != APPLIED) {
		return false;
	}
	log_info("migrated", "version=%d name=%s", m->version, m->name);
	return true;
}

static bool
apply_all(PGconn *conn)
{
	int version;

	if (!run(conn, "lock", "SET lock_timeout = '" TURN_TIMEOUT "';"
	    "SET client_min_messages = warning;"
	    "SELECT pg_advisory_lock(" LOCK_KEY ")") ||
	    !run(conn, "schema_migrations",
	    "CREATE TABLE IF NOT EXISTS schema_migrations ("
	    "version integer PRIMARY KEY, name text NOT NULL,"
	    "applied_at timestamptz NOT NULL DEFAULT now());"
	    "ALTER TABLE schema_migrations"
	    " ADD COLUMN IF NOT EXISTS works_with integer") ||
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

/* A schema that a newer release has made serves this one, too, where each of its
 * migrations says so. */
static bool
serves(PGconn *conn, int version)
{
	int works_with;

	if (version <= migrate_newest()) {
		return true;
	}
	if (!ask(conn, MIGRATE_WORKS_WITH, &works_with)) {
		return false;
	}
	if (works_with > migrate_newest()) {
		log_error("schema_is_newer", "database=%d works_with=%d "
		    "program=%d remedy=\"start a chatd of a release that knows "
		    "migration %d\"", version, works_with, migrate_newest(),
		    works_with);
		return false;
	}
	log_warn("schema_is_newer", "database=%d works_with=%d program=%d "
	    "remedy=\"update this chatd, too, or finish going back\"", version,
	    works_with, migrate_newest());
	return true;
}

/* What was begun is rolled back by the connection's end: there is nothing else
 * to do. */
static void
on_stop(int number)
{
	(void)number;
	_exit(stop_status);
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
	PGconn *conn;
	unsigned refusals = 0;

	while ((conn = db_connect_plain(url, error, error_len)) == NULL) {
		if (db_is_away(url)) {
			wait_until_back(error);
		} else if (++refusals > 1) {
			break; /* the first may have been its coming back */
		}
	}
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

/* What `use` does with a connection to a database that serves this program. */
static bool
on_database(const char *url, int stopped, bool (*use)(PGconn *, int version))
{
	stop_status = stopped;
	void (*before_term)(int) = signal(SIGTERM, on_stop);
	void (*before_int)(int) = signal(SIGINT, on_stop);
	PGconn *conn = open_for(url);
	int version;
	bool good;

	good = conn != NULL && read_version(conn, &version) &&
	    serves(conn, version) && use(conn, version);
	PQfinish(conn);
	signal(SIGTERM, before_term);
	signal(SIGINT, before_int);
	return good;
}

static bool
bring(PGconn *conn, int version)
{
	return version >= migrate_newest() || apply_all(conn);
}

static bool
check(PGconn *conn UNUSED, int version)
{
	if (version < migrate_newest()) {
		log_error("schema_is_older", "database=%d program=%d "
		    "remedy=\"run chatd --migrate-only\"", version,
		    migrate_newest());
		return false;
	}
	return true;
}

bool
migrate_run(const char *url, int stopped)
{
	return on_database(url, stopped, bring);
}

bool
migrate_check(const char *url)
{
	return on_database(url, 0, check);
}
