/*
 * Telling the members of a group what has changed in it. Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_GROUP_NEWS_H
#define CHATD_GROUP_NEWS_H

#include "chatd/chat_page.h"
#include "chatd/model.h"
#include "chatd/request.h"
#include "chatd/store_groups.h"

/* Who is told what by whom. */
struct group_news {
	struct request *r;  /* borrowed; its session gets the answer instead */
	struct uuid chat;
	uint32_t version;   /* of the change; 0: none */
};

/* `json` to everyone in the rows of store_group_called_step. */
void group_news_tell(const struct group_news *n, const struct buf *json,
    const struct db_result *res, unsigned step);
/* admin_given_to_member to everyone in those rows, with what each calls `m`. */
void group_news_admin(const struct group_news *n, const struct member *m,
    bool online, const struct uuid *giver, const struct db_result *res,
    unsigned step);
/* Who has left held the others' messages back from being read: tells those
 * whose messages no longer wait for him. */
void group_news_read(const struct group_news *n, const struct uuid *left,
    const struct group_removed *removed, const struct db_result *res,
    unsigned step);

/* The members after somebody has joined, with what each viewer calls the others:
 * to those who were in before. `res` holds the rows of
 * store_group_nicknames_step. */
struct group_joining {
	const struct chat_page *page;
	const struct uuid *added; /* sorted */
	size_t added_count;
	const struct db_result *res;
	unsigned step;
};
void group_news_joined(const struct group_news *n,
    const struct group_joining *g);
/* What a viewer calls someone; TEXT_NULL: nothing. */
struct text group_joining_nickname(const struct group_joining *g,
    const struct uuid *viewer, const struct uuid *user);

#endif
