/*
 * Groups: create_group.
 *
 *   insert, or find what the same request made before -> load the asker's view
 *     -> statuses -> new: tell the members, wait for Redis -> answer
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "chatd/account_rules.h"
#include "chatd/chat_page.h"
#include "chatd/events.h"
#include "chatd/handlers.h"
#include "chatd/media_url.h"
#include "chatd/result.h"
#include "chatd/service.h"
#include "chatd/settings.h"
#include "chatd/store_groups.h"
#include "chatd/view.h"
#include "common/calls.h"
#include "common/mem.h"

struct founding {
	struct request *r;     /* owned until answered */
	struct new_group group;
	struct uuid *members;  /* owned; each once */
	struct uuid chat;
	struct chat_page page; /* owned; the asker's view */
};

static void
founding_free(struct founding *g)
{
	chat_page_fini(&g->page);
	free(g->members);
	free(g);
}

static void
founding_fail(struct founding *g, enum err err, const char *field)
{
	request_fail(g->r, err, field);
	founding_free(g);
}

static void
founding_answer(void *arg)
{
	struct founding *g = arg;
	struct rpc_out out = { .status = ERR_OK, .chat = g->chat,
		.seq = (uint64_t)g->page.item.last_seq };
	struct json_out j;

	json_out_init(&j, &g->r->body);
	json_obj(&j);
	json_key_str(&j, "type", "group_chat_created");
	json_key(&j, "chat");
	chat_page_put(&j, &g->page);
	json_key(&j, "chat_item");
	chat_page_put_item(&j, &g->page);
	request_put_id(&j, g->r);
	json_obj_end(&j);
	request_answer_out(g->r, &out);
	founding_free(g);
}

/* A new group looks the same to everyone in it. */
static void
founding_tell(struct founding *g)
{
	struct event_wait *w = event_wait_new(g->r->svc->events,
	    founding_answer, g);
	struct buf json = BUF_INIT, bytes = BUF_INIT;
	struct event e = { .kind = EVENT_CHAT_ADDED,
		.trace = g->r->frame->trace, .chat = g->chat,
		.version = g->page.item.version,
		.skip_session = g->r->frame->session };

	view_group_created(&json, &g->page.item, &g->r->frame->user);
	e.json = (const char *)json.data;
	e.json_len = json.len;
	put_event(&bytes, &e);
	for (size_t i = 0; i < g->page.member_count; i++) {
		event_wait_bytes_to_user(w, &g->page.members[i].person.id,
		    &bytes);
	}
	buf_fini(&json);
	buf_fini(&bytes);
	event_wait_go(w);
}

static void
on_founding_statuses(void *arg)
{
	struct founding *g = arg;

	if (uuid_eq(&g->chat, &g->group.id)) {
		founding_tell(g);
	} else {
		founding_answer(g);
	}
}

static void
on_founding_loaded(void *arg, struct db_result *res)
{
	struct founding *g = arg;
	enum err err = request_db_err(res);

	/* He may have left the group that he made with this request. */
	if (err == ERR_OK && !chat_page_read(&g->page, &g->r->frame->user,
	    res)) {
		err = ERR_NOT_FOUND;
	}
	if (err != ERR_OK) {
		founding_fail(g, err, NULL);
		return;
	}
	chat_page_ask(&g->page, g->r->svc, on_founding_statuses, g);
}

static void
on_founded(void *arg, struct db_result *res)
{
	struct founding *g = arg;
	enum err err = request_db_err(res);
	struct db_unit *u;

	if (err == ERR_OK && !store_group_created(res, &g->chat)) {
		founding_fail(g, ERR_NOT_FOUND, "member_ids");
		return;
	}
	if (err != ERR_OK) {
		founding_fail(g, err, NULL);
		return;
	}
	u = db_unit_new(g->r->svc->db, DB_SNAPSHOT, g->r->in->deadline_ms);
	chat_page_steps(u, &g->r->frame->user, &g->chat);
	db_submit(u, on_founding_loaded, g);
}

/* Those of the list and the creator, each once. */
static void
gather_members(struct founding *g)
{
	const struct field_value *v = request_field(g->r,
	    FIELD_create_group_member_ids);

	g->members = mem_alloc((v->list_len + 1) * sizeof(*g->members));
	if (v->list_len > 0) {
		memcpy(g->members, v->list,
		    v->list_len * sizeof(*g->members));
	}
	g->members[v->list_len] = g->r->frame->user;
	g->group.members = g->members;
	g->group.member_count = uuid_distinct(g->members, v->list_len + 1);
}

static struct text
null_if_blank(struct text t)
{
	return t.len > 0 ? t : TEXT_NULL;
}

/* The field that is wrong; NULL: none. */
static const char *
read_group(struct founding *g)
{
	struct request *r = g->r;
	struct new_group *n = &g->group;

	n->creator = r->frame->user;
	n->request_id = r->fields.request_id;
	n->name = request_text_trimmed(r, FIELD_create_group_name);
	n->description = null_if_blank(request_text_trimmed(r,
	    FIELD_create_group_description));
	n->avatar_url = null_if_blank(request_text_trimmed(r,
	    FIELD_create_group_avatar_url));
	if (rule_name(n->name) != NULL) {
		return "name";
	}
	if (n->description.p != NULL && rule_name(n->description) != NULL) {
		return "description";
	}
	if (n->avatar_url.p != NULL &&
	    !media_url_allowed(r->svc->origins, n->avatar_url)) {
		return "avatar_url";
	}
	return NULL;
}

void
handle_create_group(struct request *r)
{
	struct founding *g = mem_zalloc(sizeof(*g));
	const char *bad;
	struct db_unit *u;

	g->r = r;
	bad = read_group(g);
	if (bad != NULL) {
		founding_fail(g, ERR_INVALID_FIELD, bad);
		return;
	}
	gather_members(g);
	if (g->group.member_count > (size_t)settings.group_members_max) {
		founding_fail(g, ERR_TOO_LARGE, "member_ids");
		return;
	}
	g->group.id = uuid_v7();
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_group_create_steps(u, &g->group);
	db_submit(u, on_founded, g);
}
