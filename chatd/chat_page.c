/*
 * Loading and showing one chat.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/chat_page.h"

#include <stdlib.h>
#include <string.h>

#include "chatd/presence.h"
#include "chatd/service.h"
#include "common/mem.h"

void
chat_page_steps(struct db_unit *u, const struct uuid *viewer,
    const struct uuid *chat)
{
	store_chat_items_step(u, viewer, chat, 1, 1);
	store_members_step(u, viewer, chat);
	/* One more than is shown: whether there are older ones. */
	store_page_step(u, viewer, chat, INT64_MAX, CHAT_PAGE_MESSAGES + 1);
}

static void
read_messages(struct chat_page *p, const struct db_result *res)
{
	size_t rows = db_rows(res, PAGE_MESSAGES);
	size_t first = rows > CHAT_PAGE_MESSAGES ? rows - CHAT_PAGE_MESSAGES : 0;

	p->has_more = first > 0;
	p->message_count = rows - first;
	p->messages = mem_alloc((p->message_count + 1) *
	    sizeof(*p->messages));
	for (size_t i = 0; i < p->message_count; i++) {
		store_message_read(res, PAGE_MESSAGES, first + i,
		    &p->messages[i]);
	}
}

bool
chat_page_read(struct chat_page *p, const struct uuid *viewer,
    struct db_result *res)
{
	memset(p, 0, sizeof(*p));
	if (db_rows(res, PAGE_ITEM) == 0) {
		return false;
	}
	p->viewer = *viewer;
	p->res = db_result_ref(res);
	store_chat_item_read(res, PAGE_ITEM, 0, &p->item);
	p->member_count = db_rows(res, PAGE_MEMBERS);
	p->members = mem_alloc((p->member_count + 1) * sizeof(*p->members));
	p->online = mem_zalloc((p->member_count + 1) * sizeof(*p->online));
	for (size_t i = 0; i < p->member_count; i++) {
		store_member_read(res, PAGE_MEMBERS, i, &p->members[i]);
	}
	read_messages(p, res);
	return true;
}

void
chat_page_fini(struct chat_page *p)
{
	free(p->members);
	free(p->online);
	free(p->messages);
	db_result_unref(&p->res);
}

static void
on_statuses(void *arg, const bool *online)
{
	struct chat_page *p = arg;

	for (size_t i = 0; i < p->member_count; i++) {
		/* Who asks is online, whether presenced knows it yet or not. */
		p->online[i] = online[i] ||
		    uuid_eq(&p->members[i].person.id, &p->viewer);
	}
	p->fn(p->arg);
}

void
chat_page_ask(struct chat_page *p, struct service *svc, chat_page_fn *fn,
    void *arg)
{
	struct uuid *ids = mem_alloc((p->member_count + 1) * sizeof(*ids));

	p->fn = fn;
	p->arg = arg;
	for (size_t i = 0; i < p->member_count; i++) {
		ids[i] = p->members[i].person.id;
	}
	presence_ask(svc->presence, ids, p->member_count, on_statuses, p);
	free(ids);
}

void
chat_page_put(struct json_out *j, const struct chat_page *p)
{
	struct chat_view view = { .item = &p->item, .members = p->members,
		.online = p->online, .member_count = p->member_count,
		.messages = p->messages, .message_count = p->message_count,
		.has_more = p->has_more };

	view_chat(j, &view, &p->viewer);
}

bool
chat_page_online(const struct chat_page *p, const struct uuid *user)
{
	for (size_t i = 0; i < p->member_count; i++) {
		if (uuid_eq(&p->members[i].person.id, user)) {
			return p->online[i];
		}
	}
	return false;
}

void
chat_page_put_item(struct json_out *j, const struct chat_page *p)
{
	view_chat_item(j, &p->item, &p->viewer,
	    chat_page_online(p, &p->item.other.id));
}
