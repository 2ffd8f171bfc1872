/*
 * Search in one chat's messages, over HTTP: the newest RESULTS_MAX matches.
 *
 *	may this user, is there such a chat -> matches -> JSON
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/handlers.h"
#include "chatd/search_copy.h"
#include "chatd/service.h"
#include "chatd/store_history.h"
#include "chatd/view.h"
#include "common/json_in.h"

#define RESULTS_MAX 100

static void
put_result(struct json_out *j, const struct message *m)
{
	json_obj(j);
	json_key_uuid(j, "id", &m->id);
	view_text(j, "content", m->content);
	json_key_uuid(j, "user_id", &m->sender_id);
	json_key_time(j, "time", m->created_at);
	json_key_int(j, "seq", m->seq);
	json_obj_end(j);
}

static void
on_found(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	struct json_out j;

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	json_out_init(&j, &r->body);
	json_arr(&j);
	for (size_t i = 0; i < db_rows(res, 0); i++) {
		struct message m;

		store_found_read(res, 0, i, &m);
		put_result(&j, &m);
	}
	json_arr_end(&j);
	request_answer(r);
}

static struct text
query_of(const struct request *r)
{
	const struct field_value *q = request_field(r,
	    FIELD_search_messages_q);

	return q->present ? (struct text){ q->text, q->text_len } : TEXT_NULL;
}

static void
search(struct request *r)
{
	struct db_unit *u;

	u = db_unit_new(r->svc->db, DB_SNAPSHOT, r->in->deadline_ms);
	store_found_step(u,
	    &request_field(r, FIELD_search_messages_chat_id)->uuid,
	    query_of(r), RESULTS_MAX);
	db_submit(u, on_found, r);
}

static void
missing_query(struct request *r)
{
	struct rpc_out out = { .status = ERR_REJECTED };
	struct json_out j;

	json_out_init(&j, &r->body);
	json_obj(&j);
	json_key_str(&j, "error", "Missing search query");
	json_obj_end(&j);
	request_answer_out(r, &out);
}

static void
on_access(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	struct text q = query_of(r);
	enum search_access access;
	int64_t behind;

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	access = store_access_read(res, 0, &behind);
	if (behind > SEARCH_COPY_BEHIND) {
		search_copy_wake(r->svc->search_copy,
		    &request_field(r, FIELD_search_messages_chat_id)->uuid);
	}
	switch (access) {
	case SEARCH_NO_CHAT:
		request_fail(r, ERR_NOT_FOUND, NULL);
		return;
	case SEARCH_STRANGER:
		request_fail(r, ERR_UNAUTHORIZED, NULL);
		return;
	case SEARCH_MEMBER:
		break;
	}
	if (q.p == NULL || utf8_blank(q.p, q.len)) {
		missing_query(r);
	} else {
		search(r);
	}
}

void
handle_search_messages(struct request *r)
{
	struct db_unit *u;

	u = db_unit_new(r->svc->db, DB_SNAPSHOT, r->in->deadline_ms);
	store_access_step(u, &r->frame->user,
	    &request_field(r, FIELD_search_messages_chat_id)->uuid);
	db_submit(u, on_access, r);
}
