/*
 * Results. The frame for the other sessions is the asker's without the
 * request_id, which is therefore the last key to be written.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/result.h"

#include "chatd/events.h"
#include "chatd/service.h"
#include "common/calls.h"
#include "common/json_in.h"

struct text
request_text(const struct request *r, unsigned field)
{
	const struct field_value *v = request_field(r, field);

	return v->present ? (struct text){ v->text, v->text_len } : TEXT_NULL;
}

struct text
request_text_trimmed(const struct request *r, unsigned field)
{
	struct text t = request_text(r, field);

	if (t.p != NULL) {
		utf8_trim(&t.p, &t.len);
	}
	return t;
}

static void
begin(struct json_out *j, struct request *r, const char *type,
    const char *status)
{
	json_out_init(j, &r->body);
	json_obj(j);
	json_key_str(j, "type", type);
	json_key_str(j, "status", status);
	json_key_obj(j, "data");
}

void
request_put_id(struct json_out *j, const struct request *r)
{
	if (r->fields.request_id != NULL) {
		json_key_str(j, "request_id", r->fields.request_id);
	}
}

/* ---- success -------------------------------------------------------------- */

void
result_success(struct json_out *j, struct request *r, const char *type)
{
	begin(j, r, type, "success");
}

static void
tell_other_sessions(struct request *r)
{
	struct buf json = BUF_INIT;
	struct event e = { .kind = EVENT_FRAME, .trace = r->frame->trace,
		.skip_session = r->frame->session };

	buf_put(&json, r->body.data, r->body.len);
	buf_put(&json, "}", 1);
	e.json = (const char *)json.data;
	e.json_len = json.len;
	events_to_user(r->svc->events, &r->frame->user, &e);
	buf_fini(&json);
}

void
result_success_end(struct json_out *j, struct request *r)
{
	json_obj_end(j);
	tell_other_sessions(r);
	request_put_id(j, r);
	json_obj_end(j);
	request_answer(r);
}

/* ---- failure -------------------------------------------------------------- */

static void
failure_end(struct json_out *j, struct request *r, enum err err)
{
	struct rpc_out out = { .status = err };

	json_obj_end(j);
	request_put_id(j, r);
	json_obj_end(j);
	request_answer_out(r, &out);
}

void
result_not_found(struct request *r, const char *type)
{
	struct json_out j;

	begin(&j, r, type, "failure");
	json_key_str(&j, "reason", RESULT_NOT_FOUND);
	failure_end(&j, r, ERR_NOT_FOUND);
}

void
result_rejected(struct request *r, const char *type, const char *key,
    const char *rule)
{
	struct json_out j;

	begin(&j, r, type, "failure");
	json_key_obj(&j, "reason");
	json_key_str(&j, key, rule);
	json_obj_end(&j);
	failure_end(&j, r, ERR_REJECTED);
}
