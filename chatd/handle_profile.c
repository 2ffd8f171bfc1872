/*
 * What people change about themselves: change_username, change_name, and the
 * picture that the gateway has stored for them. Nobody but their own sessions is
 * told of names, nobody of the picture; others see it when they look next.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "chatd/account_rules.h"
#include "chatd/handlers.h"
#include "chatd/result.h"
#include "chatd/service.h"
#include "chatd/store_profile.h"
#include "chatd/store_users.h"
#include "chatd/view.h"

#define USERNAME_RESULT "username_change_result"
#define NAME_RESULT "name_change_result"

static void
put_text(struct json_out *j, const char *key, struct text t)
{
	json_key_strn(j, key, t.p, t.len);
}

/* ---- change_username ------------------------------------------------------ */

static void
on_username(void *arg, struct db_result *res)
{
	struct request *r = arg;
	struct json_out j;

	if (db_outcome(res) == DB_FAILED &&
	    strcmp(db_constraint(res), STORE_USERNAME_KEY) == 0) {
		result_rejected(r, USERNAME_RESULT, "username", RULE_TAKEN);
	} else if (db_outcome(res) != DB_OK) {
		request_fail(r, ERR_UNAVAILABLE, NULL);
	} else if (!store_profile_hit(res, 0)) {
		result_not_found(r, USERNAME_RESULT);
	} else {
		result_success(&j, r, USERNAME_RESULT);
		put_text(&j, "new_username",
		    request_text(r, FIELD_change_username_new_username));
		result_success_end(&j, r);
	}
}

void
handle_change_username(struct request *r)
{
	struct text username = request_text(r,
	    FIELD_change_username_new_username);
	const char *rule = rule_username(username);
	struct db_unit *u;

	if (rule != NULL) {
		result_rejected(r, USERNAME_RESULT, "username", rule);
		return;
	}
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_profile_username_step(u, &r->frame->user, username);
	db_submit(u, on_username, r);
}

/* ---- change_name ---------------------------------------------------------- */

static void
on_name(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	struct json_out j;

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
	} else if (!store_profile_hit(res, 0)) {
		result_not_found(r, NAME_RESULT);
	} else {
		result_success(&j, r, NAME_RESULT);
		put_text(&j, "new_name",
		    request_text_trimmed(r, FIELD_change_name_new_name));
		result_success_end(&j, r);
	}
}

void
handle_change_name(struct request *r)
{
	struct text name = request_text_trimmed(r, FIELD_change_name_new_name);
	const char *rule = rule_name(name);
	struct db_unit *u;

	if (rule != NULL) {
		result_rejected(r, NAME_RESULT, "name", rule);
		return;
	}
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_profile_name_step(u, &r->frame->user, name);
	db_submit(u, on_name, r);
}

/* ---- set_user_avatar ------------------------------------------------------ */

static void
on_avatar(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	struct json_out j;

	if (err == ERR_OK && !store_profile_hit(res, 0)) {
		err = ERR_NOT_FOUND;
	}
	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	json_out_init(&j, &r->body);
	json_obj(&j);
	view_avatar(&j, request_text(r, FIELD_set_user_avatar_avatar_url));
	json_obj_end(&j);
	request_answer(r);
}

void
handle_set_user_avatar(struct request *r)
{
	struct db_unit *u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);

	store_profile_avatar_step(u, &r->frame->user,
	    request_text(r, FIELD_set_user_avatar_avatar_url));
	db_submit(u, on_avatar, r);
}
