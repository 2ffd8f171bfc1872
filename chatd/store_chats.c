/*
 * Chats, members, pages.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/store_chats.h"

#include <stdlib.h>
#include <string.h>

#include "chatd/store_users.h"
#include "common/mem.h"

void
store_session_users_step(struct db_unit *u, const struct uuid *tokens,
    const struct uuid *users, size_t n)
{
	db_step(u, SQL_session_users);
	db_put_uuids(u, tokens, n);
	db_put_uuids(u, users, n);
}

enum err
store_session_user_read(const struct db_result *r, unsigned step, size_t place,
    size_t *at, struct session_user *s)
{
	struct db_row row;
	bool expired;

	if (*at == db_rows(r, step)) {
		return ERR_TOKEN_UNKNOWN;
	}
	row = db_row(r, step, *at);
	if ((size_t)db_get_int(&row) != place + 1) {
		return ERR_TOKEN_UNKNOWN;
	}
	++*at;
	memset(s, 0, sizeof(*s));
	s->person.id = db_get_uuid(&row);
	s->person.username = db_get_text(&row);
	s->person.name = db_get_text(&row);
	s->email = db_get_text(&row);
	s->person.avatar_url = db_get_text(&row);
	s->person.last_seen_at = db_get_time(&row);
	s->expires_at = db_get_time(&row);
	expired = db_get_bool(&row);
	if (db_get_bool(&row)) {
		return ERR_TOKEN_UNKNOWN;
	}
	return expired ? ERR_TOKEN_EXPIRED : ERR_OK;
}

void
store_chats_lock_step(struct db_unit *u, const struct uuid *chats, size_t n)
{
	db_step(u, SQL_chats_lock);
	db_put_uuids(u, chats, n);
}

/* ---- items ------------------------------------------------------------------------ */

void
store_chat_items_step(struct db_unit *u, const struct uuid *viewer,
    const struct uuid *chats, size_t n, int64_t limit)
{
	db_step(u, SQL_chat_items);
	db_put_uuids(u, viewer, 1);
	if (chats == NULL) {
		db_put_null(u);
	} else {
		db_put_uuids(u, chats, n);
	}
	db_put_i64(u, limit);
}

void
store_chat_lists_step(struct db_unit *u, const struct uuid *viewers, size_t n,
    int64_t limit)
{
	db_step(u, SQL_chat_items);
	db_put_uuids(u, viewers, n);
	db_put_null(u);
	db_put_i64(u, limit);
}

size_t
store_chat_item_viewer(const struct db_result *r, unsigned step, size_t i)
{
	struct db_row row = db_row(r, step, i);

	return (size_t)db_get_int(&row) - 1;
}

/* `whom`: the other one, or who wrote last in a group. */
static void
read_last(struct db_row *row, struct chat_item *c, const struct person *whom)
{
	struct message *m = &c->last;
	struct text own_name;

	c->has_last = !db_null(row);
	m->id = db_get_uuid(row);
	m->chat_id = c->id;
	m->seq = c->last_seq;
	m->sender_id = db_get_uuid(row);
	m->content = db_get_text(row);
	m->format = (enum message_format)db_get_int(row);
	m->filename = db_get_text(row);
	m->created_at = db_get_time(row);
	m->updated_at = -1;
	m->deleted_at = -1;
	own_name = db_get_text(row);
	if (own_name.p != NULL) {
		m->sender.name = own_name;
	} else {
		m->sender = *whom;
	}
	c->last_state = (enum message_state)db_get_int(row);
}

void
store_chat_item_read(const struct db_result *r, unsigned step, size_t i,
    struct chat_item *c)
{
	struct db_row row = db_row(r, step, i);
	struct person whom = { .last_seen_at = -1 };

	memset(c, 0, sizeof(*c));
	db_skip(&row, 1); /* whose */
	c->active_at = db_get_time(&row);
	c->id = db_get_uuid(&row);
	c->kind = (enum chat_kind)db_get_int(&row);
	c->name = db_get_text(&row);
	c->description = db_get_text(&row);
	c->avatar_url = db_get_text(&row);
	c->last_seq = db_get_int(&row);
	c->joined_seq = db_get_int(&row);
	c->delivered_seq = db_get_int(&row);
	c->read_seq = db_get_int(&row);
	c->own_unread = db_get_int(&row);
	c->founder = db_get_bool(&row);
	c->version = (uint32_t)db_get_int(&row);
	whom.id = db_get_uuid(&row);
	whom.username = db_get_text(&row);
	whom.name = db_get_text(&row);
	whom.avatar_url = db_get_text(&row);
	whom.nickname = db_get_text(&row);
	read_last(&row, c, &whom);
	if (c->kind == CHAT_PRIVATE) {
		c->other = whom;
		if (uuid_is_nil(&whom.id)) {
			c->other.id = c->last.sender_id; /* account gone */
		}
	}
}

static int
compare_items(const void *va, const void *vb)
{
	const struct chat_item *a = va;
	const struct chat_item *b = vb;

	if (a->active_at != b->active_at) {
		return a->active_at > b->active_at ? -1 : 1;
	}
	return memcmp(b->id.b, a->id.b, sizeof(a->id.b));
}

void
store_chat_items_sort(struct chat_item *items, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		/* Nearly always they come in this order: nothing promises it. */
		if (compare_items(&items[i - 1], &items[i]) > 0) {
			qsort(items, n, sizeof(*items), compare_items);
			return;
		}
	}
}

/* ---- members, pages ------------------------------------------------------------------ */

void
store_members_step(struct db_unit *u, const struct uuid *viewer,
    const struct uuid *chat)
{
	db_step(u, SQL_chat_members);
	db_put_uuid(u, viewer);
	db_put_uuid(u, chat);
}

void
store_member_read(const struct db_result *r, unsigned step, size_t i,
    struct member *m)
{
	struct db_row row = db_row(r, step, i);

	memset(m, 0, sizeof(*m));
	m->person.id = db_get_uuid(&row);
	m->person.username = db_get_text(&row);
	m->person.name = db_get_text(&row);
	m->person.avatar_url = db_get_text(&row);
	m->person.last_seen_at = db_get_time(&row);
	m->person.nickname = db_get_text(&row);
	m->role = (enum member_role)db_get_int(&row);
	m->last_read_at = db_get_time(&row);
	m->delivered_seq = db_get_int(&row);
	m->read_seq = db_get_int(&row);
}

void
store_page_step(struct db_unit *u, const struct uuid *viewer,
    const struct uuid *chat, int64_t before_seq, int64_t limit)
{
	db_step(u, SQL_chat_page);
	db_put_uuid(u, viewer);
	db_put_uuid(u, chat);
	db_put_i64(u, before_seq);
	db_put_i64(u, limit);
}

void
store_message_read(const struct db_result *r, unsigned step, size_t i,
    struct message *m)
{
	struct db_row row = db_row(r, step, i);

	memset(m, 0, sizeof(*m));
	m->id = db_get_uuid(&row);
	m->chat_id = db_get_uuid(&row);
	m->seq = db_get_int(&row);
	m->sender_id = db_get_uuid(&row);
	m->front_msg_id = db_get_uuid(&row);
	m->format = (enum message_format)db_get_int(&row);
	m->content = db_get_text(&row);
	m->filename = db_get_text(&row);
	m->created_at = db_get_time(&row);
	m->updated_at = db_get_time(&row);
	m->deleted_at = db_get_time(&row);
	m->sender.username = db_get_text(&row);
	m->sender.name = db_get_text(&row);
	m->sender.avatar_url = db_get_text(&row);
	m->sender.nickname = db_get_text(&row);
}

/* ---- private chats -------------------------------------------------------------------- */

void
store_private_chat_steps(struct db_unit *u, const struct uuid *asker,
    const struct uuid *other, const struct uuid *id)
{
	char key[PRIVATE_KEY_LEN + 1];

	store_private_key(asker, other, key);
	db_step(u, SQL_private_chat_insert);
	db_put_uuid(u, asker);
	db_put_uuid(u, other);
	db_put_uuid(u, id);
	db_put_cstr(u, key);
	db_step(u, SQL_private_chat_find);
	db_put_cstr(u, key);
}

bool
store_private_chat_read(const struct db_result *r, unsigned first_step,
    struct uuid *chat_r)
{
	struct db_row row;

	if (db_rows(r, first_step + 1) == 0) {
		return false;
	}
	row = db_row(r, first_step + 1, 0);
	*chat_r = db_get_uuid(&row);
	return true;
}

/* ---- catch-up ------------------------------------------------------------------------- */

void
store_mine_step(struct db_unit *u, const struct uuid *user,
    const struct uuid *chats, size_t n)
{
	db_step(u, SQL_catch_up_mine);
	db_put_uuid(u, user);
	db_put_uuids(u, chats, n);
}

struct uuid
store_mine_read(const struct db_result *r, unsigned step, size_t i,
    int64_t *last_seq_r)
{
	struct db_row row = db_row(r, step, i);
	struct uuid chat = db_get_uuid(&row);

	*last_seq_r = db_get_int(&row);
	return chat;
}

void
store_missed_step(struct db_unit *u, const struct uuid *user,
    const struct chat_known *known, size_t n, const struct uuid *gained,
    size_t gained_n, int64_t limit)
{
	struct uuid *ids = mem_alloc((n + 1) * sizeof(*ids));
	int64_t *after = mem_alloc((n + 1) * sizeof(*after));
	int16_t *is_known = mem_alloc((n + 1) * sizeof(*is_known));

	for (size_t i = 0; i < n; i++) {
		ids[i] = known[i].chat;
		after[i] = known[i].after_seq < INT64_MAX ?
		    (int64_t)known[i].after_seq : INT64_MAX;
		is_known[i] = known[i].known ? 1 : 0;
	}
	db_step(u, SQL_catch_up_messages);
	db_put_uuid(u, user);
	db_put_uuids(u, ids, n);
	db_put_i64s(u, after, n);
	db_put_i16s(u, is_known, n);
	db_put_uuids(u, gained, gained_n);
	db_put_i64(u, limit);
	free(ids);
	free(after);
	free(is_known);
}

void
store_changes_steps(struct db_unit *u, const struct uuid *user,
    const struct chat_known *known, size_t n, int64_t limit)
{
	struct uuid *ids = mem_alloc((n + 1) * sizeof(*ids));
	int32_t *versions = mem_alloc((n + 1) * sizeof(*versions));
	static const enum sql both[] = { SQL_catch_up_changes,
		SQL_catch_up_members };
	size_t count = 0;

	for (size_t i = 0; i < n; i++) {
		if (known[i].known && known[i].version < INT32_MAX) {
			ids[count] = known[i].chat;
			versions[count++] = (int32_t)known[i].version;
		}
	}
	for (size_t i = 0; i < 2; i++) {
		db_step(u, both[i]);
		db_put_uuid(u, user);
		db_put_uuids(u, ids, count);
		db_put_i32s(u, versions, count);
		db_put_i64(u, limit);
	}
	free(ids);
	free(versions);
}

void
store_changed_read(const struct db_result *r, unsigned step, size_t i,
    struct group_changed *c)
{
	struct db_row row = db_row(r, step, i);
	struct text texts[3];

	c->chat = db_get_uuid(&row);
	c->version = (uint32_t)db_get_int(&row);
	c->part = (enum group_part)db_get_int(&row);
	c->changer = db_get_uuid(&row);
	for (size_t k = 0; k < 3; k++) {
		texts[k] = db_get_text(&row);
	}
	c->text = c->part < GROUP_MEMBERS ? texts[c->part] : TEXT_NULL;
}

struct uuid
store_changed_member_chat(const struct db_result *r, unsigned step, size_t i)
{
	struct db_row row = db_row(r, step, i);

	db_skip(&row, 10);
	return db_get_uuid(&row);
}

void
store_lowest_step(struct db_unit *u, const struct uuid *chats, size_t n)
{
	db_step(u, SQL_catch_up_marks);
	db_put_uuids(u, chats, n);
}

void
store_lowest_read(const struct db_result *r, unsigned step, size_t i,
    struct uuid *chat_r, struct uuid *user_r, int64_t *delivered_r,
    int64_t *read_r)
{
	struct db_row row = db_row(r, step, i);

	*chat_r = db_get_uuid(&row);
	*user_r = db_get_uuid(&row);
	*delivered_r = db_get_int(&row);
	*read_r = db_get_int(&row);
}

void
store_reads_step(struct db_unit *u, const struct uuid *user, int64_t away_ms)
{
	db_step(u, SQL_catch_up_reads);
	db_put_uuid(u, user);
	db_put_i64(u, away_ms);
}

void
store_reads_read(const struct db_result *r, unsigned step, size_t i,
    struct uuid *chat_r, struct uuid *reader_r, int64_t *seq_r)
{
	struct db_row row = db_row(r, step, i);

	*chat_r = db_get_uuid(&row);
	*reader_r = db_get_uuid(&row);
	*seq_r = db_get_int(&row);
}

void
store_own_reads_step(struct db_unit *u, const struct uuid *user,
    int64_t away_ms)
{
	db_step(u, SQL_catch_up_own_reads);
	db_put_uuid(u, user);
	db_put_i64(u, away_ms);
}

void
store_own_reads_read(const struct db_result *r, unsigned step, size_t i,
    struct uuid *chat_r, int64_t *seq_r, int64_t *unread_r)
{
	struct db_row row = db_row(r, step, i);

	*chat_r = db_get_uuid(&row);
	*seq_r = db_get_int(&row);
	*unread_r = db_get_int(&row);
}

void
store_announced_step(struct db_unit *u, const struct uuid *user,
    int64_t away_ms)
{
	db_step(u, SQL_catch_up_delivered);
	db_put_uuid(u, user);
	db_put_i64(u, away_ms);
}

void
store_announced_read(const struct db_result *r, unsigned step, size_t i,
    struct uuid *chat_r, int64_t *seq_r, struct uuid *id_r)
{
	struct db_row row = db_row(r, step, i);

	*chat_r = db_get_uuid(&row);
	*seq_r = db_get_int(&row);
	*id_r = db_get_uuid(&row);
}

void
store_statuses_step(struct db_unit *u, const struct uuid *user,
    int64_t away_ms, int64_t group_max)
{
	db_step(u, SQL_catch_up_statuses);
	db_put_uuid(u, user);
	db_put_i64(u, away_ms);
	db_put_i32(u, (int32_t)group_max);
}

void
store_statuses_read(const struct db_result *r, unsigned step, size_t i,
    struct uuid *user_r, int64_t *last_seen_at_r)
{
	struct db_row row = db_row(r, step, i);

	*user_r = db_get_uuid(&row);
	*last_seen_at_r = db_get_time(&row);
}
