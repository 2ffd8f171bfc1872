/*
 * GET /api/chats/{id}/search?q=: chatd decides and answers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

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
	if (reply == NULL || reply->body_len == 0) {
		http_answer_error(h, 503, "Service unavailable");
		return;
	}
	http_answer_json(h, err_http_status(status), reply->body,
	    reply->body_len);
}

static void
put_body(struct buf *b, const struct http *h)
{
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_key_uuid(&j, "chat_id", &h->ids[0]);
	json_key_str(&j, "q", h->q);
	json_obj_end(&j);
}

void
handle_search_messages(struct http *h)
{
	struct rpc_request req = {
		.kind = h->route->kind,
		.route = h->ids[0],
		.timeout_ms = settings.request_timeout,
		.trace = trace_new(),
		.user = h->user,
		.token = h->token,
		.chat = h->ids[0],
	};
	struct buf body = BUF_INIT;

	if (h->q != NULL && !utf8_valid(h->q, strlen(h->q))) {
		http_answer_error(h, 400, "Bad request");
		return;
	}
	put_body(&body, h);
	req.body = body.data;
	req.body_len = body.len;
	h->call = rpc_call(h->gw->chatd, &req, on_reply, h);
	buf_fini(&body);
}
