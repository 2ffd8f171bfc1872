/*
 * What operators ask, in the database. Each `_step` adds one statement to a unit
 * (`_steps`: several); the `_read` beside it reads a row of its result.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_STORE_ADMIN_H
#define CHATD_STORE_ADMIN_H

#include "chatd/db.h"
#include "chatd/model.h"

/* An account as operators see it. Texts are the result's. */
struct admin_user {
	struct uuid id;
	struct text username;
	struct text name;
	struct text email;
	struct text avatar_url;
	int64_t created_at;
	int64_t last_seen_at; /* -1: never */
	int64_t disabled_at;  /* -1: enabled */
	bool being_erased;
	int64_t sessions;     /* logins that hold */
	int64_t chats;
};

/* `user`: an id, a username or an email address. At most one row. */
void store_admin_find_step(struct db_unit *u, struct text user);
/* Above the username `after`; `match` TEXT_NULL: all. */
void store_admin_list_step(struct db_unit *u, struct text after,
    struct text match, bool disabled, int64_t limit);
void store_admin_user_read(const struct db_result *r, unsigned step,
    size_t row, struct admin_user *user_r);

/* Each gives one row where there is such an account. */
void store_admin_there_step(struct db_unit *u, const struct uuid *user);
void store_admin_disable_step(struct db_unit *u, const struct uuid *user);
void store_admin_enable_step(struct db_unit *u, const struct uuid *user);
void store_admin_password_step(struct db_unit *u, const struct uuid *user,
    const char *hash);

/* `token` NULL: all of the user's. db_affected tells how many held. */
void store_admin_tokens_end_step(struct db_unit *u, const struct uuid *user,
    const struct uuid *token);
struct admin_token {
	struct uuid id;
	int64_t created_at;
	int64_t expires_at;
};
void store_admin_tokens_step(struct db_unit *u, const struct uuid *user,
    int64_t limit);
void store_admin_token_read(const struct db_result *r, unsigned step,
    size_t row, struct admin_token *t_r);

/* One of the export_ statements: lines of JSON, and where to go on. */
void store_export_step(struct db_unit *u, enum sql part,
    const struct uuid *user, struct text after, int64_t limit);
void store_export_read(const struct db_result *r, unsigned step, size_t row,
    struct text *line_r, struct text *next_r);

/* ---- erasing, in this order; each may be repeated -------------------------- */

/* Disables, ends all tokens, makes the shell (`shell`, unless there is one
 * already), and names a group that he is still in. */
enum erase_begin_step {
	ERASE_THERE,  /* one row where there is such an account */
	ERASE_TOKENS,
	ERASE_SHELL,
	ERASE_GROUP,  /* one row: the group's id */
};
void store_erase_begin_steps(struct db_unit *u, const struct uuid *user,
    const struct uuid *shell);
/* The next `limit` messages; db_affected of ERASE_MESSAGES tells how many. */
enum erase_messages_step {
	ERASE_BLOCKS_LOCK,
	ERASE_MESSAGES,
};
void store_erase_messages_steps(struct db_unit *u, const struct uuid *user,
    int64_t limit);
/* The rest, when no message and no group is left. A row of ERASE_STILL_THERE: a
 * message has come meanwhile, begin again. */
#define ERASE_STILL_THERE 6
void store_erase_end_steps(struct db_unit *u, const struct uuid *user);

#endif
