/*
 * Calls to chatd.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/parleyctl/call.h"

#include <json-c/json.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "common/json_in.h"
#include "common/mem.h"
#include "common/rpc.h"
#include "common/rpc_links.h"

static struct {
	uv_loop_t loop;
	bool open;
	struct rpc_client *client; /* owned */
	bool up_once;
	/* The answer to the call under way. */
	bool done;
	bool reached;
	enum err status;
	char *text;                /* owned */
	size_t len;
} links;

/* ---- the links ------------------------------------------------------------- */

static void
on_change(void *arg UNUSED, bool any_up)
{
	links.up_once = links.up_once || any_up;
}

static enum ctl_exit
link_open(void)
{
	const struct rpc_addresses list[] = {
		{ "chatd", ctl_settings.chatd }, { NULL, NULL },
	};
	const struct rpc_client_conf conf = {
		.service = "chatd",
		.addresses = ctl_settings.chatd,
		.timeout_ms = ctl_settings.timeout,
		.attempt_ms = ctl_settings.timeout,
		.pending_max = 4,
		.on_change = on_change,
	};
	char why[TLS_WHY_LEN];

	if (links.open) {
		return CTL_OK;
	}
	if (!rpc_links_check("parleyctl", list, why)) {
		return ctl_fail(CTL_USAGE, "%s", why);
	}
	uv_loop_init(&links.loop);
	links.open = true;
	links.client = rpc_client_new(&links.loop, &conf);
	return links.client != NULL ? CTL_OK : CTL_USAGE;
}

void
call_end(void)
{
	if (!links.open) {
		return;
	}
	rpc_client_free(&links.client);
	uv_run(&links.loop, UV_RUN_DEFAULT);
	uv_loop_close(&links.loop);
	links.open = false;
	rpc_end();
}

/* ---- what failed ----------------------------------------------------------- */

/* A socket that we may not open looks, from NNG, like one nobody listens at. */
static bool
may_not_connect(void)
{
	char *copy = mem_strdup(ctl_settings.chatd), *save = NULL;
	bool refused = false;

	for (char *t = strtok_r(copy, ", ", &save); t != NULL;
	    t = strtok_r(NULL, ", ", &save)) {
		refused = refused || (strncmp(t, "ipc://", 6) == 0 &&
		    access(t + 6, F_OK) == 0 && access(t + 6, W_OK) != 0);
	}
	free(copy);
	return refused;
}

static enum ctl_exit
fail_unreached(void)
{
	if (!links.up_once && may_not_connect()) {
		return ctl_fail(CTL_FORBIDDEN, "not permitted to connect to "
		    "chatd at %s: run it as root or as chatd's own account",
		    ctl_settings.chatd);
	}
	if (links.up_once) {
		return ctl_fail(CTL_UNAVAILABLE, "chatd did not answer within "
		    "%lld ms: it may have been done nevertheless; look, and "
		    "try again (parleyctl status)",
		    (long long)ctl_settings.timeout);
	}
	return ctl_fail(CTL_UNAVAILABLE, "no chatd answers at %s within %lld "
	    "ms: is it running (parleyctl status), is the setting chatd "
	    "right?", ctl_settings.chatd, (long long)ctl_settings.timeout);
}

static enum ctl_exit
fail_rejected(struct json_object *reply)
{
	struct json_object *errors = NULL;

	if (reply == NULL ||
	    !json_object_object_get_ex(reply, "errors", &errors)) {
		return ctl_fail(CTL_FAILED, "refused");
	}
	json_object_object_foreach(errors, field, rule) {
		(void)ctl_fail(CTL_FAILED, "%s %s", field,
		    json_object_get_string(rule));
	}
	return CTL_FAILED;
}

static enum ctl_exit
fail_status(enum err status, struct json_object *reply)
{
	switch (status) {
	case ERR_REJECTED:
		return fail_rejected(reply);
	case ERR_NOT_FOUND:
		return ctl_fail(CTL_NOT_FOUND, "no such user or session");
	case ERR_UNAUTHORIZED:
		return ctl_fail(CTL_FORBIDDEN, "not permitted: chatd takes "
		    "this from root and its own account over ipc://, over "
		    "tls+tcp:// from a certificate made for parleyctl, over "
		    "tcp:// only with its setting insecure_admin_calls");
	case ERR_INVALID_FIELD:
	case ERR_TOO_LARGE:
		return ctl_fail(CTL_USAGE, "%s is not valid",
		    reply != NULL && reply_text(reply, "field") != NULL ?
		    reply_text(reply, "field") : "an argument");
	case ERR_UNKNOWN_TYPE:
		return ctl_fail(CTL_FAILED, "this chatd does not know the "
		    "call: run parleyctl and chatd of one release");
	case ERR_OVERLOADED:
		return ctl_fail(CTL_UNAVAILABLE, "chatd has too much to do at "
		    "this moment: try again");
	default:
		return ctl_fail(CTL_UNAVAILABLE, "chatd cannot do it now (%s): "
		    "PostgreSQL or Redis may be away (parleyctl status)",
		    err_reason(status));
	}
}

/* ---- a call ---------------------------------------------------------------- */

void
call_begin(struct call *c)
{
	buf_init(&c->body);
	json_out_init(&c->j, &c->body);
	json_obj(&c->j);
}

void
call_begin_by(struct call *c)
{
	call_begin(c);
	json_key_str(&c->j, "by", ctl_operator());
}

static void
on_reply(void *arg UNUSED, enum err status, const struct frame *reply)
{
	links.done = true;
	links.reached = reply != NULL;
	links.status = status;
	if (reply != NULL) {
		links.text = mem_strndup((const char *)reply->body,
		    reply->body_len);
		links.len = reply->body_len;
	}
}

static void
send_and_wait(struct call *c, enum msg_kind kind, const struct uuid *as)
{
	struct rpc_request req = { .kind = kind, .body = c->body.data,
		.body_len = c->body.len };

	randombytes_buf(&req.trace, sizeof(req.trace));
	if (as != NULL) {
		req.user = *as;
		req.route = *as;
	}
	links.done = false;
	(void)rpc_call(links.client, &req, on_reply, NULL);
	while (!links.done) {
		uv_run(&links.loop, UV_RUN_ONCE);
	}
}

enum ctl_exit
call_do(struct call *c, enum msg_kind kind, const struct uuid *as,
    struct json_object **reply_r)
{
	enum ctl_exit status = link_open();
	struct json_object *reply = NULL;

	*reply_r = NULL;
	json_obj_end(&c->j);
	if (status == CTL_OK) {
		send_and_wait(c, kind, as);
	}
	sodium_memzero(c->body.data, c->body.cap);
	buf_fini(&c->body);
	if (status != CTL_OK) {
		return status;
	}
	if (!links.reached) {
		return fail_unreached();
	}
	if (links.len > 0) {
		reply = json_tokener_parse(links.text);
	}
	free(links.text);
	links.text = NULL;
	if (links.status != ERR_OK) {
		status = fail_status(links.status, reply);
		json_object_put(reply);
		return status;
	}
	*reply_r = reply;
	return CTL_OK;
}

enum ctl_exit
call_find_user(const char *who, struct json_object **user_r,
    struct uuid *id_r)
{
	struct call c;
	enum ctl_exit status;
	const char *id;

	if (!utf8_valid(who, strlen(who))) {
		return ctl_fail(CTL_USAGE, "the user's name is no UTF-8 text");
	}
	call_begin(&c);
	json_key_str(&c.j, "user", who);
	status = call_do(&c, MSG_admin_user_find, NULL, user_r);
	if (status != CTL_OK) {
		return status;
	}
	id = reply_text(*user_r, "id");
	if (id == NULL || !uuid_parse(id, strlen(id), id_r)) {
		json_object_put(*user_r);
		return ctl_fail(CTL_FAILED, "chatd's answer is not understood");
	}
	return CTL_OK;
}

/* ---- reading replies ------------------------------------------------------- */

const char *
reply_text(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) &&
	    json_object_is_type(v, json_type_string) ?
	    json_object_get_string(v) : NULL;
}

int64_t
reply_int(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ?
	    json_object_get_int64(v) : 0;
}

bool
reply_bool(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) &&
	    json_object_get_boolean(v);
}

size_t
reply_len(struct json_object *o, const char *key)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) &&
	    json_object_is_type(v, json_type_array) ?
	    json_object_array_length(v) : 0;
}

struct json_object *
reply_at(struct json_object *o, const char *key, size_t i)
{
	struct json_object *v;

	return json_object_object_get_ex(o, key, &v) ?
	    json_object_array_get_idx(v, i) : NULL;
}
