/*
 * user_info: what a session begins with. Asked for by thousands at once when
 * clients come back, so many are taken from one snapshot; each is answered when
 * presenced has told who of its chats is online.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "chatd/handlers.h"
#include "chatd/openings.h"
#include "chatd/presence.h"
#include "chatd/service.h"
#include "chatd/store_chats.h"
#include "chatd/view.h"
#include "common/calls.h"
#include "common/mem.h"

/* In one snapshot: a few milliseconds of work for people with usual numbers of
 * chats. */
#define BATCH_MAX 16
/* As many as the connections to the database that reads use by default. */
#define BATCHES_MAX 3
/* A chat's mark and its place in the list. */
#define CHAT_BYTES 400

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
	struct buf *body = &g->r->body;
	size_t at;

	(void)buf_reserve(body, (g->count + 1) * CHAT_BYTES);
	buf_put_u32(body, (uint32_t)g->count);
	for (size_t i = 0; i < g->count; i++) {
		struct chat_mark mark = { .chat = g->items[i].id,
			.last_seq = (uint64_t)g->items[i].last_seq,
			.delivered_seq = (uint64_t)g->items[i].delivered_seq,
			.version = g->items[i].version };

		put_chat_mark(body, &mark);
	}
	at = body->len;
	buf_put_u32(body, 0); /* the JSON as a blob: its length */
	put_user_info(g, online, body);
	buf_set_u32(body, at, (uint32_t)(body->len - at - 4));
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

/* The rows of the viewer at `place` begin at *row; moves it behind them. */
static void
read_items(struct user_info *g, const struct db_result *res, size_t place,
    size_t *row)
{
	size_t rows = db_rows(res, STEP_CHATS);
	size_t end = *row;

	while (end < rows &&
	    store_chat_item_viewer(res, STEP_CHATS, end) == place) {
		end++;
	}
	g->count = end - *row;
	g->items = mem_alloc((g->count + 1) * sizeof(*g->items));
	for (size_t i = 0; i < g->count; i++) {
		store_chat_item_read(res, STEP_CHATS, *row + i, &g->items[i]);
	}
	store_chat_items_sort(g->items, g->count);
	*row = end;
}

static void
answer_user_infos(struct request *const *r, size_t n, struct db_result *res)
{
	size_t user_row = 0;
	size_t chat_row = 0;

	for (size_t i = 0; i < n; i++) {
		struct user_info *g = mem_zalloc(sizeof(*g));
		enum err err;

		g->r = r[i];
		err = store_session_user_read(res, STEP_USER, i, &user_row,
		    &g->user);
		read_items(g, res, i, &chat_row);
		if (err == ERR_OK) {
			g->res = db_result_ref(res);
			ask_statuses(g);
		} else {
			request_fail(g->r, err, NULL);
			free(g->items);
			free(g);
		}
	}
}

static void
ask_user_infos(struct db_unit *u, struct request *const *r, size_t n)
{
	struct uuid tokens[GATHER_MAX];
	struct uuid users[GATHER_MAX];

	for (size_t i = 0; i < n; i++) {
		tokens[i] = r[i]->frame->token;
		users[i] = r[i]->frame->user;
	}
	store_session_users_step(u, tokens, users, n);
	store_chat_lists_step(u, users, n, STORE_CHATS_MAX);
}

const struct gather_conf openings_user_infos = {
	.label = "user_info",
	.batch_max = BATCH_MAX,
	.batches_max = BATCHES_MAX,
	.flags = DB_SNAPSHOT,
	.ask = ask_user_infos,
	.answer = answer_user_infos,
};

void
handle_user_info(struct request *r)
{
	gather_add(r->svc->user_infos, r);
}
