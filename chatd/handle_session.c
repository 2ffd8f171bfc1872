/*
 * Tokens and sessions: check_token, check_held_tokens, logout, user_info.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "chatd/events.h"
#include "chatd/handlers.h"
#include "chatd/presence.h"
#include "chatd/service.h"
#include "chatd/settings.h"
#include "chatd/store_chats.h"
#include "chatd/store_tokens.h"
#include "chatd/view.h"
#include "common/calls.h"
#include "common/mem.h"

#define HELD_MAX 5000

/* ---- check_token --------------------------------------------------------- */

static void
on_token(void *arg, struct db_result *res)
{
	struct request *r = arg;
	struct rpc_out out = { .status = request_db_err(res) };
	int64_t expires_at = 0;

	if (out.status == ERR_OK) {
		out.status = store_token_check_read(res, 0, &out.token,
		    &out.user, &expires_at);
	}
	if (out.status != ERR_OK) {
		request_fail(r, out.status, NULL);
		return;
	}
	out.seq = (uint64_t)expires_at;
	request_answer_out(r, &out);
}

void
handle_check_token(struct request *r)
{
	struct db_unit *u;

	if (r->frame->body_len != TOKEN_HASH_LEN) {
		request_fail(r, ERR_PROTOCOL, NULL);
		return;
	}
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_token_check_step(u, r->frame->body);
	if (settings.logout_grace > 0) {
		store_token_revive_step(u, r->frame->body);
	}
	db_submit(u, on_token, r);
}

/* ---- check_held_tokens --------------------------------------------------- */

static void
on_held(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	size_t n;

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	n = db_rows(res, 0);
	buf_put_u32(&r->body, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		int64_t expires_at = store_tokens_held_read(res, 0, i);

		buf_put_u64(&r->body,
		    expires_at > 0 ? (uint64_t)expires_at : 0);
	}
	request_answer(r);
}

void
handle_check_held_tokens(struct request *r)
{
	struct rd rd;
	struct uuid *ids;
	struct db_unit *u;
	uint32_t n;

	rd_init(&rd, r->frame->body, r->frame->body_len);
	n = rd_u32(&rd);
	if (!rd_ok(&rd) || n > HELD_MAX ||
	    rd_left(&rd) != (size_t)n * sizeof(struct uuid)) {
		request_fail(r, n > HELD_MAX ? ERR_TOO_LARGE : ERR_PROTOCOL,
		    NULL);
		return;
	}
	ids = mem_alloc((n + 1) * sizeof(*ids));
	for (uint32_t i = 0; i < n; i++) {
		ids[i] = rd_uuid(&rd);
	}
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_tokens_held_step(u, ids, n);
	free(ids);
	db_submit(u, on_held, r);
}

/* ---- logout -------------------------------------------------------------- */

/* Other sockets of the token close at once; with a grace they do so when the
 * gateways look whether their tokens still hold. */
static void
on_ended(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	struct event e = { .kind = EVENT_TOKEN_ENDED,
		.trace = r->frame->trace, .token = r->frame->token,
		.skip_session = r->frame->session };
	struct rpc_out out = { .status = ERR_OK,
		.seq = (uint64_t)settings.logout_grace };

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	if (settings.logout_grace == 0) {
		events_to_user(r->svc->events, &r->frame->user, &e);
	}
	request_answer_out(r, &out);
}

void
handle_logout(struct request *r)
{
	struct db_unit *u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);

	store_token_end_step(u, &r->frame->token, &r->frame->user,
	    settings.logout_grace);
	db_submit(u, on_ended, r);
}

/* ---- user_info ----------------------------------------------------------- */

enum user_info_step {
	STEP_USER,
	STEP_CHATS,
};

struct user_info {
	struct request *r;       /* owned until answered */
	struct db_result *res;   /* owned */
	struct session_user user;
	struct chat_item *items; /* owned */
	size_t count;
};

static void
put_user_info(struct user_info *g, const bool *online, struct buf *b)
{
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_key_str(&j, "type", "user_info");
	json_key(&j, "user");
	view_own_user(&j, &g->user);
	json_key_arr(&j, "last_chats");
	for (size_t i = 0; i < g->count; i++) {
		view_chat_item(&j, &g->items[i], &g->user.person.id,
		    online[i]);
	}
	json_arr_end(&j);
	json_obj_end(&j);
}

static void
on_statuses(void *arg, const bool *online)
{
	struct user_info *g = arg;
	struct buf json = BUF_INIT;
	struct buf *body = &g->r->body;

	put_user_info(g, online, &json);
	buf_put_u32(body, (uint32_t)g->count);
	for (size_t i = 0; i < g->count; i++) {
		struct chat_mark mark = { .chat = g->items[i].id,
			.last_seq = (uint64_t)g->items[i].last_seq,
			.delivered_seq = (uint64_t)g->items[i].delivered_seq,
			.version = g->items[i].version };

		put_chat_mark(body, &mark);
	}
	buf_put_blob(body, json.data, json.len);
	buf_fini(&json);
	request_answer(g->r);
	db_result_unref(&g->res);
	free(g->items);
	free(g);
}

/* One id for each chat: the other one's; oneself for groups, whose status is
 * not shown. */
static void
ask_statuses(struct user_info *g)
{
	struct uuid *ids = mem_alloc((g->count + 1) * sizeof(*ids));

	for (size_t i = 0; i < g->count; i++) {
		ids[i] = g->items[i].kind == CHAT_GROUP ?
		    g->user.person.id : g->items[i].other.id;
	}
	presence_ask(g->r->svc->presence, ids, g->count, on_statuses, g);
	free(ids);
}

static void
on_snapshot(void *arg, struct db_result *res)
{
	struct user_info *g = arg;
	enum err err = request_db_err(res);

	if (err == ERR_OK) {
		err = store_session_user_read(res, STEP_USER, &g->user);
	}
	if (err != ERR_OK) {
		request_fail(g->r, err, NULL);
		free(g);
		return;
	}
	g->res = db_result_ref(res);
	g->count = db_rows(res, STEP_CHATS);
	g->items = mem_alloc((g->count + 1) * sizeof(*g->items));
	for (size_t i = 0; i < g->count; i++) {
		store_chat_item_read(res, STEP_CHATS, i, &g->items[i]);
	}
	ask_statuses(g);
}

void
handle_user_info(struct request *r)
{
	struct user_info *g = mem_zalloc(sizeof(*g));
	struct db_unit *u;

	g->r = r;
	u = db_unit_new(r->svc->db, DB_SNAPSHOT, r->in->deadline_ms);
	store_session_user_step(u, &r->frame->token, &r->frame->user);
	store_chat_items_step(u, &r->frame->user, NULL, 0, STORE_CHATS_MAX);
	db_submit(u, on_snapshot, g);
}
