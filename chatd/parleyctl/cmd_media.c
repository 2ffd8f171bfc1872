/*
 * Retention of uploads: files that no message, person or group refers to any
 * more. All references are read first, in pages; then each file that is old
 * enough and not among them goes. Those of messages that came meanwhile are read
 * once more before the first goes. A file is known by a hash of its name.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "chatd/parleyctl/show.h"
#include "chatd/parleyctl/sql.h"
#include "common/clock.h"
#include "common/map.h"

#define DAY_MS INT64_C(86400000)
#define AGE_DEFAULT_MS (7 * DAY_MS)
#define NIL "00000000-0000-0000-0000-000000000000"

/* Pages: the last two columns say where to go on. */
static const char *const sources[] = {
	"SELECT CASE WHEN format <> 0 THEN content END, chat_id, seq FROM ("
	"SELECT chat_id, seq, format, content FROM messages "
	"WHERE (chat_id, seq) > ($1::uuid, $2::bigint) "
	"ORDER BY chat_id, seq LIMIT 20000) p ORDER BY chat_id, seq",
	"SELECT avatar_url, id, $2::bigint FROM users WHERE id > $1::uuid "
	"ORDER BY id LIMIT 20000",
	"SELECT avatar_url, id, $2::bigint FROM chats WHERE id > $1::uuid "
	"ORDER BY id LIMIT 20000",
};

/* What was sent since $1: the newest of chats that have moved. */
static const char sent_since[] =
    "SELECT m.content FROM chats c CROSS JOIN LATERAL (SELECT content, format, "
    "created_at FROM messages WHERE chat_id = c.id ORDER BY seq DESC "
    "LIMIT 1000) m WHERE c.last_message_at >= $1::timestamptz "
    "AND m.created_at >= $1::timestamptz AND m.format <> 0";

struct media {
	PGconn *conn;
	struct map referred; /* by hash of the name; the values mean nothing */
	char begun[40];      /* the database's clock */
	int64_t cutoff;      /* unix seconds */
	bool remove;
	int64_t files, orphans, bytes;
};

/* ---- references ------------------------------------------------------------ */

static struct uuid
name_key(const char *name)
{
	struct uuid key;

	crypto_generichash(key.b, sizeof(key.b), (const unsigned char *)name,
	    strlen(name), NULL, 0);
	return key;
}

static void
refer(struct media *g, const char *url)
{
	const char *slash = strrchr(url, '/');
	struct uuid key = name_key(slash != NULL ? slash + 1 : url);

	map_put(&g->referred, &key, g);
}

static void
refer_rows(struct media *g, const PGresult *res)
{
	for (int i = 0; i < PQntuples(res); i++) {
		if (!PQgetisnull(res, i, 0)) {
			refer(g, PQgetvalue(res, i, 0));
		}
	}
}

static enum ctl_exit
read_source(struct media *g, const char *statement)
{
	char id[40] = NIL, seq[24] = "-1";
	int n;

	do {
		const char *const values[] = { id, seq };
		PGresult *res = sql_ask(g->conn, statement, 2, values);

		if (res == NULL) {
			return sql_fail(g->conn, "read what is referred to");
		}
		refer_rows(g, res);
		n = PQntuples(res);
		if (n > 0) {
			snprintf(id, sizeof(id), "%s",
			    PQgetvalue(res, n - 1, 1));
			snprintf(seq, sizeof(seq), "%s",
			    PQgetvalue(res, n - 1, 2));
		}
		PQclear(res);
	} while (n > 0);
	return CTL_OK;
}

static enum ctl_exit
read_references(struct media *g)
{
	PGresult *res = sql_ask(g->conn, "SELECT now()", 0, NULL);
	const char *const since[] = { g->begun };
	enum ctl_exit status = CTL_OK;

	if (res == NULL) {
		return sql_fail(g->conn, "ask for the time");
	}
	snprintf(g->begun, sizeof(g->begun), "%s", PQgetvalue(res, 0, 0));
	PQclear(res);
	for (size_t i = 0; status == CTL_OK && i < ARRAY_LEN(sources); i++) {
		status = read_source(g, sources[i]);
	}
	if (status != CTL_OK) {
		return status;
	}
	res = sql_ask(g->conn, sent_since, 1, since);
	if (res == NULL) {
		return sql_fail(g->conn, "read what was sent meanwhile");
	}
	refer_rows(g, res);
	PQclear(res);
	return CTL_OK;
}

/* ---- files ----------------------------------------------------------------- */

static void
tell_orphan(struct media *g, const char *name, int64_t size)
{
	g->orphans++;
	g->bytes += size;
	if (!g->remove && !ctl_flag("json")) {
		puts(name);
	}
}

static bool
is_referred(const struct media *g, const char *name)
{
	struct uuid key = name_key(name);

	return map_get(&g->referred, &key) != NULL;
}

/* An upload that was given up has a name with a dot before it. */
static enum ctl_exit
look_at(struct media *g, int dir, const char *name)
{
	struct stat st;

	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
	    fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(st.st_mode)) {
		return CTL_OK;
	}
	g->files++;
	if (st.st_mtime >= g->cutoff || is_referred(g, name)) {
		return CTL_OK;
	}
	tell_orphan(g, name, st.st_size);
	if (g->remove && unlinkat(dir, name, 0) != 0 && errno != ENOENT) {
		return ctl_fail(CTL_FAILED, "cannot remove %s/%s: %s",
		    ctl_settings.media_dir, name, strerror(errno));
	}
	return CTL_OK;
}

static enum ctl_exit
walk_directory(struct media *g)
{
	DIR *dir = opendir(ctl_settings.media_dir);
	enum ctl_exit status = CTL_OK;
	const struct dirent *e;

	if (dir == NULL) {
		return ctl_fail(CTL_FAILED, "cannot read media_dir %s: %s",
		    ctl_settings.media_dir, strerror(errno));
	}
	while (status == CTL_OK && (e = readdir(dir)) != NULL) {
		status = look_at(g, dirfd(dir), e->d_name);
	}
	closedir(dir);
	return status;
}

static enum ctl_exit
walk_names(struct media *g, const char *path)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *line = NULL;
	size_t size = 0;

	if (in == NULL) {
		return ctl_fail(CTL_FAILED, "cannot read %s: %s", path,
		    strerror(errno));
	}
	while (getline(&line, &size, in) > 0) {
		line[strcspn(line, "\r\n")] = '\0';
		g->files++;
		if (*line != '\0' && !is_referred(g, line)) {
			tell_orphan(g, line, 0);
		}
	}
	free(line);
	if (in != stdin) {
		fclose(in);
	}
	return CTL_OK;
}

static void
show(const struct media *g)
{
	struct json_object *o;

	if (!ctl_flag("json")) {
		ctl_note("%lld of %lld files %s, %lld bytes",
		    (long long)g->orphans, (long long)g->files, g->remove ?
		    "removed" : "are referred to by nothing",
		    (long long)g->bytes);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "files", json_object_new_int64(g->files));
	json_object_object_add(o, "orphans",
	    json_object_new_int64(g->orphans));
	json_object_object_add(o, "bytes", json_object_new_int64(g->bytes));
	json_object_object_add(o, "removed",
	    json_object_new_boolean(g->remove));
	show_json(o);
	json_object_put(o);
}

static enum ctl_exit
check(struct media *g, const char *names)
{
	int64_t age = AGE_DEFAULT_MS;
	bool has_dir = ctl_settings.media_dir != NULL &&
	    *ctl_settings.media_dir != '\0';

	if (ctl_option("older-than") != NULL &&
	    !ctl_option_ms("older-than", DAY_MS, &age)) {
		return CTL_USAGE;
	}
	g->cutoff = (clock_unix_ms() - age) / 1000;
	if (names == NULL && !has_dir) {
		return ctl_fail(CTL_USAGE, "where are the files? give the "
		    "setting media_dir, or --names");
	}
	if (g->remove && !ctl_confirm("yes", "Files in %s that nothing refers "
	    "to are removed (--dry-run lists them).", ctl_settings.media_dir)) {
		return CTL_UNCONFIRMED;
	}
	return CTL_OK;
}

enum ctl_exit
cmd_retention_media(const struct ctl_args *args UNUSED)
{
	const char *names = ctl_option("names");
	struct media g = { .remove = names == NULL && !ctl_flag("dry-run") };
	enum ctl_exit status = check(&g, names);

	if (status != CTL_OK) {
		return status;
	}
	g.conn = sql_open(&status);
	if (g.conn == NULL) {
		return status;
	}
	map_init(&g.referred);
	status = read_references(&g);
	if (status == CTL_OK) {
		status = names != NULL ? walk_names(&g, names) :
		    walk_directory(&g);
		show(&g);
	}
	map_fini(&g.referred);
	PQfinish(g.conn);
	return status;
}
