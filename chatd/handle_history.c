/*
 * The past of chats: get_messages (one page backwards) and sync (what a client
 * missed, of many chats).
 *
 * A sync is answered in parts, so that neither we nor a gateway ever hold more
 * than one: each ends with the chat that fills it, and the cursor that comes
 * back with the next request says where to go on. A part is
 *
 *	whose chats, how far they go -> choose what fits
 *	    -> messages, marks -> frames
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "chatd/chat_marks.h"
#include "chatd/handlers.h"
#include "chatd/service.h"
#include "chatd/store_chats.h"
#include "chatd/store_history.h"
#include "chatd/view.h"
#include "common/error_frame.h"
#include "common/mem.h"

/* Bytes of JSON in one chat_messages. */
#define PAGE_BYTES_MAX ((size_t)512 << 10)

static void
put_page_head(struct json_out *j, const struct uuid *chat)
{
	json_obj(j);
	json_key_str(j, "type", "chat_messages");
	json_key_uuid(j, "chat_id", chat);
}

static void
put_page_end(struct json_out *j, bool has_more, const struct request *r)
{
	json_key_bool(j, "has_more", has_more);
	if (r->fields.request_id != NULL) {
		json_key_str(j, "request_id", r->fields.request_id);
	}
	json_obj_end(j);
}

/* Appends one message, and returns its length. */
static size_t
put_message(struct buf *b, const struct message *m, const struct request *r,
    const struct chat_marks *marks)
{
	struct json_out j;
	size_t before = b->len;

	json_out_init(&j, b);
	view_message(&j, m, &r->frame->user, chat_marks_state(marks, m));
	return b->len - before;
}

/* ---- get_messages -------------------------------------------------------- */

#define LIMIT_DEFAULT 50
#define LIMIT_MAX 100

enum page_step {
	STEP_EXTENT,
	STEP_PAGE,
	STEP_LOWEST,
};

/* How many messages are wanted; one more is loaded, which tells whether there
 * are older ones: a chat may have lost its beginning (retention). */
static size_t
page_limit(const struct request *r)
{
	const struct field_value *limit = request_field(r,
	    FIELD_get_messages_limit);

	if (!limit->present) {
		return LIMIT_DEFAULT;
	}
	return limit->number < LIMIT_MAX ? (size_t)limit->number : LIMIT_MAX;
}

/* The newest of the rows that together keep within PAGE_BYTES_MAX, oldest first
 * again. True: there are older ones. */
static bool
put_newest_rows(struct json_out *j, const struct request *r,
    const struct db_result *res, const struct chat_marks *marks)
{
	size_t at[LIMIT_MAX + 1] = { 0 };
	struct buf text = BUF_INIT;
	size_t rows = db_rows(res, STEP_PAGE);
	size_t limit = page_limit(r);
	size_t n = 0;

	while (n < rows && n < limit) {
		struct message m;

		store_message_read(res, STEP_PAGE, rows - 1 - n, &m);
		put_message(&text, &m, r, marks);
		if (n > 0 && text.len > PAGE_BYTES_MAX) {
			break;
		}
		at[++n] = text.len;
	}
	for (size_t i = n; i > 0; i--) {
		json_raw(j, (const char *)text.data + at[i - 1],
		    at[i] - at[i - 1]);
	}
	buf_fini(&text);
	return n < rows;
}

static void
on_page(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	struct chat_marks marks;
	struct json_out j;
	bool more;

	if (err == ERR_OK && db_rows(res, STEP_EXTENT) == 0) {
		err = ERR_CHAT_FORBIDDEN;
	}
	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	chat_marks_read(&marks, res, STEP_LOWEST);
	json_out_init(&j, &r->body);
	put_page_head(&j, &request_field(r, FIELD_get_messages_chat_id)->uuid);
	json_key_arr(&j, "messages");
	more = put_newest_rows(&j, r, res, &marks);
	json_arr_end(&j);
	put_page_end(&j, more, r);
	chat_marks_fini(&marks);
	request_answer(r);
}

void
handle_get_messages(struct request *r)
{
	const struct uuid *chat = &request_field(r,
	    FIELD_get_messages_chat_id)->uuid;
	const struct field_value *before = request_field(r,
	    FIELD_get_messages_before_seq);
	const struct field_value *limit = request_field(r,
	    FIELD_get_messages_limit);
	struct db_unit *u;

	if (before->present && before->number < 0) {
		request_fail(r, ERR_INVALID_FIELD, "before_seq");
		return;
	}
	if (limit->present && limit->number < 1) {
		request_fail(r, ERR_INVALID_FIELD, "limit");
		return;
	}
	u = db_unit_new(r->svc->db, DB_SNAPSHOT, r->in->deadline_ms);
	store_extents_step(u, &r->frame->user, chat, 1);
	store_page_step(u, &r->frame->user, chat,
	    before->present ? before->number : INT64_MAX,
	    (int64_t)page_limit(r) + 1);
	store_lowest_step(u, chat, 1);
	db_submit(u, on_page, r);
}

/* ---- sync: the cursor ---------------------------------------------------- */

/* Of one chat, and of one part; a part also ends with the chat that takes it
 * over PART_BYTES. */
#define SYNC_MESSAGES_MAX 500
#define PART_BYTES ((size_t)128 << 10)
/* Of a whole sync. */
#define SYNC_BYTES_MAX ((size_t)4 << 20)

/* Where a sync stands: what comes back to us in frame.seq. */
struct cursor {
	size_t at;    /* the chat to go on with */
	size_t sent;  /* chat_messages so far */
	size_t bytes; /* in them */
};

static struct cursor
cursor_unpack(uint64_t seq)
{
	return (struct cursor){ .at = (size_t)(seq >> 48),
		.sent = (size_t)(seq >> 32 & 0xffff),
		.bytes = (size_t)(seq & 0xffffffff) };
}

static uint64_t
cursor_pack(const struct cursor *c)
{
	return (uint64_t)c->at << 48 | (uint64_t)c->sent << 32 |
	    (uint64_t)c->bytes;
}

/* ---- sync: one part ------------------------------------------------------ */

struct sync_chat {
	struct uuid id;
	int64_t after;
	int64_t last_seq; /* -1: not the user's */
	bool loaded;      /* its messages are among the rows */
};

struct sync {
	struct request *r;       /* owned until answered */
	struct sync_chat *chats; /* owned; each once, in the order asked */
	size_t count;
	struct cursor cursor;
	struct db_result *res;   /* owned; rows of loaded chats; may be NULL */
	struct chat_marks marks; /* of them */
	size_t row;              /* the next one */
};

enum sync_step {
	SYNC_NEWER,
	SYNC_LOWEST,
};

static void
sync_free(struct sync *g)
{
	if (g->res != NULL) {
		chat_marks_fini(&g->marks);
		db_result_unref(&g->res);
	}
	free(g->chats);
	free(g);
}

static void
sync_fail(struct sync *g, enum err err)
{
	request_fail(g->r, err, NULL);
	sync_free(g);
}

static bool
has_newer(const struct sync_chat *c)
{
	return c->last_seq > c->after;
}

/* The frames of an answer are blobs behind their count. */
static void
put_frame(struct sync *g, const struct buf *json, uint32_t *count)
{
	buf_put_blob(&g->r->body, json->data, json->len);
	(*count)++;
}

/* The chat's rows as far as they fit; returns the last seq that did. With no row
 * at all nothing newer is stored any more (retention), and all of it is told. */
static int64_t
put_rows(struct sync *g, const struct sync_chat *c, struct json_out *j,
    size_t bytes_max)
{
	struct buf text = BUF_INIT;
	int64_t upto = c->last_seq;
	size_t bytes = 0;
	bool full = false, first = true;

	/* All of its rows are passed, so that the next chat finds its own. */
	for (; g->row < db_rows(g->res, SYNC_NEWER); g->row++) {
		struct message m;

		store_message_read(g->res, SYNC_NEWER, g->row, &m);
		if (!uuid_eq(&m.chat_id, &c->id)) {
			break;
		}
		if (full) {
			continue;
		}
		if (first) {
			first = false;
			upto = c->after;
		}
		buf_reset(&text);
		bytes += put_message(&text, &m, g->r, &g->marks);
		full = bytes > bytes_max;
		if (!full) {
			json_raw(j, (const char *)text.data, text.len);
			upto = m.seq;
		}
	}
	buf_fini(&text);
	return upto;
}

static void
put_chat(struct sync *g, const struct sync_chat *c, struct buf *json,
    uint32_t *count)
{
	size_t left = SYNC_BYTES_MAX - g->cursor.bytes;
	int64_t upto = c->after;
	struct json_out j;

	buf_reset(json);
	json_out_init(&j, json);
	put_page_head(&j, &c->id);
	json_key_arr(&j, "messages");
	if (c->loaded) {
		upto = put_rows(g, c, &j,
		    left < PAGE_BYTES_MAX ? left : PAGE_BYTES_MAX);
	}
	json_arr_end(&j);
	put_page_end(&j, upto < c->last_seq, g->r);
	put_frame(g, json, count);
	g->cursor.sent++;
	g->cursor.bytes += json->len;
	if (g->cursor.bytes > SYNC_BYTES_MAX) {
		g->cursor.bytes = SYNC_BYTES_MAX;
	}
}

static void
put_done(struct sync *g, struct buf *json, uint32_t *count)
{
	struct json_out j;

	buf_reset(json);
	json_out_init(&j, json);
	json_obj(&j);
	json_key_str(&j, "type", "sync_done");
	json_key_int(&j, "chats", (int64_t)g->cursor.sent);
	if (g->r->fields.request_id != NULL) {
		json_key_str(&j, "request_id", g->r->fields.request_id);
	}
	json_obj_end(&j);
	put_frame(g, json, count);
}

/* Nothing more fits: chats that have something are only named. */
static bool
exhausted(const struct sync *g)
{
	return g->cursor.bytes >= SYNC_BYTES_MAX;
}

/* The frames of the chats from the cursor on, until the part is full or a chat
 * was not loaded. */
static void
put_chats(struct sync *g, struct buf *json, uint32_t *count)
{
	while (g->cursor.at < g->count && g->r->body.len < PART_BYTES) {
		const struct sync_chat *c = &g->chats[g->cursor.at];

		if (c->last_seq < 0) {
			buf_reset(json);
			chat_forbidden_put(json, &c->id, NULL,
			    g->r->fields.request_id);
			put_frame(g, json, count);
		} else if (has_newer(c)) {
			if (!c->loaded && !exhausted(g)) {
				return;
			}
			put_chat(g, c, json, count);
		}
		g->cursor.at++;
	}
}

static void
sync_answer(struct sync *g)
{
	struct rpc_out out = { .status = ERR_OK };
	struct buf json = BUF_INIT;
	uint32_t count = 0;

	buf_put_u32(&g->r->body, 0);
	put_chats(g, &json, &count);
	if (g->cursor.at == g->count) {
		put_done(g, &json, &count);
	} else {
		out.seq = cursor_pack(&g->cursor);
	}
	buf_set_u32(&g->r->body, 0, count);
	buf_fini(&json);
	request_answer_out(g->r, &out);
	sync_free(g);
}

static void
on_newer(void *arg, struct db_result *res)
{
	struct sync *g = arg;
	enum err err = request_db_err(res);

	if (err != ERR_OK) {
		sync_fail(g, err);
		return;
	}
	g->res = db_result_ref(res);
	chat_marks_read(&g->marks, res, SYNC_LOWEST);
	sync_answer(g);
}

/* Chooses the chats whose messages make up this part. */
static void
load_messages(struct sync *g)
{
	struct uuid *ids = mem_alloc((g->count + 1) * sizeof(*ids));
	int64_t *after = mem_alloc((g->count + 1) * sizeof(*after));
	int64_t planned = 0;
	struct db_unit *u;
	size_t n = 0;

	for (size_t i = g->cursor.at; i < g->count && !exhausted(g) &&
	    planned < SYNC_MESSAGES_MAX; i++) {
		struct sync_chat *c = &g->chats[i];

		if (has_newer(c)) {
			c->loaded = true;
			ids[n] = c->id;
			after[n++] = c->after;
			planned += c->last_seq - c->after;
		}
	}
	if (n == 0) {
		sync_answer(g);
	} else {
		u = db_unit_new(g->r->svc->db, DB_SNAPSHOT,
		    g->r->in->deadline_ms);
		store_newer_step(u, &g->r->frame->user, ids, after, n,
		    SYNC_MESSAGES_MAX, PAGE_BYTES_MAX);
		store_lowest_step(u, ids, n);
		db_submit(u, on_newer, g);
	}
	free(ids);
	free(after);
}

static void
on_extents(void *arg, struct db_result *res)
{
	struct sync *g = arg;
	enum err err = request_db_err(res);

	if (err != ERR_OK) {
		sync_fail(g, err);
		return;
	}
	for (size_t i = 0; i < db_rows(res, 0); i++) {
		struct extent e = store_extent_read(res, 0, i);

		g->chats[g->cursor.at + e.place].last_seq = e.last_seq;
	}
	load_messages(g);
}

/* A chat that was named more than once is answered once, from its lowest
 * mark. */
static void
read_chats(struct sync *g, const struct field_value *v)
{
	struct map places;

	map_init(&places);
	g->chats = mem_zalloc((v->list_len + 1) * sizeof(*g->chats));
	for (size_t i = 0; i < v->list_len; i++) {
		const struct field_mark *m = &v->marks[i];
		struct sync_chat *c = map_get(&places, &m->chat);

		if (c == NULL) {
			c = &g->chats[g->count++];
			*c = (struct sync_chat){ .id = m->chat,
				.after = m->last_seq, .last_seq = -1 };
			map_put(&places, &m->chat, c);
		} else if (m->last_seq < c->after) {
			c->after = m->last_seq;
		}
	}
	map_fini(&places);
}

void
handle_sync(struct request *r)
{
	struct sync *g = mem_zalloc(sizeof(*g));
	struct uuid *ids;
	struct db_unit *u;

	g->r = r;
	read_chats(g, request_field(r, FIELD_sync_chats));
	g->cursor = cursor_unpack(r->frame->seq);
	if (g->cursor.at > g->count || g->cursor.bytes > SYNC_BYTES_MAX) {
		sync_fail(g, ERR_PROTOCOL);
		return;
	}
	if (g->cursor.at == g->count) {
		sync_answer(g);
		return;
	}
	ids = mem_alloc(g->count * sizeof(*ids));
	for (size_t i = g->cursor.at; i < g->count; i++) {
		ids[i - g->cursor.at] = g->chats[i].id;
	}
	u = db_unit_new(r->svc->db, DB_SNAPSHOT, r->in->deadline_ms);
	store_extents_step(u, &r->frame->user, ids, g->count - g->cursor.at);
	free(ids);
	db_submit(u, on_extents, g);
}
