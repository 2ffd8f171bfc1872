/*
 * Dispatch. The table of handlers is expanded from contract.def and is the only
 * dispatcher. Handlers trust what was checked here and never parse again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/dispatch.h"

#include <json-c/json.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "chatd/db.h"
#include "chatd/handlers.h"
#include "chatd/request.h"
#include "chatd/service.h"
#include "common/clock.h"
#include "common/error_frame.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"

struct entry {
	unsigned kind;
	handler_fn *handler;
};

#define ROUTE_TO_chatd(name) { CALL_##name, handle_##name },
#define ROUTE_TO_presenced(name)
#define ROUTE_TO_any(name)
static const struct entry entries[] = {
#define REQUEST(number, name, family, lane, route, limit, flags) \
	{ MSG_##name, handle_##name },
#define HTTP_CALL(number, name, method, path, lane, flags) \
	{ MSG_##name, handle_##name },
#define ADMIN(number, name, lane, flags) { MSG_##name, handle_##name },
#define CALL(number, name, from, to, lane, flags) ROUTE_TO_##to(name)
#define FIELD(name, ident, path, kind, max, flags)
#define END(name)
#define EVENT(name)
#include "common/contract.def"
#undef REQUEST
#undef HTTP_CALL
#undef ADMIN
#undef CALL
#undef FIELD
#undef END
#undef EVENT
};

/* Error numbers are below this; one counter each and type. */
#define ERR_LIMIT 40

struct entry_metrics {
	struct metric *latency;
	struct metric *results[ERR_LIMIT];
};

struct dispatch {
	struct service *svc;      /* borrowed */
	struct rpc_server *server; /* owned */
	size_t pending;
	struct metric *strays;
	struct entry_metrics metrics[ARRAY_LEN(entries)];
};

static const struct entry *
entry_find(unsigned kind)
{
	for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
		if (entries[i].kind == kind) {
			return &entries[i];
		}
	}
	return NULL;
}

/* ---- metrics ------------------------------------------------------------- */

static struct entry_metrics *
metrics_of(struct dispatch *d, const struct contract_row *row)
{
	const struct entry *entry = entry_find(row->kind);
	struct entry_metrics *m = &d->metrics[entry - entries];
	char labels[96];

	if (m->latency == NULL) {
		snprintf(labels, sizeof(labels), "type=\"%s\"", row->name);
		m->latency = metric_latency("parley_chatd_request_seconds",
		    labels, "From a request's arrival to its answer.");
	}
	return m;
}

static void
count(struct request *r, enum err status)
{
	struct entry_metrics *m = metrics_of(r->svc->dispatch, r->row);
	char labels[128];

	metric_observe_us(m->latency, clock_mono_us() - r->started_us);
	if ((unsigned)status >= ERR_LIMIT) {
		return;
	}
	if (m->results[status] == NULL) {
		snprintf(labels, sizeof(labels), "type=\"%s\",result=\"%s\"",
		    r->row->name, err_reason(status));
		m->results[status] = metric_counter(
		    "parley_chatd_requests_total", labels,
		    "Requests answered, by type and result.");
	}
	metric_inc(m->results[status]);
}

/* ---- answers ------------------------------------------------------------- */

/* A request of the slow lane brings a password, its answer a token. */
static void
forget_secrets(struct request *r)
{
	const struct field_rule *rules = r->row->fields;

	for (size_t i = 0; rules != NULL && rules[i].path != NULL; i++) {
		const struct field_value *v = &r->fields.v[i];

		if (rules[i].kind == FIELD_KIND_TEXT && v->present) {
			/* It lies in the JSON object, which is ours. */
			sodium_memzero((void *)(uintptr_t)v->text,
			    v->text_len);
		}
	}
	if (r->body.data != NULL) {
		sodium_memzero(r->body.data, r->body.cap);
	}
}

static void
request_free(struct request *r)
{
	r->svc->dispatch->pending--;
	if (r->row->lane == LANE_SLOW) {
		forget_secrets(r);
	}
	fields_fini(&r->fields);
	json_object_put(r->json);
	buf_fini(&r->body);
	free(r);
}

void
request_answer_out(struct request *r, struct rpc_out *out)
{
	out->body = r->body.data;
	out->body_len = r->body.len;
	count(r, out->status);
	log_debug("answered", "type=%s result=%s req=%016llx", r->row->name,
	    err_reason(out->status), (unsigned long long)r->frame->trace);
	rpc_reply(r->in, out);
	request_free(r);
}

void
request_answer(struct request *r)
{
	struct rpc_out out = { .status = ERR_OK };

	request_answer_out(r, &out);
}

/* An id of the request for its error, however broken the rest is. */
static const struct uuid *
peek_uuid(struct json_object *obj, const char *key, struct uuid *id)
{
	struct json_object *v;

	if (json_object_object_get_ex(obj, key, &v) &&
	    json_object_is_type(v, json_type_string) &&
	    uuid_parse(json_object_get_string(v),
	    (size_t)json_object_get_string_len(v), id)) {
		return id;
	}
	return NULL;
}

/* What clients know: errors between processes are all `unavailable` to them. */
static enum err
public_reason(enum err err)
{
	switch (err) {
	case ERR_INVALID_JSON:
	case ERR_UNKNOWN_TYPE:
	case ERR_INVALID_FIELD:
	case ERR_TOO_LARGE:
	case ERR_NOT_FOUND:
	case ERR_UNAUTHORIZED:
	case ERR_RATE_LIMITED:
		return err;
	default:
		return ERR_UNAVAILABLE;
	}
}

static void
put_error_frame(struct request *r, enum err err, const char *field)
{
	struct error_frame e = { .request = r->row->name,
		.reason = public_reason(err), .field = field,
		.request_id = r->fields.request_id };
	struct uuid chat, front;
	struct json_object *msg = NULL;

	if (r->json != NULL) {
		json_object_object_get_ex(r->json, "msg", &msg);
		e.chat_id = peek_uuid(r->json, "chat_id", &chat);
		if (!json_object_is_type(msg, json_type_object)) {
			msg = NULL;
		}
	}
	if (msg != NULL) {
		if (e.chat_id == NULL) {
			e.chat_id = peek_uuid(msg, "chat_id", &chat);
		}
		e.front_msg_id = peek_uuid(msg, "front_msg_id", &front);
	}
	if (err == ERR_CHAT_FORBIDDEN && e.chat_id != NULL) {
		chat_forbidden_put(&r->body, e.chat_id, e.front_msg_id,
		    e.request_id);
	} else {
		error_frame_put(&r->body, &e);
	}
}

static void
put_http_error(struct request *r, enum err err)
{
	const char *text = "Bad request";

	if (err == ERR_CREDENTIALS) {
		text = "Invalid credentials";
	} else if (err_http_status(err) == 403) {
		text = "Not allowed";
	} else if (err == ERR_NOT_FOUND) {
		text = "Not found";
	} else if (err == ERR_TOO_LARGE) {
		text = "Too large";
	} else if (err == ERR_RATE_LIMITED) {
		text = "Too many requests";
	} else if (err_http_status(err) >= 500) {
		text = "Service unavailable";
	}
	struct json_out j;

	json_out_init(&j, &r->body);
	json_obj(&j);
	json_key_str(&j, "error", text);
	json_obj_end(&j);
}

/* The field that is wrong, for who typed it. */
static void
put_admin_error(struct request *r, enum err err, const char *field)
{
	struct json_out j;

	json_out_init(&j, &r->body);
	json_obj(&j);
	json_key_str(&j, "error", err_reason(err));
	json_key_str(&j, "field", field);
	json_obj_end(&j);
}

/* The answer's body for `err`. */
static void
put_error(struct request *r, enum err err, const char *field)
{
	buf_reset(&r->body);
	if (r->row->class == ROW_REQUEST) {
		put_error_frame(r, err, field);
	} else if (r->row->class == ROW_HTTP) {
		put_http_error(r, err);
	} else if (r->row->class == ROW_ADMIN) {
		put_admin_error(r, err, field);
	}
}

void
request_fail(struct request *r, enum err err, const char *field)
{
	struct rpc_out out = { .status = err };

	put_error(r, err, field);
	request_answer_out(r, &out);
}

void
request_limit(struct request *r, int64_t wait_ms)
{
	struct rpc_out out = { .status = ERR_RATE_LIMITED,
		.seq = (uint64_t)wait_ms };

	put_error(r, ERR_RATE_LIMITED, NULL);
	request_answer_out(r, &out);
}

enum err
request_db_err(const struct db_result *res)
{
	return db_outcome(res) == DB_OK ? ERR_OK : ERR_UNAVAILABLE;
}

/* ---- the way in ---------------------------------------------------------- */

static void
refuse_stray(struct dispatch *d, struct rpc_in *in)
{
	struct rpc_out out = { .status = ERR_UNKNOWN_TYPE };

	metric_inc(d->strays);
	log_warn("unknown_kind", "kind=%u remedy=\"run gateways, presenceds "
	    "and chatds of the same version\"", in->frame.kind);
	rpc_reply(in, &out);
}

static void
check_and_handle(struct request *r, handler_fn *handler)
{
	const char *bad = NULL;
	enum err err;

	if (r->row->class == ROW_CALL) {
		handler(r);
		return;
	}
	r->json = json_in_parse((const char *)r->frame->body,
	    r->frame->body_len);
	if (r->json == NULL) {
		request_fail(r, ERR_INVALID_JSON, NULL);
		return;
	}
	err = fields_check(r->row->fields, r->json, &r->fields, &bad);
	if (err != ERR_OK) {
		request_fail(r, err, bad);
		return;
	}
	handler(r);
}

static void
on_frame(void *arg, struct rpc_in *in)
{
	struct dispatch *d = arg;
	const struct entry *entry = entry_find(in->frame.kind);
	struct request *r;

	if (entry == NULL) {
		refuse_stray(d, in);
		return;
	}
	r = mem_zalloc(sizeof(*r));
	r->svc = d->svc;
	r->in = in;
	r->frame = &in->frame;
	r->row = contract_row(in->frame.kind);
	r->started_us = clock_mono_us();
	buf_init(&r->body);
	d->pending++;
	check_and_handle(r, entry->handler);
}

static double
gauge_pending(void *arg)
{
	return (double)((struct dispatch *)arg)->pending;
}

struct dispatch *
dispatch_new(struct service *svc, const char *listen, size_t in_flight_max)
{
	struct dispatch *d = mem_zalloc(sizeof(*d));

	d->svc = svc;
	d->server = rpc_server_new(svc->loop, listen, in_flight_max, on_frame,
	    d);
	if (d->server == NULL) {
		free(d);
		return NULL;
	}
	d->strays = metric_counter("parley_chatd_unknown_kinds_total", NULL,
	    "Envelopes of a kind this chatd does not know.");
	metric_gauge_fn("parley_chatd_in_flight", NULL,
	    "Requests not yet answered.", gauge_pending, d);
	return d;
}

void
dispatch_drain(struct dispatch *d)
{
	rpc_server_drain(d->server);
}

bool
dispatch_drained(const struct dispatch *d)
{
	return d->pending == 0 && rpc_server_drained(d->server);
}

size_t
dispatch_pending(const struct dispatch *d)
{
	return d->pending;
}

void
dispatch_free(struct dispatch **dp)
{
	struct dispatch *d = *dp;

	*dp = NULL;
	if (d == NULL) {
		return;
	}
	rpc_server_free(&d->server);
	free(d);
}
