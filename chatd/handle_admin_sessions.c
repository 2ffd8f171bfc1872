/*
 * Operators about sessions: admin_sessions, admin_sessions_end, admin_online. A
 * session is a login, the row of its token; its WebSocket connections are at the
 * gateways, which are asked (live.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "chatd/admin.h"
#include "chatd/handlers.h"
#include "chatd/live.h"
#include "chatd/service.h"

/* Nobody has more devices than this. */
#define SESSIONS_MAX 1000

enum sessions_step {
	SESSIONS_USER,
	SESSIONS_TOKENS,
};

static enum err
there(const struct db_result *res)
{
	enum err err = request_db_err(res);

	return err == ERR_OK && db_rows(res, SESSIONS_USER) == 0 ?
	    ERR_NOT_FOUND : err;
}

/* ---- which there are ------------------------------------------------------- */

static void
on_sessions(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = there(res);
	struct json_out j;

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	json_out_init(&j, &r->body);
	json_obj(&j);
	json_key_arr(&j, "sessions");
	for (size_t i = 0; i < db_rows(res, SESSIONS_TOKENS); i++) {
		struct admin_token t;

		store_admin_token_read(res, SESSIONS_TOKENS, i, &t);
		json_obj(&j);
		json_key_uuid(&j, "id", &t.id);
		json_key_time(&j, "created_at", t.created_at);
		json_key_time(&j, "expires_at", t.expires_at);
		json_obj_end(&j);
	}
	json_arr_end(&j);
	json_obj_end(&j);
	request_answer(r);
}

void
handle_admin_sessions(struct request *r)
{
	const struct uuid *user = &request_field(r,
	    FIELD_admin_sessions_user_id)->uuid;
	struct db_unit *u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);

	store_admin_there_step(u, user);
	store_admin_tokens_step(u, user, SESSIONS_MAX);
	db_submit(u, on_sessions, r);
}

/* ---- ending them ----------------------------------------------------------- */

static const struct uuid *
session_of(const struct request *r)
{
	const struct field_value *v = request_field(r,
	    FIELD_admin_sessions_end_session_id);

	return v->present ? &v->uuid : NULL;
}

static void
on_ended(void *arg, struct db_result *res)
{
	struct request *r = arg;
	const struct uuid *user = &request_field(r,
	    FIELD_admin_sessions_end_user_id)->uuid;
	enum err err = there(res);
	char more[80], id[UUID_TEXT_LEN + 1];

	/* What an attempt whose answer was lost has ended is told again. */
	if (err == ERR_OK && session_of(r) != NULL &&
	    db_affected(res, SESSIONS_TOKENS) == 0 && !db_doubtful(res)) {
		err = ERR_NOT_FOUND;
	}
	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	snprintf(more, sizeof(more), " session=%s", session_of(r) != NULL ?
	    uuid_format(session_of(r), id) : "all");
	admin_audit(r, FIELD_admin_sessions_end_by, "sessions_ended", user,
	    more);
	admin_answer_ended(r, user, session_of(r),
	    db_affected(res, SESSIONS_TOKENS));
}

void
handle_admin_sessions_end(struct request *r)
{
	const struct uuid *user = &request_field(r,
	    FIELD_admin_sessions_end_user_id)->uuid;
	struct db_unit *u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);

	store_admin_there_step(u, user);
	store_admin_tokens_end_step(u, user, session_of(r));
	db_submit(u, on_ended, r);
}

/* ---- who is connected where ------------------------------------------------ */

static void
on_census(void *arg, enum err err, const struct buf *list, size_t answers,
    size_t missing)
{
	struct request *r = arg;
	struct json_out j;
	struct rd rd;

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	json_out_init(&j, &r->body);
	json_obj(&j);
	json_key_int(&j, "missing", (int64_t)missing);
	json_key_arr(&j, "gateways");
	rd_init(&rd, list->data, list->len);
	while (answers-- > 0) {
		size_t len;
		const uint8_t *json = rd_blob(&rd, &len);

		json_raw(&j, (const char *)json, len);
	}
	json_arr_end(&j);
	json_obj_end(&j);
	request_answer(r);
}

void
handle_admin_online(struct request *r)
{
	const struct field_value *v = request_field(r,
	    FIELD_admin_online_user_id);

	live_ask(r->svc->live, v->present ? &v->uuid : NULL, on_census, r);
}
