/*
 * Chats, members and pages of messages in the database. Each `_step` adds one
 * statement to a unit; the `_read` beside it reads a row of its result.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_STORE_CHATS_H
#define CHATD_STORE_CHATS_H

#include "chatd/db.h"
#include "chatd/marks.h"
#include "chatd/model.h"
#include "common/calls.h"
#include "common/err.h"

/* What a session shows: at most so many chats, newest activity first. */
#define STORE_CHATS_MAX 1000

struct session_user {
	struct person person;
	struct text email;
	int64_t expires_at;
};

void store_session_users_step(struct db_unit *u, const struct uuid *tokens,
    const struct uuid *users, size_t n);
/* Of the session at `place`; *at is the next row, 0 before the first session.
 * ERR_TOKEN_UNKNOWN (also: ended) or ERR_TOKEN_EXPIRED. */
MUST_CHECK enum err store_session_user_read(const struct db_result *r,
    unsigned step, size_t place, size_t *at, struct session_user *s_r);

/* The transaction's first step wherever members or messages of chats change. */
void store_chats_lock_step(struct db_unit *u, const struct uuid *chats,
    size_t n);

/* All chats of the user (`chats` NULL), or those of the list. */
void store_chat_items_step(struct db_unit *u, const struct uuid *viewer,
    const struct uuid *chats, size_t n, int64_t limit);
/* All chats of each of these viewers, one viewer's behind the other's. */
void store_chat_lists_step(struct db_unit *u, const struct uuid *viewers,
    size_t n, int64_t limit);
/* The place of the viewer in whose list the row is. */
size_t store_chat_item_viewer(const struct db_result *r, unsigned step,
    size_t row);
void store_chat_item_read(const struct db_result *r, unsigned step, size_t row,
    struct chat_item *item_r);
/* The rows of a list come in any order. Sorted: the newest activity first, of
 * equal ones the newer chat. */
void store_chat_items_sort(struct chat_item *items, size_t n);

void store_members_step(struct db_unit *u, const struct uuid *viewer,
    const struct uuid *chat);
void store_member_read(const struct db_result *r, unsigned step, size_t row,
    struct member *m_r);

/* The `limit` messages before `before_seq` (INT64_MAX: the newest). */
void store_page_step(struct db_unit *u, const struct uuid *viewer,
    const struct uuid *chat, int64_t before_seq, int64_t limit);
/* Also rows of store_missed_step. */
void store_message_read(const struct db_result *r, unsigned step, size_t row,
    struct message *m_r);

/* A private chat of the two: made with `id` unless there is one. */
void store_private_chat_steps(struct db_unit *u, const struct uuid *asker,
    const struct uuid *other, const struct uuid *id);
/* False: there is no such other. */
bool store_private_chat_read(const struct db_result *r, unsigned first_step,
    struct uuid *chat_r);

/* ---- catch-up -------------------------------------------------------------------- */

void store_mine_step(struct db_unit *u, const struct uuid *user,
    const struct uuid *chats, size_t n);
struct uuid store_mine_read(const struct db_result *r, unsigned step,
    size_t row, int64_t *last_seq_r);
void store_missed_step(struct db_unit *u, const struct uuid *user,
    const struct chat_known *known, size_t n, const struct uuid *gained,
    size_t gained_n, int64_t limit);
/* What of the known groups has changed since their versions; two steps, about
 * the first `limit` of them. */
void store_changes_steps(struct db_unit *u, const struct uuid *user,
    const struct chat_known *known, size_t n, int64_t limit);
/* What was changed. */
enum group_part {
	GROUP_NAME,
	GROUP_DESCRIPTION,
	GROUP_AVATAR,
	GROUP_MEMBERS, /* and admins: rows of the second step */
};
struct group_changed {
	struct uuid chat;
	uint32_t version;     /* of the group now */
	enum group_part part;
	struct uuid changer;
	struct text text;     /* as it is now; GROUP_MEMBERS: TEXT_NULL */
};
void store_changed_read(const struct db_result *r, unsigned step, size_t row,
    struct group_changed *c_r);
/* Of which chat a member of the second step is; store_member_read for the rest.
 */
struct uuid store_changed_member_chat(const struct db_result *r,
    unsigned step, size_t row);
void store_lowest_step(struct db_unit *u, const struct uuid *chats, size_t n);
void store_lowest_read(const struct db_result *r, unsigned step, size_t row,
    struct uuid *chat_r, struct uuid *user_r, int64_t *delivered_r,
    int64_t *read_r);
void store_reads_step(struct db_unit *u, const struct uuid *user,
    int64_t away_ms);
void store_reads_read(const struct db_result *r, unsigned step, size_t row,
    struct uuid *chat_r, struct uuid *reader_r, int64_t *seq_r);
void store_own_reads_step(struct db_unit *u, const struct uuid *user,
    int64_t away_ms);
void store_own_reads_read(const struct db_result *r, unsigned step, size_t row,
    struct uuid *chat_r, int64_t *seq_r, int64_t *unread_r);
void store_announced_step(struct db_unit *u, const struct uuid *user,
    int64_t away_ms);
void store_announced_read(const struct db_result *r, unsigned step, size_t row,
    struct uuid *chat_r, int64_t *seq_r, struct uuid *id_r);
void store_statuses_step(struct db_unit *u, const struct uuid *user,
    int64_t away_ms, int64_t group_max);
void store_statuses_read(const struct db_result *r, unsigned step, size_t row,
    struct uuid *user_r, int64_t *last_seen_at_r);

#endif
