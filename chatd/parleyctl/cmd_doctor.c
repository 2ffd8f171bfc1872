/*
 * doctor: what is commonly set wrong and shows only later. Each finding has its
 * remedy; what cannot be looked at (no database_url, say) is said and skipped.
 *
 * SPDX-License-Identifier: MIT
 */
#include <json-c/json.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chatd/parleyctl/call.h"
#include "chatd/parleyctl/port.h"
#include "chatd/parleyctl/show.h"
#include "chatd/parleyctl/sql.h"
#include "common/clock.h"
#include "common/config.h"

/* More than this apart, times of messages and tokens look wrong to people. */
#define CLOCK_APART_MS 2000
#define CERTIFICATE_SOON_S (14 * 24 * 3600)

enum finding {
	FINDING_GOOD,
	FINDING_SKIPPED,
	FINDING_BAD,
};

static enum ctl_exit worst;

static void find(enum finding kind, const char *what, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

static void
find(enum finding kind, const char *what, const char *fmt, ...)
{
	static const char *const marks[] = { "ok", "skipped", "BAD" };
	char text[512];
	struct json_object *o;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (kind == FINDING_BAD) {
		worst = CTL_UNWELL;
	}
	if (!ctl_flag("json")) {
		printf("%-8s %-22s %s\n", marks[kind], what, text);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "check", json_object_new_string(what));
	json_object_object_add(o, "finding",
	    json_object_new_string(marks[kind]));
	json_object_object_add(o, "text", json_object_new_string(text));
	show_json(o);
	json_object_put(o);
}

/* ---- processes ------------------------------------------------------------- */

static void
check_versions(const struct port *ports, size_t n)
{
	char first[64] = "", version[64];

	for (size_t i = 0; i < n; i++) {
		port_version(&ports[i], version, sizeof(version));
		if (*version == '\0') {
			continue;
		}
		if (*first == '\0') {
			snprintf(first, sizeof(first), "%s", version);
		} else if (strcmp(first, version) != 0) {
			find(FINDING_BAD, "versions", "%s and %s run side by "
			    "side: finish the update", first, version);
			return;
		}
	}
	if (*first != '\0' && strcmp(first, PARLEY_VERSION) != 0) {
		find(FINDING_BAD, "versions", "the processes are %s, this "
		    "parleyctl is %s: use that of their release", first,
		    PARLEY_VERSION);
	} else {
		find(FINDING_GOOD, "versions", "all are %s", PARLEY_VERSION);
	}
}

static void
check_port(const struct port *p)
{
	double open, max, ends, now = (double)clock_unix_ms() / 1000;

	if (p->state != PORT_READY) {
		find(FINDING_BAD, p->name, "%s: %s", p->address != NULL ?
		    p->address : "?", p->why);
	} else {
		find(FINDING_GOOD, p->name, "%s is ready", p->address);
	}
	if (port_metric(p, "process_open_fds", &open) &&
	    port_metric(p, "process_max_fds", &max) && open > max * 0.8) {
		find(FINDING_BAD, p->name, "%.0f of %.0f file descriptors are "
		    "in use: raise LimitNOFILE", open, max);
	}
	if (port_metric(p, "parley_certificate_not_after_seconds", &ends) &&
	    ends > 0 && ends - now < CERTIFICATE_SOON_S) {
		find(FINDING_BAD, p->name, "its certificate ends in %.0f "
		    "days: deploy/certificates.sh --renew, then SIGHUP",
		    (ends - now) / 86400);
	}
}

static void
check_processes(void)
{
	struct port *ports;
	size_t n;

	ports = ports_ask(&n);
	if (ports == NULL) {
		worst = CTL_UNWELL;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		check_port(&ports[i]);
	}
	check_versions(ports, n);
	ports_free(ports, n);
}

static void
check_chatd(void)
{
	struct json_object *reply;
	struct call c;

	call_begin(&c);
	json_key_int(&c.j, "limit", 1);
	if (call_do(&c, MSG_admin_user_list, NULL, &reply) == CTL_OK) {
		find(FINDING_GOOD, "calls", "chatd takes ours and reaches its "
		    "database");
	} else {
		find(FINDING_BAD, "calls", "chatd does not do what we ask: the "
		    "reason is above");
	}
	json_object_put(reply);
}

/* ---- the database ---------------------------------------------------------- */

/* A setting of the server and what it must not be. */
static const struct {
	const char *name;
	const char *bad;
	const char *why;
} wrong[] = {
	{ "fsync", "off", "a power cut loses or breaks what was acknowledged: "
	    "fsync = on" },
	{ "full_page_writes", "off", "a power cut may break pages: "
	    "full_page_writes = on" },
	{ "synchronous_commit", "off", "acknowledged messages may be lost: "
	    "synchronous_commit = on" },
	{ "autovacuum", "off", "tables and indexes grow without end: "
	    "autovacuum = on" },
};

static void
check_settings(PGconn *conn)
{
	bool good = true;

	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		PGresult *res = sql_ask(conn, "SELECT current_setting($1)", 1,
		    &wrong[i].name);

		if (res != NULL && PQntuples(res) > 0 &&
		    strcmp(PQgetvalue(res, 0, 0), wrong[i].bad) == 0) {
			find(FINDING_BAD, "postgres", "%s is %s: %s",
			    wrong[i].name, wrong[i].bad, wrong[i].why);
			good = false;
		}
		PQclear(res);
	}
	if (good) {
		find(FINDING_GOOD, "postgres", "fsync, full_page_writes, "
		    "synchronous_commit, autovacuum are on");
	}
}

/* Each: a number that must be 0, and what it means if it is not. */
static const struct {
	const char *what;
	const char *statement;
	const char *good;
	const char *bad;
} counts[] = {
	{ "role", "SELECT (pg_has_role(c.relowner, 'USAGE'))::int FROM pg_class c "
	    "WHERE c.oid = 'public.messages'::regclass",
	    "the role of database_url cannot change the schema",
	    "the role of database_url owns the schema: give chatd a role of "
	    "its own (docs/database.md)" },
	{ "extensions", "SELECT 3 - count(*) FROM pg_extension WHERE extname IN "
	    "('unaccent', 'pg_trgm', 'btree_gin')",
	    "unaccent, pg_trgm and btree_gin are there",
	    "extensions are missing: search is slow, or knows no accents; "
	    "install postgresql-contrib before the schema is made" },
	{ "indexes", "SELECT count(*) FROM pg_index WHERE NOT indisvalid",
	    "all are valid", "indexes that are not valid: REINDEX them" },
	{ "connections", "SELECT (count(*) > 0.9 * current_setting("
	    "'max_connections')::int)::int FROM pg_stat_activity",
	    "enough are left", "over nine tenths of max_connections are in "
	    "use: raise it, or lower database_connections" },
	{ "long transactions", "SELECT count(*) FROM pg_stat_activity WHERE "
	    "xact_start < now() - interval '10 minutes' AND datname = "
	    "current_database() AND backend_type = 'client backend'",
	    "none", "transactions open for over 10 minutes: rows that are gone "
	    "cannot be cleared away; end them (pg_stat_activity)" },
	{ "vacuum", "SELECT count(*) FROM pg_stat_user_tables WHERE "
	    "n_dead_tup > 100000 AND n_dead_tup > n_live_tup",
	    "keeps up", "tables with more dead rows than live ones: make "
	    "autovacuum more eager" },
};

static void
check_counts(PGconn *conn)
{
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		PGresult *res = sql_ask(conn, counts[i].statement, 0, NULL);

		if (res == NULL) {
			find(FINDING_SKIPPED, counts[i].what, "this role may "
			    "not look");
		} else if (sql_number(res, 0, 0) > 0) {
			find(FINDING_BAD, counts[i].what, "%s",
			    counts[i].bad);
		} else {
			find(FINDING_GOOD, counts[i].what, "%s",
			    counts[i].good);
		}
		PQclear(res);
	}
}

static void
check_clock(PGconn *conn)
{
	PGresult *res = sql_ask(conn, "SELECT (extract(epoch FROM "
	    "clock_timestamp()) * 1000)::bigint", 0, NULL);
	int64_t apart = res != NULL ?
	    llabs(clock_unix_ms() - sql_number(res, 0, 0)) : 0;

	PQclear(res);
	if (apart > CLOCK_APART_MS) {
		find(FINDING_BAD, "clock", "this machine and the database are "
		    "%lld ms apart: run an NTP client on both",
		    (long long)apart);
	} else {
		find(FINDING_GOOD, "clock", "as the database's");
	}
}

static void
check_database(void)
{
	enum ctl_exit status;
	PGconn *conn;

	if (ctl_settings.database_url == NULL ||
	    *ctl_settings.database_url == '\0') {
		find(FINDING_SKIPPED, "database", "no database_url is given "
		    "here");
		return;
	}
	conn = sql_open(&status);
	if (conn == NULL) {
		find(FINDING_BAD, "database", "cannot be reached: the reason is "
		    "above");
		return;
	}
	check_settings(conn);
	check_counts(conn);
	check_clock(conn);
	PQfinish(conn);
	if (!ctl_flag("json")) {
		status = cmd_migrate_status(NULL);
		worst = status != CTL_OK ? CTL_UNWELL : worst;
	}
}

enum ctl_exit
cmd_doctor(const struct ctl_args *args UNUSED)
{
	const char *warning = config_warning();

	worst = CTL_OK;
	if (warning != NULL) {
		find(FINDING_BAD, "settings", "%s", warning);
	}
	check_processes();
	check_chatd();
	check_database();
	return worst;
}
