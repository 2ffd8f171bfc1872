/*
 * The schema: migrate status, migrate run. What runs is chatd's own
 * (chatd/migrate.c); a program knows the schema of its release.
 *
 * SPDX-License-Identifier: MIT
 */
#include <json-c/json.h>
#include <stdio.h>

#include "chatd/db_connect.h"
#include "chatd/migrate.h"
#include "chatd/parleyctl/show.h"
#include "chatd/parleyctl/sql.h"
#include "chatd/sql_migrations.h"
#include "common/log.h"

/* 0 for a database without a schema; and which programs it serves. */
static enum ctl_exit
read_version(PGconn *conn, int64_t *version_r, int64_t *works_with_r)
{
	PGresult *res = sql_ask(conn, "SELECT count(*) FROM pg_class WHERE "
	    "oid = to_regclass('public.schema_migrations')", 0, NULL);
	bool there = res != NULL && sql_number(res, 0, 0) > 0;

	if (res == NULL) {
		return sql_fail(conn, "read the schema's version");
	}
	PQclear(res);
	*version_r = *works_with_r = 0;
	if (!there) {
		return CTL_OK;
	}
	res = sql_ask(conn, "SELECT max(version) FROM schema_migrations", 0,
	    NULL);
	if (res == NULL) {
		return sql_fail(conn, "read the schema's version");
	}
	*version_r = sql_number(res, 0, 0);
	PQclear(res);
	res = sql_ask(conn, MIGRATE_WORKS_WITH, 0, NULL);
	if (res == NULL) {
		return sql_fail(conn, "read the schema's version");
	}
	*works_with_r = sql_number(res, 0, 0);
	PQclear(res);
	return CTL_OK;
}

static void
show_status(int64_t version, int64_t works_with)
{
	const char *state = version == migrate_newest() ? "up to date" :
	    version < migrate_newest() ? "older" :
	    works_with <= migrate_newest() ? "newer, and serves this release" :
	    "newer, and of no use to this release";
	struct json_object *o;

	if (ctl_flag("json")) {
		o = json_object_new_object();
		json_object_object_add(o, "database",
		    json_object_new_int64(version));
		json_object_object_add(o, "program",
		    json_object_new_int(migrate_newest()));
		json_object_object_add(o, "works_with",
		    json_object_new_int64(works_with));
		json_object_object_add(o, "state",
		    json_object_new_string(state));
		show_json(o);
		json_object_put(o);
		return;
	}
	printf("schema %lld, this release's is %d: %s\n", (long long)version,
	    migrate_newest(), state);
	for (const struct sql_migration *m = sql_migrations; m->version != 0;
	    m++) {
		if (m->version > version) {
			printf("to be applied: %s\n", m->name);
		}
	}
}

enum ctl_exit
cmd_migrate_status(const struct ctl_args *args UNUSED)
{
	enum ctl_exit status;
	PGconn *conn = sql_open(&status);
	int64_t version = 0, works_with = 0;

	if (conn == NULL) {
		return status;
	}
	status = read_version(conn, &version, &works_with);
	PQfinish(conn);
	if (status != CTL_OK) {
		return status;
	}
	show_status(version, works_with);
	return version == migrate_newest() ? CTL_OK : CTL_UNWELL;
}

enum ctl_exit
cmd_migrate_run(const struct ctl_args *args UNUSED)
{
	const char *url = ctl_settings.migrate_url != NULL &&
	    *ctl_settings.migrate_url != '\0' ? ctl_settings.migrate_url :
	    ctl_settings.database_url;
	char error[256];
	PGconn *conn;

	if (url == NULL || *url == '\0') {
		return ctl_fail(CTL_USAGE, "this needs the database: give "
		    "PARLEY_MIGRATE_URL, the role that owns the schema");
	}
	/* A chatd that starts waits for a server; nobody wants a shell to. */
	conn = db_connect_plain(url, error, sizeof(error));
	if (conn == NULL) {
		return ctl_fail(CTL_UNAVAILABLE, "cannot reach PostgreSQL: %s: "
		    "check migrate_url and that the server runs", error);
	}
	PQfinish(conn);
	if (!ctl_confirm("yes", "The schema is brought to version %d; there is "
	    "no way back to an older one.", migrate_newest())) {
		return CTL_UNCONFIRMED;
	}
	log_set_level(LOG_INFO);
	if (!migrate_run(url, MIGRATE_STOPPED)) {
		return CTL_FAILED;
	}
	printf("the schema serves this release, %d\n", migrate_newest());
	return CTL_OK;
}
