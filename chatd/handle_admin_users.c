/*
 * Operators about accounts: admin_user_create, _find, _list, _disable, _enable,
 * _password. The rules are those of register; how often is nobody's limit here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chatd/account_rules.h"
#include "chatd/admin.h"
#include "chatd/handlers.h"
#include "chatd/password.h"
#include "chatd/result.h"
#include "chatd/service.h"
#include "chatd/store_users.h"
#include "common/mem.h"

/* ---- what is wrong with what was given -------------------------------------- */

struct complaints {
	const char *username, *password, *name, *email; /* NULL: nothing */
};

static void
put_rule(struct json_out *j, const char *key, const char *rule)
{
	if (rule != NULL) {
		json_key_str(j, key, rule);
	}
}

static void
reject(struct request *r, const struct complaints *c)
{
	struct rpc_out out = { .status = ERR_REJECTED };
	struct json_out j;

	buf_reset(&r->body);
	json_out_init(&j, &r->body);
	json_obj(&j);
	json_key_obj(&j, "errors");
	put_rule(&j, "username", c->username);
	put_rule(&j, "password", c->password);
	put_rule(&j, "name", c->name);
	put_rule(&j, "email", c->email);
	json_obj_end(&j);
	json_obj_end(&j);
	request_answer_out(r, &out);
}

/* ---- create ---------------------------------------------------------------- */

struct creation {
	struct request *r;      /* owned until answered */
	struct account account; /* texts are the request's */
};

static void
on_created(void *arg, struct db_result *res)
{
	struct creation *g = arg;
	struct request *r = g->r;
	struct complaints c = { NULL };
	struct json_out j;

	if (db_outcome(res) == DB_OK) {
		admin_audit(r, FIELD_admin_user_create_by, "user_created",
		    &g->account.id, "");
		json_out_init(&j, &r->body);
		json_obj(&j);
		json_key_uuid(&j, "id", &g->account.id);
		json_obj_end(&j);
		request_answer(r);
	} else if (strcmp(db_constraint(res), STORE_USERNAME_KEY) == 0) {
		c.username = RULE_TAKEN;
		reject(r, &c);
	} else if (strcmp(db_constraint(res), STORE_EMAIL_KEY) == 0) {
		c.email = RULE_TAKEN;
		reject(r, &c);
	} else {
		request_fail(r, ERR_UNAVAILABLE, NULL);
	}
	free(g);
}

static void
on_create_hashed(void *arg, enum err err, const char *hash)
{
	struct creation *g = arg;
	struct db_unit *u;

	if (err != ERR_OK) {
		request_fail(g->r, err, NULL);
		free(g);
		return;
	}
	g->account.id = uuid_v7();
	u = db_unit_new(g->r->svc->db, 0, g->r->in->deadline_ms);
	store_account_insert_step(u, &g->account, hash);
	db_submit(u, on_created, g);
}

void
handle_admin_user_create(struct request *r)
{
	struct text password = request_text(r,
	    FIELD_admin_user_create_password);
	struct creation *g = mem_zalloc(sizeof(*g));
	struct account *a = &g->account;
	struct complaints c;
	enum err err;

	g->r = r;
	a->username = request_text(r, FIELD_admin_user_create_username);
	a->name = request_text_trimmed(r, FIELD_admin_user_create_name);
	a->email = request_text_trimmed(r, FIELD_admin_user_create_email);
	a->avatar_url = TEXT_NULL;
	c = (struct complaints){ .username = rule_username(a->username),
		.password = rule_password(password),
		.name = rule_name(a->name), .email = rule_email(a->email) };
	if (c.username != NULL || c.password != NULL || c.name != NULL ||
	    c.email != NULL) {
		reject(r, &c);
		free(g);
		return;
	}
	err = password_hash(r->svc->passwords, &r->frame->session, password,
	    r->in->deadline_ms, on_create_hashed, g);
	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		free(g);
	}
}

/* ---- find, list ------------------------------------------------------------ */

static void
on_found(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	struct admin_user user;
	struct json_out j;

	if (err == ERR_OK && db_rows(res, 0) == 0) {
		err = ERR_NOT_FOUND;
	}
	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	store_admin_user_read(res, 0, 0, &user);
	json_out_init(&j, &r->body);
	admin_put_user(&j, &user);
	request_answer(r);
}

void
handle_admin_user_find(struct request *r)
{
	struct db_unit *u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);

	store_admin_find_step(u, request_text(r, FIELD_admin_user_find_user));
	db_submit(u, on_found, r);
}

static int64_t
list_limit(const struct request *r)
{
	int64_t n = request_field(r, FIELD_admin_user_list_limit)->number;

	return n < ADMIN_PAGE_MAX ? n : ADMIN_PAGE_MAX;
}

static void
on_listed(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	struct admin_user user;
	struct json_out j;
	size_t n;

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	n = db_rows(res, 0);
	json_out_init(&j, &r->body);
	json_obj(&j);
	json_key_arr(&j, "users");
	for (size_t i = 0; i < n; i++) {
		store_admin_user_read(res, 0, i, &user);
		admin_put_user(&j, &user);
	}
	json_arr_end(&j);
	if ((int64_t)n == list_limit(r)) {
		json_key_strn(&j, "next", user.username.p, user.username.len);
	} else {
		json_key_null(&j, "next");
	}
	json_obj_end(&j);
	request_answer(r);
}

void
handle_admin_user_list(struct request *r)
{
	struct db_unit *u;

	if (list_limit(r) < 1) {
		request_fail(r, ERR_INVALID_FIELD, "limit");
		return;
	}
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_admin_list_step(u,
	    request_text(r, FIELD_admin_user_list_after),
	    request_text(r, FIELD_admin_user_list_match),
	    request_field(r, FIELD_admin_user_list_disabled)->truth,
	    list_limit(r));
	db_submit(u, on_listed, r);
}

/* ---- disable, enable ------------------------------------------------------- */

enum disable_step {
	DISABLE_USER,
	DISABLE_TOKENS,
};

static enum err
there(const struct db_result *res)
{
	enum err err = request_db_err(res);

	return err == ERR_OK && db_rows(res, 0) == 0 ? ERR_NOT_FOUND : err;
}

static void
on_disabled(void *arg, struct db_result *res)
{
	struct request *r = arg;
	const struct uuid *user = &request_field(r,
	    FIELD_admin_user_disable_user_id)->uuid;
	enum err err = there(res);

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	admin_audit(r, FIELD_admin_user_disable_by, "user_disabled", user, "");
	admin_answer_ended(r, user, NULL, db_affected(res, DISABLE_TOKENS));
}

void
handle_admin_user_disable(struct request *r)
{
	const struct uuid *user = &request_field(r,
	    FIELD_admin_user_disable_user_id)->uuid;
	struct db_unit *u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);

	store_admin_disable_step(u, user);
	store_admin_tokens_end_step(u, user, NULL);
	db_submit(u, on_disabled, r);
}

static void
on_enabled(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = there(res);

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	admin_audit(r, FIELD_admin_user_enable_by, "user_enabled",
	    &request_field(r, FIELD_admin_user_enable_user_id)->uuid, "");
	buf_puts(&r->body, "{}");
	request_answer(r);
}

void
handle_admin_user_enable(struct request *r)
{
	struct db_unit *u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);

	store_admin_enable_step(u, &request_field(r,
	    FIELD_admin_user_enable_user_id)->uuid);
	db_submit(u, on_enabled, r);
}

/* ---- password -------------------------------------------------------------- */

enum password_step {
	PASSWORD_USER,
	PASSWORD_TOKENS, /* unless sessions are kept */
};

static bool
keeps_sessions(const struct request *r)
{
	return request_field(r, FIELD_admin_user_password_keep_sessions)->truth;
}

static void
on_password_set(void *arg, struct db_result *res)
{
	struct request *r = arg;
	const struct uuid *user = &request_field(r,
	    FIELD_admin_user_password_user_id)->uuid;
	enum err err = there(res);

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	admin_audit(r, FIELD_admin_user_password_by, "password_reset", user,
	    keeps_sessions(r) ? " sessions=kept" : " sessions=ended");
	if (keeps_sessions(r)) {
		buf_puts(&r->body, "{\"sessions_ended\":0}");
		request_answer(r);
		return;
	}
	admin_answer_ended(r, user, NULL, db_affected(res, PASSWORD_TOKENS));
}

static void
on_password_hashed(void *arg, enum err err, const char *hash)
{
	struct request *r = arg;
	const struct uuid *user = &request_field(r,
	    FIELD_admin_user_password_user_id)->uuid;
	struct db_unit *u;

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_admin_password_step(u, user, hash);
	if (!keeps_sessions(r)) {
		store_admin_tokens_end_step(u, user, NULL);
	}
	db_submit(u, on_password_set, r);
}

void
handle_admin_user_password(struct request *r)
{
	struct text password = request_text(r,
	    FIELD_admin_user_password_password);
	struct complaints c = { .password = rule_password(password) };
	enum err err;

	if (c.password != NULL) {
		reject(r, &c);
		return;
	}
	err = password_hash(r->svc->passwords, &r->frame->session, password,
	    r->in->deadline_ms, on_password_hashed, r);
	if (err != ERR_OK) {
		request_fail(r, err, NULL);
	}
}
