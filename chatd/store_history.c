/*
 * Pages of the past, and who hears a member typing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/store_history.h"

#include <string.h>

void
store_extents_step(struct db_unit *u, const struct uuid *user,
    const struct uuid *chats, size_t n)
{
	db_step(u, SQL_history_chats);
	db_put_uuid(u, user);
	db_put_uuids(u, chats, n);
}

struct extent
store_extent_read(const struct db_result *r, unsigned step, size_t i)
{
	struct db_row row = db_row(r, step, i);
	struct extent e;

	e.place = (size_t)db_get_int(&row) - 1;
	e.last_seq = db_get_int(&row);
	return e;
}

void
store_newer_step(struct db_unit *u, const struct uuid *user,
    const struct uuid *chats, const int64_t *after, size_t n, int64_t limit,
    int64_t bytes)
{
	db_step(u, SQL_history_newer);
	db_put_uuid(u, user);
	db_put_uuids(u, chats, n);
	db_put_i64s(u, after, n);
	db_put_i64(u, limit);
	db_put_i64(u, bytes);
}

void
store_access_step(struct db_unit *u, const struct uuid *user,
    const struct uuid *chat)
{
	db_step(u, SQL_search_access);
	db_put_uuid(u, user);
	db_put_uuid(u, chat);
}

enum search_access
store_access_read(const struct db_result *r, unsigned step,
    int64_t *behind_r)
{
	struct db_row row = db_row(r, step, 0);
	bool chat = db_get_bool(&row);
	bool member = db_get_bool(&row);

	*behind_r = db_get_int(&row);
	if (!chat) {
		return SEARCH_NO_CHAT;
	}
	return member ? SEARCH_MEMBER : SEARCH_STRANGER;
}

void
store_copy_step(struct db_unit *u, const struct uuid *chat, int64_t blocks)
{
	db_step(u, SQL_search_copy);
	db_put_uuid(u, chat);
	db_put_i64(u, blocks);
}

void
store_found_step(struct db_unit *u, const struct uuid *chat, struct text q,
    int64_t limit)
{
	db_step(u, SQL_search_messages);
	db_put_uuid(u, chat);
	db_put_text(u, q);
	db_put_i64(u, limit);
}

void
store_found_read(const struct db_result *r, unsigned step, size_t i,
    struct message *m)
{
	struct db_row row = db_row(r, step, i);

	memset(m, 0, sizeof(*m));
	m->id = db_get_uuid(&row);
	m->content = db_get_text(&row);
	m->sender_id = db_get_uuid(&row);
	m->created_at = db_get_time(&row);
	m->seq = db_get_int(&row);
}

void
store_typing_step(struct db_unit *u, const struct uuid *chats,
    const struct uuid *users, size_t n)
{
	db_step(u, SQL_typing_members);
	db_put_uuids(u, chats, n);
	db_put_uuids(u, users, n);
}

struct listener
store_listener_read(const struct db_result *r, unsigned step, size_t i)
{
	struct db_row row = db_row(r, step, i);
	struct listener l;

	l.place = (size_t)db_get_int(&row) - 1;
	l.user = db_get_uuid(&row);
	return l;
}
