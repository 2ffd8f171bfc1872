/*
 * What operators ask, in the database.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/store_admin.h"

void
store_admin_find_step(struct db_unit *u, struct text user)
{
	struct uuid id;

	db_step(u, SQL_admin_user_find);
	db_put_uuid(u, uuid_parse(user.p, user.len, &id) ? &id : NULL);
	db_put_text(u, user);
}

void
store_admin_list_step(struct db_unit *u, struct text after,
    struct text match, bool disabled, int64_t limit)
{
	db_step(u, SQL_admin_user_list);
	db_put_text(u, after.p != NULL ? after : (struct text){ "", 0 });
	db_put_text(u, match);
	db_put_i32(u, disabled ? 1 : 0);
	db_put_i64(u, limit);
}

void
store_admin_user_read(const struct db_result *r, unsigned step, size_t i,
    struct admin_user *user_r)
{
	struct db_row row = db_row(r, step, i);

	user_r->id = db_get_uuid(&row);
	user_r->username = db_get_text(&row);
	user_r->name = db_get_text(&row);
	user_r->email = db_get_text(&row);
	user_r->avatar_url = db_get_text(&row);
	user_r->created_at = db_get_time(&row);
	user_r->last_seen_at = db_get_time(&row);
	user_r->disabled_at = db_get_time(&row);
	user_r->being_erased = db_get_bool(&row);
	user_r->sessions = db_get_int(&row);
	user_r->chats = db_get_int(&row);
}

void
store_admin_there_step(struct db_unit *u, const struct uuid *user)
{
	db_step(u, SQL_admin_user_there);
	db_put_uuid(u, user);
}

void
store_admin_disable_step(struct db_unit *u, const struct uuid *user)
{
	db_step(u, SQL_admin_user_disable);
	db_put_uuid(u, user);
}

void
store_admin_enable_step(struct db_unit *u, const struct uuid *user)
{
	db_step(u, SQL_admin_user_enable);
	db_put_uuid(u, user);
}

void
store_admin_password_step(struct db_unit *u, const struct uuid *user,
    const char *hash)
{
	db_step(u, SQL_admin_user_password);
	db_put_uuid(u, user);
	db_put_cstr(u, hash);
}

void
store_admin_tokens_end_step(struct db_unit *u, const struct uuid *user,
    const struct uuid *token)
{
	db_step(u, SQL_admin_tokens_end);
	db_put_uuid(u, user);
	db_put_uuid(u, token);
}

void
store_admin_tokens_step(struct db_unit *u, const struct uuid *user,
    int64_t limit)
{
	db_step(u, SQL_admin_tokens);
	db_put_uuid(u, user);
	db_put_i64(u, limit);
}

void
store_admin_token_read(const struct db_result *r, unsigned step, size_t i,
    struct admin_token *t_r)
{
	struct db_row row = db_row(r, step, i);

	t_r->id = db_get_uuid(&row);
	t_r->created_at = db_get_time(&row);
	t_r->expires_at = db_get_time(&row);
}

/* ---- export ---------------------------------------------------------------- */

void
store_export_step(struct db_unit *u, enum sql part, const struct uuid *user,
    struct text after, int64_t limit)
{
	db_step(u, part);
	db_put_uuid(u, user);
	db_put_text(u, after.p != NULL ? after : (struct text){ "", 0 });
	db_put_i64(u, limit);
}

void
store_export_read(const struct db_result *r, unsigned step, size_t i,
    struct text *line_r, struct text *next_r)
{
	struct db_row row = db_row(r, step, i);

	*line_r = db_get_text(&row);
	*next_r = db_get_text(&row);
}

/* ---- erasing --------------------------------------------------------------- */

static void
of_user(struct db_unit *u, enum sql statement, const struct uuid *user)
{
	db_step(u, statement);
	db_put_uuid(u, user);
}

void
store_erase_begin_steps(struct db_unit *u, const struct uuid *user,
    const struct uuid *shell)
{
	of_user(u, SQL_erase_begin, user);
	db_put_uuid(u, shell);
	store_admin_tokens_end_step(u, user, NULL);
	of_user(u, SQL_erase_shell, user);
	of_user(u, SQL_erase_group, user);
}

void
store_erase_messages_steps(struct db_unit *u, const struct uuid *user,
    int64_t limit)
{
	db_step(u, SQL_erase_blocks_lock);
	of_user(u, SQL_erase_messages, user);
	db_put_i64(u, limit);
}

void
store_erase_end_steps(struct db_unit *u, const struct uuid *user)
{
	of_user(u, SQL_erase_chats_lock, user);
	of_user(u, SQL_erase_chats_bury, user);
	of_user(u, SQL_erase_chats_rename, user);
	of_user(u, SQL_erase_members, user);
	of_user(u, SQL_erase_group_traces, user);
	of_user(u, SQL_erase_user, user);
	store_admin_there_step(u, user);
}
