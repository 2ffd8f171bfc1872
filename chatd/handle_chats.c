/*
 * Chats: open_chat, create_private_chat.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "chatd/chat_page.h"
#include "chatd/events.h"
#include "chatd/handlers.h"
#include "chatd/service.h"
#include "chatd/store_chats.h"
#include "chatd/view.h"
#include "common/calls.h"
#include "common/mem.h"

/* ---- open_chat ----------------------------------------------------------- */

struct opening {
	struct request *r;      /* owned until answered */
	struct chat_page page;  /* owned */
};

static void
put_request_id(struct json_out *j, const struct request *r)
{
	if (r->fields.request_id != NULL) {
		json_key_str(j, "request_id", r->fields.request_id);
	}
}

static void
on_opened(void *arg)
{
	struct opening *g = arg;
	struct rpc_out out = { .status = ERR_OK, .chat = g->page.item.id,
		.seq = (uint64_t)g->page.item.last_seq };
	struct json_out j;

	json_out_init(&j, &g->r->body);
	json_obj(&j);
	json_key_str(&j, "type", "chat_info");
	json_key(&j, "chat");
	chat_page_put(&j, &g->page);
	put_request_id(&j, g->r);
	json_obj_end(&j);
	request_answer_out(g->r, &out);
	chat_page_fini(&g->page);
	free(g);
}

static void
on_open_loaded(void *arg, struct db_result *res)
{
	struct opening *g = arg;
	enum err err = request_db_err(res);

	if (err == ERR_OK && !chat_page_read(&g->page, &g->r->frame->user,
	    res)) {
		err = ERR_CHAT_FORBIDDEN;
	}
	if (err != ERR_OK) {
		request_fail(g->r, err, NULL);
		free(g);
		return;
	}
	chat_page_ask(&g->page, g->r->svc, on_opened, g);
}

void
handle_open_chat(struct request *r)
{
	struct opening *g = mem_zalloc(sizeof(*g));
	struct db_unit *u;

	g->r = r;
	u = db_unit_new(r->svc->db, DB_SNAPSHOT, r->in->deadline_ms);
	chat_page_steps(u, &r->frame->user,
	    &request_field(r, FIELD_open_chat_chat_id)->uuid);
	db_submit(u, on_open_loaded, g);
}

/* ---- create_private_chat ------------------------------------------------- */

/*
 *   insert unless there is one -> load both sides' views -> statuses
 *     -> new: tell the other and own other sessions, wait for Redis -> answer
 */
struct creation {
	struct request *r;            /* owned until answered */
	struct uuid other;
	struct uuid proposed;         /* the id it gets if it is new */
	struct uuid chat;
	struct chat_page page;        /* owned; the asker's view */
	struct chat_item others_item; /* the other's view */
};

static bool
with_oneself(const struct creation *g)
{
	return uuid_eq(&g->other, &g->r->frame->user);
}

static void
creation_fail(struct creation *g, enum err err)
{
	request_fail(g->r, err, NULL);
	chat_page_fini(&g->page);
	free(g);
}

static void
creation_answer(void *arg)
{
	struct creation *g = arg;
	struct rpc_out out = { .status = ERR_OK, .chat = g->chat,
		.seq = (uint64_t)g->page.item.last_seq };
	struct json_out j;

	json_out_init(&j, &g->r->body);
	json_obj(&j);
	json_key_str(&j, "type", "private_chat_created");
	json_key(&j, "chat");
	chat_page_put(&j, &g->page);
	json_key(&j, "chat_item");
	chat_page_put_item(&j, &g->page);
	put_request_id(&j, g->r);
	json_obj_end(&j);
	request_answer_out(g->r, &out);
	chat_page_fini(&g->page);
	free(g);
}

static void
announce(struct creation *g, struct event_wait *w, const struct uuid *user,
    const struct chat_item *item, const struct uuid *skip)
{
	struct buf json = BUF_INIT;
	struct event e = { .kind = EVENT_CHAT_ADDED,
		.trace = g->r->frame->trace, .chat = g->chat,
		.seq = (uint64_t)item->last_seq };

	if (skip != NULL) {
		e.skip_session = *skip;
	}
	view_chat_added(&json, item, user,
	    chat_page_online(&g->page, &item->other.id));
	e.json = (const char *)json.data;
	e.json_len = json.len;
	event_wait_to_user(w, user, &e);
	buf_fini(&json);
}

static void
on_created_statuses(void *arg)
{
	struct creation *g = arg;
	const struct frame *frame = g->r->frame;
	struct event_wait *w;

	if (!uuid_eq(&g->chat, &g->proposed)) {
		creation_answer(g);
		return;
	}
	w = event_wait_new(g->r->svc->events, creation_answer, g);
	announce(g, w, &frame->user, &g->page.item, &frame->session);
	if (!with_oneself(g)) {
		announce(g, w, &g->other, &g->others_item, NULL);
	}
	event_wait_go(w);
}

static void
on_created_loaded(void *arg, struct db_result *res)
{
	struct creation *g = arg;

	if (db_outcome(res) != DB_OK ||
	    !chat_page_read(&g->page, &g->r->frame->user, res) ||
	    db_rows(res, PAGE_STEPS) == 0) {
		creation_fail(g, ERR_UNAVAILABLE);
		return;
	}
	store_chat_item_read(res, PAGE_STEPS, 0, &g->others_item);
	chat_page_ask(&g->page, g->r->svc, on_created_statuses, g);
}

static void
on_inserted(void *arg, struct db_result *res)
{
	struct creation *g = arg;
	const struct uuid *user = &g->r->frame->user;
	enum err err = request_db_err(res);
	struct db_unit *u;

	if (err == ERR_OK && !store_private_chat_read(res, 0, &g->chat)) {
		err = ERR_NOT_FOUND;
	}
	if (err != ERR_OK) {
		creation_fail(g, err);
		return;
	}
	u = db_unit_new(g->r->svc->db, DB_SNAPSHOT, g->r->in->deadline_ms);
	chat_page_steps(u, user, &g->chat);
	store_chat_items_step(u, &g->other, &g->chat, 1, 1);
	db_submit(u, on_created_loaded, g);
}

void
handle_create_private_chat(struct request *r)
{
	struct creation *g = mem_zalloc(sizeof(*g));
	struct db_unit *u;

	g->r = r;
	g->other = request_field(r, FIELD_create_private_chat_user_id)->uuid;
	g->proposed = uuid_v7();
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_private_chat_steps(u, &r->frame->user, &g->other,
	    &g->proposed);
	db_submit(u, on_inserted, g);
}
