/*
 * Members of groups: add_members, remove_member, and the same over HTTP
 * (add_chat_members, remove_chat_member), or by an operator (admin_user_leave).
 *
 *   add     insert -> the members as they are now, nicknames -> statuses
 *             -> chat_added to the new, the list to the old -> Redis -> answer
 *   remove  delete, who inherits, what becomes delivered -> tell
 *             -> [the new admin's news] -> Redis -> answer
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "chatd/admin.h"
#include "chatd/events.h"
#include "chatd/group_change.h"
#include "chatd/group_news.h"
#include "chatd/handlers.h"
#include "chatd/presence.h"
#include "chatd/receipts.h"
#include "chatd/settings.h"
#include "chatd/view.h"
#include "common/calls.h"
#include "common/mem.h"

/* How long before now a transaction whose answer was lost may have been made. */
#define DOUBT_MS 10000

/* ---- add_members -------------------------------------------------------------- */

struct adding {
	struct group_change change;
	struct uuid *ids;            /* owned; each once */
	size_t count;
	struct group_joined *joined; /* owned */
	struct uuid *added;          /* owned; of joined, sorted */
	size_t joined_count;
	bool tell;
	uint32_t version;
	struct chat_page page;       /* owned; the asker's view */
	struct db_result *res;       /* owned */
};

static void
adding_free(struct adding *g)
{
	chat_page_fini(&g->page);
	db_result_unref(&g->res);
	free(g->ids);
	free(g->joined);
	free(g->added);
	free(g);
}

static void
adding_fail(struct adding *g, enum err err)
{
	struct groups *groups = g->change.r->svc->groups;
	bool theirs = err == ERR_NOT_FOUND || err == ERR_TOO_LARGE;

	request_fail(g->change.r, err, theirs ? "member_ids" : NULL);
	group_turn_end(groups, &g->change.turn);
	adding_free(g);
}

static void
adding_answer(void *arg)
{
	struct adding *g = arg;
	struct request *r = g->change.r;
	const struct chat_page *page = &g->page;
	struct members_view view = { .chat = &g->change.chat,
		.members = page->members, .online = page->online,
		.member_count = page->member_count, .added = g->added,
		.added_count = g->joined_count };
	struct rpc_out out = { .status = ERR_OK };

	if (r->row->class == ROW_REQUEST) {
		view_members_added(&r->body, &view, NULL,
		    r->fields.request_id);
		out.chat = g->change.chat;
		out.seq = g->version;
	}
	request_answer_out(r, &out);
	adding_free(g);
}

/* The chat as a new member sees it: all that was before counts as read. Told
 * with what he holds as base: a message that came since follows. */
static void
tell_joined(struct adding *g, struct event_wait *w,
    const struct group_joining *joining, const struct group_joined *to)
{
	struct chat_item c = g->page.item;
	struct buf json = BUF_INIT;
	struct event e = { .kind = EVENT_CHAT_ADDED,
		.trace = g->change.r->frame->trace, .chat = g->change.chat,
		.version = g->page.item.version,
		.seq = (uint64_t)to->joined_seq };

	c.read_seq = c.last_seq;
	c.own_unread = 0;
	c.last.sender.nickname = group_joining_nickname(joining, &to->user,
	    &c.last.sender_id);
	view_group_joined(&json, &c, &to->user);
	e.json = (const char *)json.data;
	e.json_len = json.len;
	event_wait_to_user(w, &to->user, &e);
	buf_fini(&json);
}

static void
on_adding_statuses(void *arg)
{
	struct adding *g = arg;
	struct request *r = g->change.r;
	struct groups *groups = r->svc->groups;
	struct group_news news = { .r = r, .chat = g->change.chat,
		.version = g->version };
	struct group_joining joining = { .page = &g->page, .added = g->added,
		.added_count = g->joined_count, .res = g->res,
		.step = PAGE_STEPS };
	struct event_wait *w;

	if (!g->tell) {
		group_turn_end(groups, &g->change.turn);
		adding_answer(g);
		return;
	}
	w = event_wait_new(r->svc->events, adding_answer, g);
	for (size_t i = 0; i < g->joined_count; i++) {
		tell_joined(g, w, &joining, &g->joined[i]);
	}
	group_news_joined(&news, &joining);
	group_turn_end(groups, &g->change.turn);
	event_wait_go(w);
}

static void
on_adding_loaded(void *arg, struct db_result *res)
{
	struct adding *g = arg;
	struct request *r = g->change.r;

	if (db_outcome(res) != DB_OK ||
	    !chat_page_read(&g->page, &r->frame->user, res)) {
		/* It took effect: those who are in now learn it. */
		events_resync(r->svc->events, DOUBT_MS);
		adding_fail(g, ERR_UNAVAILABLE);
		return;
	}
	g->res = db_result_ref(res);
	chat_page_ask(&g->page, r->svc, on_adding_statuses, g);
}

static void
read_joined(struct adding *g, const struct db_result *res)
{
	g->joined = mem_alloc((g->joined_count + 1) * sizeof(*g->joined));
	g->added = mem_alloc((g->joined_count + 1) * sizeof(*g->added));
	for (size_t i = 0; i < g->joined_count; i++) {
		store_group_joined_read(res, GROUP_STEPS, i, &g->joined[i]);
		g->added[i] = g->joined[i].user;
	}
	uuid_distinct(g->added, g->joined_count);
}

static void
on_added(void *arg, struct db_result *res)
{
	struct adding *g = arg;
	struct request *r = g->change.r;
	enum err err = request_db_err(res);
	struct db_unit *u;

	if (err == ERR_OK) {
		err = group_change_err(r, store_group_right(res));
		if (err != ERR_OK) {
			struct groups *groups = r->svc->groups;

			request_fail(r, err, NULL);
			group_turn_end(groups, &g->change.turn);
			adding_free(g);
			return;
		}
		err = store_group_add_read(res, GROUP_STEPS,
		    &g->joined_count, &g->version);
	}
	if (err != ERR_OK) {
		adding_fail(g, err);
		return;
	}
	read_joined(g, res);
	g->tell = g->joined_count > 0 || db_doubtful(res);
	if (db_doubtful(res)) {
		events_resync(r->svc->events, DOUBT_MS);
	}
	u = db_unit_new(r->svc->db, DB_SNAPSHOT, r->in->deadline_ms);
	chat_page_steps(u, &r->frame->user, &g->change.chat);
	store_group_nicknames_step(u, &g->change.chat);
	db_submit(u, on_adding_loaded, g);
}

static void
adding_run(void *arg)
{
	struct adding *g = arg;
	struct db_unit *u = group_change_unit(&g->change);

	store_group_add_step(u, &g->change.chat, &g->change.r->frame->user,
	    g->ids, g->count, settings.group_members_max);
	db_submit(u, on_added, g);
}

static void
adding_begin(struct request *r, const struct uuid *chat,
    const struct field_value *list)
{
	struct adding *g = mem_zalloc(sizeof(*g));

	g->ids = mem_alloc((list->list_len + 1) * sizeof(*g->ids));
	if (list->list_len > 0) {
		memcpy(g->ids, list->list, list->list_len * sizeof(*g->ids));
	}
	g->count = uuid_distinct(g->ids, list->list_len);
	group_change_begin(&g->change, r, chat, adding_run);
}

void
handle_add_members(struct request *r)
{
	adding_begin(r, &request_field(r, FIELD_add_members_chat_id)->uuid,
	    request_field(r, FIELD_add_members_member_ids));
}

void
handle_add_chat_members(struct request *r)
{
	adding_begin(r, &r->frame->chat,
	    request_field(r, FIELD_add_chat_members_member_ids));
}

/* ---- remove_member ------------------------------------------------------------ */

struct removing {
	struct group_change change;
	struct uuid user;
	struct group_removed removed;
	struct event_wait *wait;
	struct member heir;
	struct db_result *res; /* owned; the heir's news */
};

enum heir_step {
	HEIR_MEMBER,
	HEIR_TOLD,
};

static void
removing_answer(void *arg)
{
	struct removing *g = arg;
	struct request *r = g->change.r;
	struct rpc_out out = { .status = ERR_OK };

	bool self = uuid_eq(&g->user, &r->frame->user);

	if (r->row->class == ROW_REQUEST) {
		view_member_removed(&r->body, &g->change.chat, &g->user,
		    r->fields.request_id);
	}
	/* The chat without a version says that the asker has left it. Of a
	 * transaction whose answer was lost no version is known: then neither
	 * is told. */
	if (r->row->class == ROW_REQUEST && (self || g->removed.version > 0)) {
		out.chat = g->change.chat;
	}
	if (!self) {
		out.seq = g->removed.version;
	}
	request_answer_out(r, &out);
	db_result_unref(&g->res);
	free(g);
}

static void
removing_fail(struct removing *g, enum err err)
{
	struct groups *groups = g->change.r->svc->groups;

	request_fail(g->change.r, err, NULL);
	group_turn_end(groups, &g->change.turn);
	free(g);
}

/* All is published. */
static void
removing_end(struct removing *g)
{
	struct groups *groups = g->change.r->svc->groups;
	struct event_wait *w = g->wait;

	group_turn_end(groups, &g->change.turn);
	event_wait_go(w);
}

static void
on_heir_status(void *arg, const bool *online)
{
	struct removing *g = arg;
	struct group_news news = { .r = g->change.r, .chat = g->change.chat,
		.version = g->removed.version + 1 };

	group_news_admin(&news, &g->heir, online[0], &g->user, g->res,
	    HEIR_TOLD);
	removing_end(g);
}

static void
on_heir(void *arg, struct db_result *res)
{
	struct removing *g = arg;

	if (db_outcome(res) != DB_OK || db_rows(res, HEIR_MEMBER) == 0) {
		removing_end(g);
		return;
	}
	g->res = db_result_ref(res);
	store_member_read(res, HEIR_MEMBER, 0, &g->heir);
	presence_ask(g->change.r->svc->presence, &g->removed.heir, 1,
	    on_heir_status, g);
}

static void
load_heir(struct removing *g)
{
	struct db_unit *u = db_unit_new(g->change.r->svc->db, DB_SNAPSHOT,
	    g->change.r->in->deadline_ms);

	store_group_member_step(u, &g->change.chat, &g->removed.heir);
	store_group_called_step(u, &g->change.chat, &g->removed.heir);
	db_submit(u, on_heir, g);
}

/* chat_member_removed to those who are left and to the one who is not: his
 * sessions know the chat no more. */
static void
tell_removed(struct removing *g, const struct db_result *res)
{
	const struct frame *frame = g->change.r->frame;
	struct buf json = BUF_INIT, bytes = BUF_INIT;
	struct event e = { .kind = EVENT_CHAT_LOST, .trace = frame->trace,
		.chat = g->change.chat, .skip_session = frame->session };

	view_member_removed(&json, &g->change.chat, &g->user, NULL);
	e.json = (const char *)json.data;
	e.json_len = json.len;
	event_wait_to_user(g->wait, &g->user, &e);
	e.kind = EVENT_FRAME;
	e.version = g->removed.version;
	put_event(&bytes, &e);
	for (size_t i = 0; i < db_rows(res, GROUP_LEFT); i++) {
		struct group_called c;

		store_group_called_read(res, GROUP_LEFT, i, &c);
		event_wait_bytes_to_user(g->wait, &c.user, &bytes);
	}
	buf_fini(&json);
	buf_fini(&bytes);
}

static void
removed(struct removing *g, const struct db_result *res)
{
	struct request *r = g->change.r;
	struct group_news news = { .r = r, .chat = g->change.chat };

	g->wait = event_wait_new(r->svc->events, removing_answer, g);
	tell_removed(g, res);
	receipts_publish(r->svc->receipts, res, GROUP_ANNOUNCED,
	    r->frame->trace);
	receipts_publish(r->svc->receipts, res, GROUP_ALONE,
	    r->frame->trace);
	group_news_read(&news, &g->user, &g->removed, res, GROUP_LEFT);
	if (db_affected(res, GROUP_BURIED) > 0) {
		groups_purge(r->svc->groups);
	}
	if (db_doubtful(res)) {
		events_resync(r->svc->events, DOUBT_MS);
	}
	if (uuid_is_nil(&g->removed.heir)) {
		removing_end(g);
	} else {
		load_heir(g);
	}
}

/* What a transaction whose answer was lost has done is not found undone. */
static void
on_removed(void *arg, struct db_result *res)
{
	struct removing *g = arg;
	struct request *r = g->change.r;
	enum err err = request_db_err(res);
	enum group_right right;
	bool self = uuid_eq(&g->user, &r->frame->user);

	if (err != ERR_OK) {
		removing_fail(g, err);
		return;
	}
	right = store_group_right(res);
	if (store_group_removed(res, &g->removed) || (db_doubtful(res) &&
	    (self || right == GROUP_ADMIN))) {
		removed(g, res);
		return;
	}
	err = group_change_err(r, right);
	removing_fail(g, err != ERR_OK ? err : ERR_NOT_FOUND);
}

static void
removing_run(void *arg)
{
	struct removing *g = arg;
	struct db_unit *u = group_change_unit(&g->change);

	store_group_remove_steps(u, &g->change.chat,
	    &g->change.r->frame->user, &g->user);
	db_submit(u, on_removed, g);
}

static void
removing_begin(struct request *r, const struct uuid *chat,
    const struct uuid *user)
{
	struct removing *g = mem_zalloc(sizeof(*g));

	g->user = *user;
	group_change_begin(&g->change, r, chat, removing_run);
}

void
handle_remove_member(struct request *r)
{
	removing_begin(r,
	    &request_field(r, FIELD_remove_member_chat_id)->uuid,
	    &request_field(r, FIELD_remove_member_member_id)->uuid);
}

void
handle_remove_chat_member(struct request *r)
{
	removing_begin(r, &r->frame->chat,
	    &request_field(r, FIELD_remove_chat_member_member_id)->uuid);
}

/* The user that the envelope names leaves, as he would himself. */
void
handle_admin_user_leave(struct request *r)
{
	admin_audit(r, FIELD_admin_user_leave_by, "group_left",
	    &r->frame->user, "");
	removing_begin(r,
	    &request_field(r, FIELD_admin_user_leave_chat_id)->uuid,
	    &r->frame->user);
}
