/*
 * Retention of messages: what is older goes, chat by chat, a batch at a time.
 *
 * Only the beginning of a chat goes: its messages up to the first that is young
 * enough. So the numbers of those that stay are as gapless as ever, and every
 * page, sync and watermark means what it meant; a chat just begins later than
 * with 1. Members who had not come that far count as having read what is gone,
 * so that nothing unread is counted that cannot be read (docs/decisions/072).
 *
 * Each batch is one transaction, under the chat's lock as a send is, and what
 * was copied for search goes with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "chatd/parleyctl/show.h"
#include "chatd/parleyctl/sql.h"
#include "common/clock.h"

#define DAY_MS INT64_C(86400000)
#define BATCH_DEFAULT 500
#define BATCH_MAX 10000
/* Attempts at a batch whose locks are not to be had, and the pause between. */
#define ATTEMPTS 20
#define PAUSE_MS 250

/* The chats in pages, and whether the first message of each is old. */
static const char next_chats[] =
    "SELECT p.id, coalesce(m.created_at < $2::timestamptz, false) "
    "FROM (SELECT id FROM chats WHERE id > $1::uuid ORDER BY id LIMIT 2000) p "
    "LEFT JOIN LATERAL (SELECT created_at FROM messages "
    "WHERE chat_id = p.id ORDER BY seq LIMIT 1) m ON true ORDER BY p.id";

/* $1 chat, $2 cutoff, $3 after which seq, $4 how many. */
static const char count_batch[] =
    "WITH batch AS MATERIALIZED (SELECT seq, created_at FROM messages "
    "WHERE chat_id = $1::uuid AND seq > $3::bigint ORDER BY seq "
    "LIMIT $4::bigint) "
    "SELECT count(*), max(seq) FROM batch "
    "WHERE seq < coalesce((SELECT min(seq) FROM batch "
    "WHERE created_at >= $2::timestamptz), 9223372036854775807)";

static const char lock_chat[] =
    "SELECT last_seq FROM chats WHERE id = $1::uuid FOR NO KEY UPDATE";
/* Nothing is being copied for search meanwhile. */
static const char lock_blocks[] =
    "LOCK TABLE message_blocks IN SHARE ROW EXCLUSIVE MODE";

static const char delete_batch[] =
    "WITH batch AS MATERIALIZED (SELECT seq, created_at FROM messages "
    "WHERE chat_id = $1::uuid AND seq > $3::bigint ORDER BY seq "
    "LIMIT $4::bigint), "
    "bound AS MATERIALIZED (SELECT coalesce((SELECT min(seq) - 1 FROM batch "
    "WHERE created_at >= $2::timestamptz), (SELECT max(seq) FROM batch), "
    "$3::bigint) AS upto), "
    "gone AS (DELETE FROM messages m USING bound b "
    "WHERE m.chat_id = $1::uuid AND m.seq <= b.upto "
    "RETURNING m.seq, m.sender_id), "
    "chat AS (UPDATE chats c SET announced_seq = b.upto FROM bound b "
    "WHERE c.id = $1::uuid AND c.announced_seq < b.upto), "
    "member AS (UPDATE members x "
    "SET read_seq = greatest(x.read_seq, b.upto), "
    "delivered_seq = greatest(x.delivered_seq, b.upto), "
    "own_unread = greatest(0, x.own_unread - (SELECT count(*)::integer "
    "FROM gone g WHERE g.sender_id = x.user_id AND g.seq > x.read_seq)) "
    "FROM bound b WHERE x.chat_id = $1::uuid "
    "AND (x.read_seq < b.upto OR x.delivered_seq < b.upto)), "
    "block AS (UPDATE message_blocks k SET body = "
    "CASE WHEN (k.block + 1) * 512 <= b.upto THEN '' ELSE coalesce(("
    "SELECT string_agg(parley_fold(m.content), E'\\x01') FROM messages m "
    "WHERE m.chat_id = $1::uuid AND m.seq > b.upto "
    "AND m.seq > k.block * 512 AND m.seq <= (k.block + 1) * 512 "
    "AND m.format = 0 AND m.deleted_at IS NULL), '') END "
    "FROM bound b WHERE k.chat_id = $1::uuid AND k.block * 512 < b.upto "
    "AND k.body <> '') "
    "SELECT (SELECT count(*) FROM gone), upto FROM bound";

struct retention {
	PGconn *conn;
	char cutoff[40];
	char batch[24];
	bool dry;
	int64_t chats;
	int64_t messages;
};

/* ---- one batch ------------------------------------------------------------- */

/* What one transaction did; false: see sql_fail, sql_may_repeat. */
static bool
run_batch(struct retention *g, const char *const values[4], int64_t *n_r,
    int64_t *upto_r)
{
	PGresult *res;
	int64_t last_seq;

	if (!sql_do(g->conn, "BEGIN")) {
		return false;
	}
	res = sql_ask(g->conn, lock_chat, 1, values);
	if (res == NULL) {
		return false;
	}
	last_seq = sql_number(res, 0, 0);
	PQclear(res);
	if (last_seq >= 512 && !sql_do(g->conn, lock_blocks)) {
		return false;
	}
	res = sql_ask(g->conn, delete_batch, 4, values);
	if (res == NULL) {
		return false;
	}
	*n_r = sql_number(res, 0, 0);
	*upto_r = sql_number(res, 1, 0);
	PQclear(res);
	return sql_do(g->conn, "COMMIT");
}

static bool
count(struct retention *g, const char *const values[4], int64_t *n_r,
    int64_t *upto_r)
{
	PGresult *res = sql_ask(g->conn, count_batch, 4, values);

	if (res == NULL) {
		return false;
	}
	*n_r = sql_number(res, 0, 0);
	*upto_r = sql_number(res, 1, 0);
	PQclear(res);
	return true;
}

static void
pause_a_moment(void)
{
	const struct timespec t = { .tv_nsec = PAUSE_MS * 1000000 };

	nanosleep(&t, NULL);
}

static enum ctl_exit
batch(struct retention *g, const char *const values[4], int64_t *n_r,
    int64_t *upto_r)
{
	for (unsigned i = 0; i < ATTEMPTS; i++) {
		bool good = g->dry ? count(g, values, n_r, upto_r) :
		    run_batch(g, values, n_r, upto_r);

		if (good) {
			return CTL_OK;
		}
		if (!sql_may_repeat(g->conn)) {
			break;
		}
		if (!sql_do(g->conn, "ROLLBACK")) {
			break;
		}
		pause_a_moment();
	}
	return sql_fail(g->conn, "remove messages");
}

/* ---- a chat, all chats ----------------------------------------------------- */

static enum ctl_exit
clean_chat(struct retention *g, const char *id)
{
	int64_t n = 0, upto = 0, size = strtoll(g->batch, NULL, 10);
	enum ctl_exit status;
	char after[24] = "0";

	g->chats++;
	do {
		const char *const values[] = { id, g->cutoff, after,
			g->batch };

		status = batch(g, values, &n, &upto);
		g->messages += status == CTL_OK ? n : 0;
		snprintf(after, sizeof(after), "%lld", (long long)upto);
	} while (status == CTL_OK && n >= size);
	return status;
}

static enum ctl_exit
clean_all(struct retention *g)
{
	char after[40] = "00000000-0000-0000-0000-000000000000";
	enum ctl_exit status = CTL_OK;
	int n = 1;

	while (status == CTL_OK && n > 0) {
		const char *const values[] = { after, g->cutoff };
		PGresult *res = sql_ask(g->conn, next_chats, 2, values);

		if (res == NULL) {
			return sql_fail(g->conn, "list the chats");
		}
		n = PQntuples(res);
		for (int i = 0; status == CTL_OK && i < n; i++) {
			if (*PQgetvalue(res, i, 1) == 't') {
				status = clean_chat(g, PQgetvalue(res, i, 0));
			}
		}
		if (n > 0) {
			snprintf(after, sizeof(after), "%s",
			    PQgetvalue(res, n - 1, 0));
		}
		PQclear(res);
	}
	return status;
}

static void
show(const struct retention *g)
{
	struct json_object *o;

	if (!ctl_flag("json")) {
		printf("%lld messages of %lld chats, from before %s, %s\n",
		    (long long)g->messages, (long long)g->chats, g->cutoff,
		    g->dry ? "would be removed" : "removed");
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "before", json_object_new_string(g->cutoff));
	json_object_object_add(o, "chats", json_object_new_int64(g->chats));
	json_object_object_add(o, "messages",
	    json_object_new_int64(g->messages));
	json_object_object_add(o, "dry_run", json_object_new_boolean(g->dry));
	show_json(o);
	json_object_put(o);
}

enum ctl_exit
cmd_retention_messages(const struct ctl_args *args UNUSED)
{
	struct retention g = { .dry = ctl_flag("dry-run") };
	enum ctl_exit status;
	int64_t age, size;
	time_t at;
	struct tm tm;

	if (ctl_option("older-than") == NULL) {
		return ctl_fail(CTL_USAGE, "how old? --older-than 365d");
	}
	if (!ctl_option_ms("older-than", DAY_MS, &age) ||
	    !ctl_option_int("batch", BATCH_DEFAULT, 1, BATCH_MAX, &size)) {
		return CTL_USAGE;
	}
	at = (time_t)((clock_unix_ms() - age) / 1000);
	gmtime_r(&at, &tm);
	strftime(g.cutoff, sizeof(g.cutoff), "%Y-%m-%dT%H:%M:%SZ", &tm);
	snprintf(g.batch, sizeof(g.batch), "%lld", (long long)size);
	if (!g.dry && !ctl_confirm("yes", "Messages from before %s are removed "
	    "for good (--dry-run says how many).", g.cutoff)) {
		return CTL_UNCONFIRMED;
	}
	g.conn = sql_open(&status);
	if (g.conn == NULL) {
		return status;
	}
	status = clean_all(&g);
	PQfinish(g.conn);
	if (status == CTL_OK || g.messages > 0) {
		show(&g);
	}
	return status;
}
