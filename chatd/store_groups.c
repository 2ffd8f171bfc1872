/*
 * Groups.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/store_groups.h"

#include <string.h>

#include "chatd/store_chats.h"
#include "chatd/store_messages.h"
#include "common/err.h"

/* Messages announced to one who is left alone. */
#define ALONE_MAX 5000

/* ---- who may -------------------------------------------------------------- */

void
store_group_begin(struct db_unit *u, const struct uuid *chat,
    const struct uuid *asker)
{
	store_chats_lock_step(u, chat, 1);
	db_step(u, SQL_group_rights);
	db_put_uuid(u, chat);
	db_put_uuid(u, asker);
}

enum group_right
store_group_right(const struct db_result *r)
{
	struct db_row row;
	enum chat_kind kind;

	if (db_rows(r, GROUP_RIGHTS) == 0) {
		return GROUP_ABSENT;
	}
	row = db_row(r, GROUP_RIGHTS, 0);
	kind = (enum chat_kind)db_get_int(&row);
	if (kind != CHAT_GROUP) {
		return GROUP_PRIVATE;
	}
	if (db_null(&row)) {
		return GROUP_STRANGER;
	}
	return db_get_int(&row) == ROLE_ADMIN ? GROUP_ADMIN : GROUP_MEMBER;
}

/* ---- creating ------------------------------------------------------------- */

void
store_group_create_steps(struct db_unit *u, const struct new_group *g)
{
	db_step(u, SQL_group_insert);
	db_put_uuid(u, &g->creator);
	db_put_uuid(u, &g->id);
	db_put_cstr(u, g->request_id);
	db_put_text(u, g->name);
	db_put_text(u, g->description);
	db_put_text(u, g->avatar_url);
	db_put_uuids(u, g->members, g->member_count);
	db_step(u, SQL_group_find);
	db_put_uuid(u, &g->creator);
	db_put_uuid(u, &g->id);
	db_put_cstr(u, g->request_id);
}

bool
store_group_created(const struct db_result *r, struct uuid *id_r)
{
	struct db_row row;

	if (db_rows(r, 1) == 0) {
		return false;
	}
	row = db_row(r, 1, 0);
	*id_r = db_get_uuid(&row);
	return true;
}

/* ---- changing ------------------------------------------------------------- */

void
store_group_change_step(struct db_unit *u, const struct uuid *chat,
    const struct uuid *asker, struct text name, struct text description,
    struct text avatar_url)
{
	db_step(u, SQL_group_change);
	db_put_uuid(u, chat);
	db_put_uuid(u, asker);
	db_put_text(u, name);
	db_put_text(u, description);
	db_put_text(u, avatar_url);
}

uint32_t
store_group_version(const struct db_result *r, unsigned step)
{
	struct db_row row;

	if (db_rows(r, step) == 0) {
		return 0;
	}
	row = db_row(r, step, 0);
	return (uint32_t)db_get_int(&row);
}

void
store_group_give_admin_step(struct db_unit *u, const struct uuid *chat,
    const struct uuid *asker, const struct uuid *user)
{
	db_step(u, SQL_group_give_admin);
	db_put_uuid(u, chat);
	db_put_uuid(u, asker);
	db_put_uuid(u, user);
}

void
store_group_member_step(struct db_unit *u, const struct uuid *chat,
    const struct uuid *user)
{
	db_step(u, SQL_group_member);
	db_put_uuid(u, chat);
	db_put_uuid(u, user);
}

void
store_group_called_step(struct db_unit *u, const struct uuid *chat,
    const struct uuid *person)
{
	db_step(u, SQL_group_called);
	db_put_uuid(u, chat);
	db_put_uuid(u, person);
}

void
store_group_called_read(const struct db_result *r, unsigned step, size_t i,
    struct group_called *c)
{
	struct db_row row = db_row(r, step, i);

	c->user = db_get_uuid(&row);
	c->nickname = db_get_text(&row);
	c->read_seq = db_get_int(&row);
}

/* ---- joining -------------------------------------------------------------- */

void
store_group_add_step(struct db_unit *u, const struct uuid *chat,
    const struct uuid *asker, const struct uuid *ids, size_t n, int64_t max)
{
	db_step(u, SQL_group_add);
	db_put_uuid(u, chat);
	db_put_uuid(u, asker);
	db_put_uuids(u, ids, n);
	db_put_i64(u, max);
}

enum err
store_group_add_read(const struct db_result *r, unsigned step,
    size_t *joined_r, uint32_t *version_r)
{
	struct db_row row;
	bool known, fits;

	*joined_r = 0;
	*version_r = 0;
	if (db_rows(r, step) == 0) {
		return ERR_UNAUTHORIZED;
	}
	row = db_row(r, step, 0);
	known = db_get_bool(&row);
	fits = db_get_bool(&row);
	if (!known || !fits) {
		return known ? ERR_TOO_LARGE : ERR_NOT_FOUND;
	}
	*version_r = (uint32_t)db_get_int(&row);
	*joined_r = db_null(&row) ? 0 : db_rows(r, step);
	return ERR_OK;
}

void
store_group_joined_read(const struct db_result *r, unsigned step, size_t i,
    struct group_joined *j)
{
	struct db_row row = db_row(r, step, i);

	db_skip(&row, 3);
	j->user = db_get_uuid(&row);
	j->joined_seq = db_get_int(&row);
}

void
store_group_nicknames_step(struct db_unit *u, const struct uuid *chat)
{
	db_step(u, SQL_group_nicknames);
	db_put_uuid(u, chat);
}

void
store_group_nickname_read(const struct db_result *r, unsigned step, size_t i,
    struct uuid *owner_r, struct uuid *user_r, struct text *nickname_r)
{
	struct db_row row = db_row(r, step, i);

	*owner_r = db_get_uuid(&row);
	*user_r = db_get_uuid(&row);
	*nickname_r = db_get_text(&row);
}

/* ---- leaving -------------------------------------------------------------- */

void
store_group_remove_steps(struct db_unit *u, const struct uuid *chat,
    const struct uuid *asker, const struct uuid *user)
{
	db_step(u, SQL_group_remove);
	db_put_uuid(u, chat);
	db_put_uuid(u, asker);
	db_put_uuid(u, user);
	store_announce_step(u, chat, 1);
	db_step(u, SQL_group_alone);
	db_put_uuid(u, chat);
	db_put_i64(u, ALONE_MAX);
	store_group_called_step(u, chat, NULL);
	db_step(u, SQL_group_bury);
	db_put_uuid(u, chat);
}

bool
store_group_removed(const struct db_result *r, struct group_removed *g)
{
	struct db_row row;

	if (db_rows(r, GROUP_REMOVED) == 0) {
		return false;
	}
	row = db_row(r, GROUP_REMOVED, 0);
	g->last_seq = db_get_int(&row);
	g->read_seq = db_get_int(&row);
	g->heir = db_get_uuid(&row);
	g->version = (uint32_t)db_get_int(&row);
	return true;
}

void
store_groups_purge_steps(struct db_unit *u, int64_t limit)
{
	db_step(u, SQL_groups_purge);
	db_put_i64(u, limit);
	db_step(u, SQL_groups_forget);
}
