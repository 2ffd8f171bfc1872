/*
 * /api/health, /api/login, /api/register: JSON in, JSON out; chatd decides. A
 * registration may come as a form with a picture, which is stored first and
 * removed again if chatd refuses. Both go to the chatd of the name they are
 * about, which counts what failed there, and take the client's address with
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <json-c/json.h>
#include <string.h>

#include "common/json_in.h"
#include "common/json_out.h"
#include "common/rpc.h"
#include "gateway/form.h"
#include "gateway/gateway.h"
#include "gateway/http_form.h"
#include "gateway/limits.h"
#include "gateway/media_upload.h"
#include "gateway/routes.h"
#include "gateway/settings.h"
#include "gateway/trace.h"

void
handle_health(struct http *h)
{
	static const char ok[] = "{\"status\":\"ok\"}";

	http_answer_json(h, 200, ok, sizeof(ok) - 1);
}

/* A login is charged to its address as a failed one beforehand, so that many at
 * a time cannot get past the count. */
static bool
charge_login(struct http *h)
{
	int64_t wait = limits_address(h->gw->limits, &h->client,
	    CALLER_LOGIN_FAILURES);

	h->may_fail = wait == 0;
	if (wait > 0) {
		http_answer_limited(h, wait);
	}
	return h->may_fail;
}

static void
settle_login(struct http *h, enum err status)
{
	if (h->may_fail && status != ERR_CREDENTIALS) {
		limits_address_give_back(h->gw->limits, &h->client,
		    CALLER_LOGIN_FAILURES);
	}
	h->may_fail = false;
}

static void
on_reply(void *arg, enum err status, const struct frame *reply)
{
	struct http *h = arg;
	int http = err_http_status(status);

	h->call = 0;
	settle_login(h, status);
	if (status == ERR_OK && h->route->kind == MSG_register) {
		http = 201;
		media_keep(h);
	} else {
		media_remove(h);
	}
	if (reply == NULL || reply->body_len == 0) {
		http_answer_error(h, 503, "Service unavailable");
		return;
	}
	if (status == ERR_RATE_LIMITED) {
		http_answer_limited(h, (int64_t)reply->seq);
		return;
	}
	http_answer_json(h, http, reply->body, reply->body_len);
}

/* Password hashing waits in a queue of its own at chatd. */
static void
ask_chatd(struct http *h, const struct uuid *route, const void *json,
    size_t len)
{
	const struct rpc_request req = {
		.kind = h->route->kind,
		.route = *route,
		.session = address_site(&h->client),
		.timeout_ms = 2 * settings.request_timeout,
		.trace = trace_new(),
		.body = json,
		.body_len = len,
	};

	h->call = rpc_call(h->gw->chatd, &req, on_reply, h);
}

/* By the username, if there is one; else by none. */
static struct uuid
route_of(struct json_object *obj)
{
	struct json_object *v;

	if (!json_object_object_get_ex(obj, "username", &v) ||
	    !json_object_is_type(v, json_type_string)) {
		return uuid_v4();
	}
	return auth_name_route(json_object_get_string(v),
	    (size_t)json_object_get_string_len(v));
}

void
handle_login(struct http *h)
{
	struct json_object *obj =
	    json_in_parse((const char *)h->body.data, h->body.len);
	struct uuid route;

	if (obj == NULL) {
		http_answer_error(h, 400, "Bad request");
		return;
	}
	route = route_of(obj);
	json_object_put(obj);
	if (charge_login(h)) {
		ask_chatd(h, &route, h->body.data, h->body.len);
	}
}

static void
register_json(struct http *h)
{
	struct json_object *obj =
	    json_in_parse((const char *)h->body.data, h->body.len);
	struct uuid route;
	const char *text;
	size_t len;

	if (obj == NULL) {
		http_answer_error(h, 400, "Bad request");
		return;
	}
	route = route_of(obj);
	/* Only we say what a picture's address is. */
	json_object_object_del(obj, "avatar_url");
	text = json_object_to_json_string_length(obj,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	ask_chatd(h, &route, text, len);
	json_object_put(obj);
}

/* ---- forms -------------------------------------------------------------- */

/* The form's texts as the JSON that chatd takes. False: not UTF-8. */
static bool
form_json(const struct form *f, const char *avatar_url, struct buf *b)
{
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	for (size_t i = 0; i < f->fields_len; i++) {
		const struct form_field *field = &f->fields[i];
		const char *text = (const char *)field->text.data;

		if (!field->present) {
			continue;
		}
		if (!utf8_valid(text != NULL ? text : "", field->text.len)) {
			return false;
		}
		json_key_strn(&j, field->name, text != NULL ? text : "",
		    field->text.len);
	}
	if (avatar_url != NULL) {
		json_key_str(&j, "avatar_url", avatar_url);
	}
	json_obj_end(&j);
	return true;
}

static struct uuid
route_of_form(const struct form *f)
{
	for (size_t i = 0; i < f->fields_len; i++) {
		const struct form_field *field = &f->fields[i];

		if (field->present && field->text.len > 0 &&
		    strcmp(field->name, "username") == 0) {
			return auth_name_route((const char *)field->text.data,
			    field->text.len);
		}
	}
	return uuid_v4();
}

static void
register_form(struct http *h, const char *avatar_url)
{
	struct uuid route = route_of_form(h->form);
	struct buf b = BUF_INIT;

	if (form_json(h->form, avatar_url, &b)) {
		ask_chatd(h, &route, b.data, b.len);
	} else {
		media_remove(h);
		http_answer_error(h, 400, "Invalid multipart data");
	}
	buf_fini(&b);
}

/* The picture is in the store, or could not be put there. */
static void
on_stored(struct http *h, const char *url)
{
	if (url == NULL) {
		http_answer_error(h, 500, "Avatar upload failed");
		return;
	}
	register_form(h, url);
}

void
handle_register(struct http *h)
{
	const struct form *f = h->form;

	if (f == NULL) {
		register_json(h);
	} else if (form_complete(f) && !f->file_too_large &&
	    f->file_len == 0) {
		register_form(h, NULL);
	} else {
		http_form_store(h, on_stored);
	}
}
