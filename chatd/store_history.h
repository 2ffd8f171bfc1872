/*
 * Pages of the past, and who hears a member typing, in the database.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_STORE_HISTORY_H
#define CHATD_STORE_HISTORY_H

#include "chatd/db.h"
#include "chatd/model.h"
#include "common/uuid.h"

/* Which of the chats are the user's: a row each, rows of store_extent_read. */
void store_extents_step(struct db_unit *u, const struct uuid *user,
    const struct uuid *chats, size_t n);
/* `place` is that among the chats asked for. */
struct extent {
	size_t place;
	int64_t last_seq;
};
struct extent store_extent_read(const struct db_result *r, unsigned step,
    size_t row);

/* What is above after[i] in chats[i], oldest first, chat by chat: rows of
 * store_message_read. A chat's rows end with `limit` or with the row that
 * reaches `bytes`. */
void store_newer_step(struct db_unit *u, const struct uuid *user,
    const struct uuid *chats, const int64_t *after, size_t n, int64_t limit,
    int64_t bytes);

enum search_access {
	SEARCH_NO_CHAT,
	SEARCH_STRANGER,
	SEARCH_MEMBER,
};
void store_access_step(struct db_unit *u, const struct uuid *user,
    const struct uuid *chat);
/* *behind_r: blocks of the chat that could be copied and are not. */
enum search_access store_access_read(const struct db_result *r,
    unsigned step, int64_t *behind_r);

/* Copies the chat's next blocks for search, at most `blocks`; db_affected tells
 * how many. */
void store_copy_step(struct db_unit *u, const struct uuid *chat,
    int64_t blocks);

/* The newest `limit` texts with `q` in them, oldest first. Of a message only
 * what a result shows is filled. */
void store_found_step(struct db_unit *u, const struct uuid *chat,
    struct text q, int64_t limit);
void store_found_read(const struct db_result *r, unsigned step, size_t row,
    struct message *m_r);

/* The members of chats[i], if users[i] is one of them. */
void store_typing_step(struct db_unit *u, const struct uuid *chats,
    const struct uuid *users, size_t n);
struct listener {
	size_t place;
	struct uuid user;
};
struct listener store_listener_read(const struct db_result *r, unsigned step,
    size_t row);

#endif
