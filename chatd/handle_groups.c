/*
 * Groups: change_group_name, change_group_description, set_group_avatar,
 * give_admin.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "chatd/account_rules.h"
#include "chatd/group_change.h"
#include "chatd/group_news.h"
#include "chatd/handlers.h"
#include "chatd/presence.h"
#include "chatd/result.h"
#include "chatd/view.h"
#include "common/mem.h"

/* ---- change_group_name, change_group_description ------------------------------ */

struct renaming {
	struct group_change change;
	const char *type;   /* of the result */
	const char *reason; /* of the failing rule */
	const char *rule;   /* the failing rule; NULL: none */
	struct text text;
	bool is_name;
};

enum renaming_step {
	RENAMING_TOLD = GROUP_STEPS, /* who is in it */
	RENAMING_DONE,
};

static void
renaming_failed(struct renaming *g, enum err err)
{
	struct request *r = g->change.r;
	struct rpc_out out = { .status = err };
	struct json_out j;

	json_out_init(&j, &r->body);
	json_obj(&j);
	json_key_str(&j, "type", g->type);
	json_key_str(&j, "status", "failure");
	json_key_uuid(&j, "chat_id", &g->change.chat);
	if (err == ERR_REJECTED) {
		json_key_obj(&j, "reason");
		json_key_str(&j, g->reason, g->rule);
		json_obj_end(&j);
	} else {
		json_key_str(&j, "reason", err_reason(err));
	}
	request_put_id(&j, r);
	json_obj_end(&j);
	request_answer_out(r, &out);
}

static void
renamed(struct renaming *g, const struct db_result *res)
{
	struct request *r = g->change.r;
	struct group_news news = { .r = r, .chat = g->change.chat,
		.version = store_group_version(res, RENAMING_DONE) };
	struct rpc_out out = { .status = ERR_OK, .chat = g->change.chat,
		.seq = news.version };
	struct buf json = BUF_INIT;

	view_group_text(&json, g->is_name, &g->change.chat, g->text,
	    &r->frame->user, NULL);
	group_news_tell(&news, &json, res, RENAMING_TOLD);
	buf_fini(&json);
	view_group_text(&r->body, g->is_name, &g->change.chat, g->text,
	    &r->frame->user, r->fields.request_id);
	request_answer_out(r, &out);
}

static void
on_renamed(void *arg, struct db_result *res)
{
	struct renaming *g = arg;
	struct groups *groups = g->change.r->svc->groups;
	enum err err = request_db_err(res);

	if (err != ERR_OK) {
		request_fail(g->change.r, err, NULL);
	} else if ((err = group_change_err(g->change.r,
	    store_group_right(res))) != ERR_OK) {
		renaming_failed(g, err);
	} else if (g->rule != NULL) {
		renaming_failed(g, ERR_REJECTED);
	} else {
		renamed(g, res);
	}
	group_turn_end(groups, &g->change.turn);
	free(g);
}

/* Who may not is told so before what is wrong with the text. */
static void
renaming_run(void *arg)
{
	struct renaming *g = arg;
	struct db_unit *u = group_change_unit(&g->change);

	store_group_called_step(u, &g->change.chat, NULL);
	if (g->rule == NULL) {
		store_group_change_step(u, &g->change.chat,
		    &g->change.r->frame->user,
		    g->is_name ? g->text : TEXT_NULL,
		    g->is_name ? TEXT_NULL : g->text, TEXT_NULL);
	}
	db_submit(u, on_renamed, g);
}

void
handle_change_group_name(struct request *r)
{
	struct renaming *g = mem_zalloc(sizeof(*g));

	g->type = "group_name_change_result";
	g->reason = "name";
	g->is_name = true;
	g->text = request_text_trimmed(r, FIELD_change_group_name_new_name);
	g->rule = rule_name(g->text);
	group_change_begin(&g->change, r,
	    &request_field(r, FIELD_change_group_name_chat_id)->uuid,
	    renaming_run);
}

void
handle_change_group_description(struct request *r)
{
	struct renaming *g = mem_zalloc(sizeof(*g));

	g->type = "group_description_change_result";
	g->reason = "description";
	g->text = request_text_trimmed(r,
	    FIELD_change_group_description_new_description);
	g->rule = rule_name(g->text);
	group_change_begin(&g->change, r,
	    &request_field(r, FIELD_change_group_description_chat_id)->uuid,
	    renaming_run);
}

/* ---- set_group_avatar ---------------------------------------------------------- */

struct painting {
	struct group_change change;
	struct text url;
};

enum painting_step {
	PAINTING_TOLD = GROUP_STEPS,
	PAINTING_DONE,
};

static void
painting_answer(struct painting *g, const struct db_result *res,
    enum group_right right)
{
	struct request *r = g->change.r;
	struct group_news news = { .r = r, .chat = g->change.chat,
		.version = store_group_version(res, PAINTING_DONE) };
	struct json_out j;

	if (right == GROUP_ADMIN) {
		struct buf json = BUF_INIT;

		view_group_avatar(&json, &g->change.chat, g->url);
		group_news_tell(&news, &json, res, PAINTING_TOLD);
		buf_fini(&json);
	}
	json_out_init(&j, &r->body);
	json_obj(&j);
	view_avatar(&j, g->url);
	json_obj_end(&j);
	request_answer(r);
}

/* An id that no group has: a picture may be there before its group is. */
static void
on_painted(void *arg, struct db_result *res)
{
	struct painting *g = arg;
	struct groups *groups = g->change.r->svc->groups;
	enum err err = request_db_err(res);
	enum group_right right = GROUP_ABSENT;

	if (err == ERR_OK) {
		right = store_group_right(res);
	}
	if (err == ERR_OK && (right == GROUP_STRANGER ||
	    right == GROUP_MEMBER)) {
		err = ERR_UNAUTHORIZED;
	}
	if (err != ERR_OK) {
		request_fail(g->change.r, err, NULL);
	} else {
		painting_answer(g, res, right);
	}
	group_turn_end(groups, &g->change.turn);
	free(g);
}

static void
painting_run(void *arg)
{
	struct painting *g = arg;
	struct db_unit *u = group_change_unit(&g->change);

	store_group_called_step(u, &g->change.chat, NULL);
	store_group_change_step(u, &g->change.chat,
	    &g->change.r->frame->user, TEXT_NULL, TEXT_NULL, g->url);
	db_submit(u, on_painted, g);
}

void
handle_set_group_avatar(struct request *r)
{
	struct painting *g = mem_zalloc(sizeof(*g));

	g->url = request_text(r, FIELD_set_group_avatar_avatar_url);
	group_change_begin(&g->change, r,
	    &request_field(r, FIELD_set_group_avatar_chat_id)->uuid,
	    painting_run);
}

/* ---- give_admin ---------------------------------------------------------------- */

struct giving {
	struct group_change change;
	struct uuid user;
	struct member member;
	struct db_result *res; /* owned */
};

enum giving_step {
	GIVING_DONE = GROUP_STEPS,
	GIVING_MEMBER,
	GIVING_TOLD,
};

static void
on_giving_status(void *arg, const bool *online)
{
	struct giving *g = arg;
	struct request *r = g->change.r;
	const struct uuid *giver = &r->frame->user;
	struct group_news news = { .r = r, .chat = g->change.chat,
		.version = store_group_version(g->res, GIVING_DONE) };
	struct rpc_out out = { .status = ERR_OK, .chat = g->change.chat,
		.seq = news.version };
	bool is_online = online[0] || uuid_eq(&g->user, giver);
	struct groups *groups = r->svc->groups;

	group_news_admin(&news, &g->member, is_online, giver, g->res,
	    GIVING_TOLD);
	for (size_t i = 0; i < db_rows(g->res, GIVING_TOLD); i++) {
		struct group_called c;

		store_group_called_read(g->res, GIVING_TOLD, i, &c);
		if (uuid_eq(&c.user, giver)) {
			g->member.person.nickname = c.nickname;
		}
	}
	view_admin_given(&r->body, &g->change.chat, &g->member, is_online,
	    giver, r->fields.request_id);
	request_answer_out(r, &out);
	group_turn_end(groups, &g->change.turn);
	db_result_unref(&g->res);
	free(g);
}

static void
on_given(void *arg, struct db_result *res)
{
	struct giving *g = arg;
	struct request *r = g->change.r;
	struct groups *groups = r->svc->groups;
	enum err err = request_db_err(res);

	if (err == ERR_OK) {
		err = group_change_err(r, store_group_right(res));
	}
	if (err == ERR_OK && db_rows(res, GIVING_MEMBER) == 0) {
		err = ERR_NOT_FOUND;
	}
	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		group_turn_end(groups, &g->change.turn);
		free(g);
		return;
	}
	g->res = db_result_ref(res);
	store_member_read(res, GIVING_MEMBER, 0, &g->member);
	presence_ask(r->svc->presence, &g->user, 1, on_giving_status, g);
}

static void
giving_run(void *arg)
{
	struct giving *g = arg;
	struct db_unit *u = group_change_unit(&g->change);

	store_group_give_admin_step(u, &g->change.chat,
	    &g->change.r->frame->user, &g->user);
	store_group_member_step(u, &g->change.chat, &g->user);
	store_group_called_step(u, &g->change.chat, &g->user);
	db_submit(u, on_given, g);
}

void
handle_give_admin(struct request *r)
{
	struct giving *g = mem_zalloc(sizeof(*g));

	g->user = request_field(r, FIELD_give_admin_user_id)->uuid;
	group_change_begin(&g->change, r,
	    &request_field(r, FIELD_give_admin_chat_id)->uuid, giving_run);
}
