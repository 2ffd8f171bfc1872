/*
 * A chat with its members, their statuses and its newest messages, as one
 * viewer sees it: what chat_info and the *_created answers show. One snapshot.
 *
 *  chat_page_steps(u, ...) -> submit -> chat_page_read -> chat_page_ask -> put
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_CHAT_PAGE_H
#define CHATD_CHAT_PAGE_H

#include "chatd/db.h"
#include "chatd/view.h"

struct service;

/* Messages of a chat_info. */
#define CHAT_PAGE_MESSAGES 50

enum chat_page_step {
	PAGE_ITEM,
	PAGE_MEMBERS,
	PAGE_MESSAGES,
	PAGE_STEPS, /* the first step of whoever adds more */
};

typedef void chat_page_fn(void *arg);

struct chat_page {
	struct uuid viewer;
	struct db_result *res;    /* owned */
	struct chat_item item;
	struct member *members;   /* owned */
	bool *online;             /* owned; of each member */
	size_t member_count;
	struct message *messages; /* owned */
	size_t message_count;
	bool has_more;            /* there are older ones */
	chat_page_fn *fn;
	void *arg;
};

void chat_page_steps(struct db_unit *u, const struct uuid *viewer,
    const struct uuid *chat);
/* False: the viewer is no member. `p` is safe to give to chat_page_fini. */
bool chat_page_read(struct chat_page *p, const struct uuid *viewer,
    struct db_result *res);
void chat_page_fini(struct chat_page *p);
/* Finds out who is online, then calls fn. `p` must stay. */
void chat_page_ask(struct chat_page *p, struct service *svc,
    chat_page_fn *fn, void *arg);
/* The chat object and the item. */
void chat_page_put(struct json_out *j, const struct chat_page *p);
void chat_page_put_item(struct json_out *j, const struct chat_page *p);
/* Whether a member is online. */
bool chat_page_online(const struct chat_page *p, const struct uuid *user);

#endif
