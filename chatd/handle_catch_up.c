/*
 * catch_up: what a session missed, as frames ready to be written, in the order
 * they must be: chats lost, chats gained, changes of groups, messages, then
 * receipts (delivered before read, so that no state goes backwards), and who
 * came or went.
 *
 *   which named chats are still the user's, which others are
 *     -> changes, messages and marks of both, receipts
 *     -> statuses of gained chats, of changed groups' members, and of who came
 *        or went
 *
 * Bounded by messages and bytes; when cut, `more` is told, receipts are left
 * for the last answer, and the gateway asks again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "chatd/chat_marks.h"
#include "chatd/handlers.h"
#include "chatd/missed_changes.h"
#include "chatd/presence.h"
#include "chatd/service.h"
#include "chatd/settings.h"
#include "chatd/store_chats.h"
#include "chatd/view.h"
#include "common/calls.h"
#include "common/clock.h"
#include "common/map.h"
#include "common/mem.h"

#define CHATS_MAX 2000
#define MESSAGES_MAX 500
#define BYTES_MAX ((size_t)512 << 10)
/* Ids in one messages_delivered. */
#define IDS_MAX 500
/* Clocks, and the way of an event, differ by less. */
#define AWAY_MARGIN_MS 5000

enum first_step {
	FIRST_MINE,
	FIRST_ITEMS,
};

enum second_step {
	SECOND_MESSAGES,
	SECOND_LOWEST,
	SECOND_CHANGES,
	SECOND_MEMBERS,
	SECOND_READS,     /* these four only if away_ms */
	SECOND_OWN_READS,
	SECOND_DELIVERED,
	SECOND_STATUSES,
};

struct catch_up {
	struct request *r;          /* owned until answered */
	struct catch_up_head head;
	struct chat_known *known;   /* owned; named by the session */
	size_t known_count;
	struct map place;           /* chat -> place in known, plus one */
	bool *mine;                 /* owned; of each known: still a member */
	struct db_result *first;    /* owned; the items' texts */
	struct db_result *second;   /* owned */
	struct chat_item *added;    /* owned; to be told as new */
	size_t added_count;
	struct chat_marks marks;    /* owned */
	struct missed_changes changes;
};

static void
catch_up_free(struct catch_up *g)
{
	free(g->known);
	free(g->mine);
	free(g->added);
	map_fini(&g->place);
	chat_marks_fini(&g->marks);
	db_result_unref(&g->first);
	db_result_unref(&g->second);
	free(g);
}

static void
catch_up_fail(struct catch_up *g, enum err err)
{
	request_fail(g->r, err, NULL);
	catch_up_free(g);
}

static struct chat_known *
known_of(const struct catch_up *g, const struct uuid *chat)
{
	size_t place = (size_t)(uintptr_t)map_get(&g->place, chat);

	return place > 0 ? &g->known[place - 1] : NULL;
}

/* ---- parts --------------------------------------------------------------- */

static void
add_versioned(struct catch_up *g, uint32_t *count, enum catch_up_kind kind,
    const struct uuid *chat, int64_t seq, uint32_t version,
    const struct buf *json)
{
	struct catch_up_part part = { .kind = kind, .chat = *chat,
		.seq = (uint64_t)seq, .version = version };

	if (json != NULL) {
		part.json = (const char *)json->data;
		part.json_len = json->len;
	}
	put_catch_up_part(&g->r->body, &part);
	(*count)++;
}

static void
add_part(struct catch_up *g, uint32_t *count, enum catch_up_kind kind,
    const struct uuid *chat, int64_t seq, const struct buf *json)
{
	add_versioned(g, count, kind, chat, seq, 0, json);
}

static void
add_lost(struct catch_up *g, uint32_t *count, struct buf *json)
{
	for (size_t i = 0; i < g->known_count; i++) {
		const struct chat_known *k = &g->known[i];

		if (g->mine[i]) {
			continue;
		}
		buf_reset(json);
		if (k->known) {
			view_member_removed(json, &k->chat,
			    &g->r->frame->user, NULL);
		}
		add_part(g, count, PART_CHAT_LOST, &k->chat, 0, json);
	}
}

/* A chat is told as it was at the joining: what followed comes as messages and
 * counts as unread by their coming. */
static void
add_added(struct catch_up *g, uint32_t *count, const bool *online,
    struct buf *json)
{
	for (size_t i = 0; i < g->added_count; i++) {
		struct chat_item c = g->added[i];

		c.has_last = c.has_last && c.last_seq == c.joined_seq;
		c.read_seq = c.last_seq;
		buf_reset(json);
		view_chat_added(json, &c, &g->r->frame->user, online[i]);
		add_versioned(g, count, PART_CHAT_ADDED, &c.id, c.joined_seq,
		    c.version, json);
	}
}

static void
add_changes(struct catch_up *g, uint32_t *count, const bool *online,
    struct buf *json)
{
	for (size_t i = 0; i < g->changes.count; i++) {
		struct group_changed c;

		buf_reset(json);
		c = missed_changes_put(&g->changes, i, &g->r->frame->user,
		    online, json);
		add_versioned(g, count, PART_CHANGE, &c.chat, 0, c.version,
		    json);
	}
}

/* True: cut, more is to be asked for. */
static bool
add_messages(struct catch_up *g, uint32_t *count, struct buf *json)
{
	size_t rows = db_rows(g->second, SECOND_MESSAGES);

	for (size_t i = 0; i < rows; i++) {
		struct message m;

		if (i == MESSAGES_MAX || g->r->body.len > BYTES_MAX) {
			return true;
		}
		store_message_read(g->second, SECOND_MESSAGES, i, &m);
		buf_reset(json);
		view_new_message(json, &m, &g->r->frame->user,
		    chat_marks_state(&g->marks, &m), true, NULL);
		add_part(g, count, PART_MESSAGE, &m.chat_id, m.seq, json);
	}
	return false;
}

static void
add_delivered(struct catch_up *g, uint32_t *count, struct buf *json)
{
	struct uuid ids[IDS_MAX];
	struct uuid last = { { 0 } };
	int64_t last_seq = 0;
	size_t n = 0;
	size_t rows = db_rows(g->second, SECOND_DELIVERED);

	for (size_t i = 0; i <= rows; i++) {
		struct uuid chat = { { 0 } }, id;
		int64_t seq = 0;

		if (i < rows) {
			store_announced_read(g->second, SECOND_DELIVERED, i,
			    &chat, &seq, &id);
		}
		if (n > 0 && (i == rows || n == IDS_MAX ||
		    !uuid_eq(&chat, &last))) {
			buf_reset(json);
			view_delivered(json, ids, n);
			add_part(g, count, PART_RECEIPT, &last, last_seq, json);
			n = 0;
		}
		if (i < rows) {
			ids[n++] = id;
			last = chat;
			last_seq = seq;
		}
	}
}

static void
add_reads(struct catch_up *g, uint32_t *count, struct buf *json)
{
	for (size_t i = 0; i < db_rows(g->second, SECOND_READS); i++) {
		struct uuid chat, reader;
		int64_t seq;

		store_reads_read(g->second, SECOND_READS, i, &chat, &reader,
		    &seq);
		buf_reset(json);
		view_chat_read(json, &chat, &reader);
		add_part(g, count, PART_RECEIPT, &chat, seq, json);
	}
}

/* What other sessions of the user have read. */
static void
add_own_reads(struct catch_up *g, uint32_t *count, struct buf *json)
{
	for (size_t i = 0; i < db_rows(g->second, SECOND_OWN_READS); i++) {
		struct uuid chat;
		int64_t seq, unread;

		store_own_reads_read(g->second, SECOND_OWN_READS, i, &chat,
		    &seq, &unread);
		buf_reset(json);
		view_unread_changed(json, &chat, unread, NULL);
		add_part(g, count, PART_RECEIPT, &chat, seq, json);
	}
}

static size_t
statuses_count(const struct catch_up *g)
{
	return g->head.away_ms > 0 ? db_rows(g->second, SECOND_STATUSES) : 0;
}

/* While presenced learns anew who is online, after Redis forgot it, someone may
 * read Offline who is not: so only who was seen to go is told as gone. */
static bool
went(const struct catch_up *g, int64_t last_seen_at)
{
	return last_seen_at >= clock_unix_ms() - (int64_t)g->head.away_ms -
	    AWAY_MARGIN_MS;
}

/* As they are now. Where no presenced says, nothing is claimed. */
static void
add_statuses(struct catch_up *g, uint32_t *count, const bool *online,
    struct buf *json)
{
	const struct uuid no_chat = { { 0 } };

	if (!presence_is_known(g->r->svc->presence)) {
		return;
	}
	for (size_t i = 0; i < statuses_count(g); i++) {
		int64_t last_seen_at;
		struct uuid user;

		store_statuses_read(g->second, SECOND_STATUSES, i, &user,
		    &last_seen_at);
		if (!online[i] && !went(g, last_seen_at)) {
			continue;
		}
		buf_reset(json);
		view_status_changed(json, &user, online[i], last_seen_at);
		add_part(g, count, PART_STATUS, &no_chat, 0, json);
	}
}

static void
on_statuses(void *arg, const bool *online)
{
	struct catch_up *g = arg;
	struct buf *body = &g->r->body;
	struct buf json = BUF_INIT;
	uint32_t count = 0;
	bool more;

	buf_put_u8(body, 0);
	buf_put_u32(body, 0);
	add_lost(g, &count, &json);
	add_added(g, &count, online, &json);
	add_changes(g, &count, online + g->added_count, &json);
	more = add_messages(g, &count, &json) || g->changes.more;
	if (!more && g->head.away_ms > 0) {
		add_delivered(g, &count, &json);
		add_reads(g, &count, &json);
		add_own_reads(g, &count, &json);
		add_statuses(g, &count, online + g->added_count +
		    g->changes.people_count, &json);
	}
	body->data[0] = more ? 1 : 0;
	buf_set_u32(body, 1, count);
	buf_fini(&json);
	request_answer(g->r);
	catch_up_free(g);
}

/* ---- second unit --------------------------------------------------------- */

static void
on_second(void *arg, struct db_result *res)
{
	struct catch_up *g = arg;
	enum err err = request_db_err(res);
	size_t people, statuses;
	struct uuid *others;

	if (err != ERR_OK) {
		catch_up_fail(g, err);
		return;
	}
	g->second = db_result_ref(res);
	chat_marks_read(&g->marks, g->second, SECOND_LOWEST);
	missed_changes_read(&g->changes, g->second, SECOND_CHANGES);
	people = g->added_count + g->changes.people_count;
	statuses = statuses_count(g);
	others = mem_alloc((people + statuses + 1) * sizeof(*others));
	for (size_t i = 0; i < g->added_count; i++) {
		others[i] = g->added[i].kind == CHAT_GROUP ?
		    g->r->frame->user : g->added[i].other.id;
	}
	missed_changes_people(&g->changes, others + g->added_count);
	for (size_t i = 0; i < statuses; i++) {
		int64_t last_seen_at;

		store_statuses_read(g->second, SECOND_STATUSES, i,
		    &others[people + i], &last_seen_at);
	}
	presence_ask(g->r->svc->presence, others, people + statuses,
	    on_statuses, g);
	free(others);
}

/* Named chats that are still the user's, then those that were not named. */
static void
submit_second(struct catch_up *g)
{
	const struct uuid *user = &g->r->frame->user;
	struct uuid *gained = mem_alloc((g->added_count + 1) *
	    sizeof(*gained));
	struct uuid *all = mem_alloc((g->known_count + g->added_count + 1) *
	    sizeof(*all));
	size_t gained_n = 0, all_n = 0;
	struct db_unit *u;

	for (size_t i = 0; i < g->known_count; i++) {
		if (g->mine[i]) {
			all[all_n++] = g->known[i].chat;
		}
	}
	for (size_t i = 0; i < g->added_count; i++) {
		if (known_of(g, &g->added[i].id) == NULL) {
			gained[gained_n++] = g->added[i].id;
			all[all_n++] = g->added[i].id;
		}
	}
	u = db_unit_new(g->r->svc->db, DB_SNAPSHOT, g->r->in->deadline_ms);
	store_missed_step(u, user, g->known, g->known_count, gained, gained_n,
	    MESSAGES_MAX + 1);
	store_lowest_step(u, all, all_n);
	missed_changes_steps(u, user, g->known, g->known_count);
	if (g->head.away_ms > 0) {
		store_reads_step(u, user,
		    (int64_t)g->head.away_ms + AWAY_MARGIN_MS);
		store_own_reads_step(u, user,
		    (int64_t)g->head.away_ms + AWAY_MARGIN_MS);
		store_announced_step(u, user,
		    (int64_t)g->head.away_ms + AWAY_MARGIN_MS);
		store_statuses_step(u, user,
		    (int64_t)g->head.away_ms + AWAY_MARGIN_MS,
		    settings.status_group_max);
	}
	free(gained);
	free(all);
	db_submit(u, on_second, g);
}

/* ---- first unit ---------------------------------------------------------- */

/* What was written to the session was committed before. If it is not there the
 * store was set back, to a backup or by a failover that lost commits: numbers are
 * given a second time, and the session would take the new messages for repeats. */
static void
answer_set_back(struct catch_up *g, const struct uuid *chat)
{
	uint32_t count = 0;

	buf_put_u8(&g->r->body, 0);
	buf_put_u32(&g->r->body, 0);
	add_part(g, &count, PART_SET_BACK, chat, 0, NULL);
	buf_set_u32(&g->r->body, 1, count);
	request_answer(g->r);
	catch_up_free(g);
}

static void
on_first(void *arg, struct db_result *res)
{
	struct catch_up *g = arg;
	enum err err = request_db_err(res);
	size_t items;

	if (err != ERR_OK) {
		catch_up_fail(g, err);
		return;
	}
	g->first = db_result_ref(res);
	for (size_t i = 0; i < db_rows(res, FIRST_MINE); i++) {
		int64_t last_seq;
		struct uuid chat = store_mine_read(res, FIRST_MINE, i,
		    &last_seq);
		struct chat_known *k = known_of(g, &chat);

		if (k == NULL) {
			continue;
		}
		if (k->known && k->after_seq > (uint64_t)last_seq) {
			answer_set_back(g, &chat);
			return;
		}
		g->mine[k - g->known] = true;
	}
	items = db_rows(res, FIRST_ITEMS);
	g->added = mem_alloc((items + 1) * sizeof(*g->added));
	for (size_t i = 0; i < items; i++) {
		struct chat_item *c = &g->added[g->added_count];
		const struct chat_known *k;

		store_chat_item_read(res, FIRST_ITEMS, i, c);
		k = known_of(g, &c->id);
		if (k == NULL || !k->known) {
			g->added_count++;
		}
	}
	store_chat_items_sort(g->added, g->added_count);
	submit_second(g);
}

static bool
read_body(struct catch_up *g)
{
	struct rd rd;
	uint32_t n;

	rd_init(&rd, g->r->frame->body, g->r->frame->body_len);
	get_catch_up_head(&rd, &g->head);
	n = rd_u32(&rd);
	if (!rd_ok(&rd) || n > CHATS_MAX) {
		return false;
	}
	g->known = mem_alloc((n + 1) * sizeof(*g->known));
	g->mine = mem_zalloc((n + 1) * sizeof(*g->mine));
	for (uint32_t i = 0; i < n; i++) {
		struct chat_known *k = &g->known[g->known_count];

		get_chat_known(&rd, k);
		if (map_get(&g->place, &k->chat) == NULL) {
			g->known_count++;
			map_put(&g->place, &k->chat,
			    (void *)(uintptr_t)g->known_count);
		}
	}
	return rd_done(&rd);
}

void
handle_catch_up(struct request *r)
{
	struct catch_up *g = mem_zalloc(sizeof(*g));
	struct uuid *ids;
	size_t unknown = 0;
	struct db_unit *u;

	g->r = r;
	map_init(&g->place);
	if (!read_body(g)) {
		catch_up_fail(g, ERR_PROTOCOL);
		return;
	}
	ids = mem_alloc((g->known_count + 1) * sizeof(*ids));
	u = db_unit_new(r->svc->db, DB_SNAPSHOT, r->in->deadline_ms);
	for (size_t i = 0; i < g->known_count; i++) {
		ids[i] = g->known[i].chat;
	}
	store_mine_step(u, &r->frame->user, ids, g->known_count);
	for (size_t i = 0; i < g->known_count; i++) {
		if (!g->known[i].known) {
			ids[unknown++] = g->known[i].chat;
		}
	}
	store_chat_items_step(u, &r->frame->user,
	    g->head.all_chats ? NULL : ids, unknown, STORE_CHATS_MAX);
	free(ids);
	db_submit(u, on_first, g);
}
