/*
 * POST /api/chats/{id}/members, DELETE /api/chats/{id}/members/{id}: chatd
 * decides, tells the members over their sockets, and has nothing to say here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/json_in.h"
#include "common/json_out.h"
#include "common/rpc.h"
#include "gateway/gateway.h"
#include "gateway/routes.h"
#include "gateway/settings.h"
#include "gateway/trace.h"

static void
on_reply(void *arg, enum err status, const struct frame *reply)
{
	struct http *h = arg;

	h->call = 0;
	if (status == ERR_OK) {
		http_answer(h, 204, NULL, "cache-control: no-store\r\n", NULL,
		    0);
	} else if (reply == NULL || reply->body_len == 0) {
		http_answer_error(h, 503, "Service unavailable");
	} else {
		http_answer_json(h, err_http_status(status), reply->body,
		    reply->body_len);
	}
}

static void
ask_chatd(struct http *h, const void *json, size_t len)
{
	const struct rpc_request req = {
		.kind = h->route->kind,
		.route = h->ids[0],
		.timeout_ms = settings.request_timeout,
		.trace = trace_new(),
		.user = h->user,
		.token = h->token,
		.chat = h->ids[0],
		.body = json,
		.body_len = len,
	};

	h->call = rpc_call(h->gw->chatd, &req, on_reply, h);
}

void
handle_add_chat_members(struct http *h)
{
	if (!json_in_valid((const char *)h->body.data, h->body.len)) {
		http_answer_error(h, 400, "Bad request");
		return;
	}
	ask_chatd(h, h->body.data, h->body.len);
}

void
handle_remove_chat_member(struct http *h)
{
	struct buf body = BUF_INIT;
	struct json_out j;

	json_out_init(&j, &body);
	json_obj(&j);
	json_key_uuid(&j, "member_id", &h->ids[1]);
	json_obj_end(&j);
	ask_chatd(h, body.data, body.len);
	buf_fini(&body);
}
