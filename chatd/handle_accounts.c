/*
 * Accounts over HTTP: register and login.
 *
 *   register: rules -> taken? -> hash -> insert account and token -> 201
 *   login:    account -> verify -> insert token -> 200
 *
 * Which of a login's two halves was wrong is never told, and takes no different
 * time: an unknown username is verified as well, against nobody's hash. How
 * often one may be wrong is login_guard's business. The envelope's session is
 * the client's address here.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "chatd/account_rules.h"
#include "chatd/handlers.h"
#include "chatd/login_guard.h"
#include "chatd/media_url.h"
#include "chatd/password.h"
#include "chatd/service.h"
#include "chatd/settings.h"
#include "chatd/store_tokens.h"
#include "chatd/store_users.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/mem.h"

struct registration {
	struct request *r;      /* owned until answered */
	struct account account; /* texts are the request's */
	struct text password;
	/* The first failing rule of each field; NULL: none. */
	const char *bad_username, *bad_password, *bad_name, *bad_email;
	struct token token;
	char token_text[TOKEN_TEXT_LEN + 1];
};

struct login {
	struct request *r;       /* owned until answered */
	struct db_result *found; /* owned; the account's row */
	struct login_try attempt;
	struct uuid user;
	struct text hash;        /* of `found` */
	struct token token;
	char token_text[TOKEN_TEXT_LEN + 1];
};

static struct text
field_text(const struct request *r, unsigned field)
{
	const struct field_value *v = request_field(r, field);

	return v->present ? (struct text){ v->text, v->text_len } : TEXT_NULL;
}

static struct text
trimmed(struct text t)
{
	if (t.p != NULL) {
		utf8_trim(&t.p, &t.len);
	}
	return t;
}

static void
answer_token(struct request *r, const char *token)
{
	struct json_out j;

	json_out_init(&j, &r->body);
	json_obj(&j);
	json_key_str(&j, "token", token);
	json_obj_end(&j);
	request_answer(r);
}

/* ---- register ------------------------------------------------------------ */

static bool
has_errors(const struct registration *g)
{
	return g->bad_username != NULL || g->bad_password != NULL ||
	    g->bad_name != NULL || g->bad_email != NULL;
}

static void
put_rule(struct json_out *j, const char *field, const char *rule)
{
	if (rule != NULL) {
		json_key_str(j, field, rule);
	}
}

static void
registration_reject(struct registration *g)
{
	struct rpc_out out = { .status = ERR_REJECTED };
	struct json_out j;

	json_out_init(&j, &g->r->body);
	json_obj(&j);
	json_key_obj(&j, "errors");
	put_rule(&j, "username", g->bad_username);
	put_rule(&j, "password", g->bad_password);
	put_rule(&j, "name", g->bad_name);
	put_rule(&j, "email", g->bad_email);
	json_obj_end(&j);
	json_obj_end(&j);
	request_answer_out(g->r, &out);
	free(g);
}

static void
registration_fail(struct registration *g, enum err err)
{
	request_fail(g->r, err, NULL);
	free(g);
}

/* Between the question and the insert someone else may have been first. */
static void
registration_raced(struct registration *g, const struct db_result *res)
{
	if (strcmp(db_constraint(res), STORE_USERNAME_KEY) == 0) {
		g->bad_username = RULE_TAKEN;
	} else if (strcmp(db_constraint(res), STORE_EMAIL_KEY) == 0) {
		g->bad_email = RULE_TAKEN;
	} else {
		registration_fail(g, ERR_UNAVAILABLE);
		return;
	}
	registration_reject(g);
}

static void
on_registered(void *arg, struct db_result *res)
{
	struct registration *g = arg;

	switch (db_outcome(res)) {
	case DB_OK:
		login_guard_made(g->r->svc->login_guard, g->account.username,
		    &g->r->frame->session);
		answer_token(g->r, g->token_text);
		free(g);
		break;
	case DB_FAILED:
		registration_raced(g, res);
		break;
	case DB_UNAVAILABLE:
		registration_fail(g, ERR_UNAVAILABLE);
		break;
	}
}

static void
on_hashed(void *arg, enum err err, const char *hash)
{
	struct registration *g = arg;
	struct db_unit *u;

	if (err != ERR_OK) {
		registration_fail(g, err);
		return;
	}
	g->account.id = uuid_v7();
	store_token_make(g->token_text, &g->token);
	u = db_unit_new(g->r->svc->db, 0, g->r->in->deadline_ms);
	store_account_insert_step(u, &g->account, hash);
	store_token_insert_step(u, &g->token, &g->account.id,
	    settings.token_ttl);
	db_submit(u, on_registered, g);
}

static void
on_taken(void *arg, struct db_result *res)
{
	struct registration *g = arg;
	bool username, email;
	enum err err = request_db_err(res);

	if (err != ERR_OK) {
		registration_fail(g, err);
		return;
	}
	store_account_taken_read(res, 0, &username, &email);
	if (username && g->bad_username == NULL) {
		g->bad_username = RULE_TAKEN;
	}
	if (email && g->bad_email == NULL) {
		g->bad_email = RULE_TAKEN;
	}
	if (has_errors(g)) {
		registration_reject(g);
		return;
	}
	err = password_hash(g->r->svc->passwords, &g->r->frame->session,
	    g->password, g->r->in->deadline_ms, on_hashed, g);
	if (err != ERR_OK) {
		registration_fail(g, err);
	}
}

void
handle_register(struct request *r)
{
	struct registration *g = mem_zalloc(sizeof(*g));
	struct account *a = &g->account;
	struct db_unit *u;

	g->r = r;
	a->username = field_text(r, FIELD_register_username);
	a->name = trimmed(field_text(r, FIELD_register_name));
	a->email = trimmed(field_text(r, FIELD_register_email));
	a->avatar_url = field_text(r, FIELD_register_avatar_url);
	g->password = field_text(r, FIELD_register_password);
	if (a->avatar_url.p != NULL &&
	    !media_url_allowed(r->svc->origins, a->avatar_url)) {
		registration_fail(g, ERR_INVALID_FIELD);
		return;
	}
	g->bad_username = rule_username(a->username);
	g->bad_password = rule_password(g->password);
	g->bad_name = rule_name(a->name);
	g->bad_email = rule_email(a->email);
	if (g->bad_username != NULL && g->bad_email != NULL) {
		registration_reject(g);
		return;
	}
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_account_taken_step(u,
	    g->bad_username == NULL ? a->username : TEXT_NULL,
	    g->bad_email == NULL ? a->email : TEXT_NULL);
	db_submit(u, on_taken, g);
}

/* ---- login --------------------------------------------------------------- */

static void
login_free(struct login *l)
{
	db_result_unref(&l->found);
	free(l);
}

static void
login_fail(struct login *l, enum err err)
{
	login_guard_end(l->r->svc->login_guard, &l->attempt,
	    err == ERR_CREDENTIALS ? LOGIN_WRONG : LOGIN_UNDECIDED);
	request_fail(l->r, err, NULL);
	login_free(l);
}

static void
on_logged_in(void *arg, struct db_result *res)
{
	struct login *l = arg;
	enum err err = request_db_err(res);

	if (err == ERR_OK && !store_token_granted(res, 0)) {
		err = ERR_CREDENTIALS; /* changed while we looked */
	}
	if (err != ERR_OK) {
		login_fail(l, err);
		return;
	}
	login_guard_end(l->r->svc->login_guard, &l->attempt, LOGIN_RIGHT);
	answer_token(l->r, l->token_text);
	login_free(l);
}

static void
on_verified(void *arg, enum err err, const char *hash)
{
	struct login *l = arg;
	struct db_unit *u;

	if (err != ERR_OK) {
		login_fail(l, err);
		return;
	}
	store_token_make(l->token_text, &l->token);
	u = db_unit_new(l->r->svc->db, 0, l->r->in->deadline_ms);
	store_token_grant_step(u, &l->token, &l->user, settings.token_ttl,
	    l->hash);
	if (hash != NULL) {
		store_account_rehash_step(u, &l->user, l->hash, hash);
	}
	db_submit(u, on_logged_in, l);
}

static void
on_account(void *arg, struct db_result *res)
{
	struct login *l = arg;
	enum err err = request_db_err(res);
	char *stored = NULL;

	if (err != ERR_OK) {
		login_fail(l, err);
		return;
	}
	l->found = db_result_ref(res);
	if (store_account_credentials_read(res, 0, &l->user, &l->hash)) {
		stored = mem_strndup(l->hash.p, l->hash.len);
	}
	err = password_verify(l->r->svc->passwords, &l->r->frame->session,
	    field_text(l->r, FIELD_login_password), stored,
	    l->r->in->deadline_ms, on_verified, l);
	free(stored);
	if (err != ERR_OK) {
		login_fail(l, err);
	}
}

void
handle_login(struct request *r)
{
	struct login *l = mem_zalloc(sizeof(*l));
	struct text name = field_text(r, FIELD_login_username);
	struct db_unit *u;
	int64_t wait;

	l->r = r;
	wait = login_guard_begin(r->svc->login_guard, name, &r->frame->session,
	    &l->attempt);
	if (wait > 0) {
		request_limit(r, wait);
		free(l);
		return;
	}
	/* The database folds more than the guard: what is no proper name must
	 * not find an account by another spelling. */
	if (rule_username(name) != NULL) {
		name = (struct text){ "", 0 };
	}
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_account_credentials_step(u, name);
	db_submit(u, on_account, l);
}
