/*
 * POST /api/users/me/avatar, /api/groups/{id}/avatar, /api/chat/upload: the
 * file is in the store before chatd hears of it, and is removed again if chatd
 * refuses. Whose group it is, chatd knows.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "common/json_out.h"
#include "common/rpc.h"
#include "gateway/gateway.h"
#include "gateway/http_form.h"
#include "gateway/media_upload.h"
#include "gateway/routes.h"
#include "gateway/settings.h"
#include "gateway/trace.h"

/* ---- avatars ------------------------------------------------------------ */

static void
on_reply(void *arg, enum err status, const struct frame *reply)
{
	struct http *h = arg;

	h->call = 0;
	if (status == ERR_OK) {
		media_keep(h);
	} else if (!err_is_passing(status)) {
		media_remove(h);
	}
	/* Else chatd may have it: a picture too many is better than none. */
	if (reply == NULL || reply->body_len == 0) {
		http_answer_error(h, 503, "Service unavailable");
		return;
	}
	http_answer_json(h, err_http_status(status), reply->body,
	    reply->body_len);
}

static void
put_body(struct buf *b, const struct http *h, const char *url)
{
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	if (h->route->kind == MSG_set_group_avatar) {
		json_key_uuid(&j, "chat_id", &h->ids[0]);
	}
	json_key_str(&j, "avatar_url", url);
	json_obj_end(&j);
}

static void
on_picture_stored(struct http *h, const char *url)
{
	struct rpc_request req = {
		.kind = h->route->kind,
		.route = h->user,
		.timeout_ms = settings.request_timeout,
		.trace = trace_new(),
		.user = h->user,
		.token = h->token,
	};
	struct buf body = BUF_INIT;

	if (url == NULL) {
		http_answer_error(h, 500, "Avatar upload failed");
		return;
	}
	if (h->route->kind == MSG_set_group_avatar) {
		req.route = h->ids[0];
		req.chat = h->ids[0];
	}
	put_body(&body, h, url);
	req.body = body.data;
	req.body_len = body.len;
	h->call = rpc_call(h->gw->chatd, &req, on_reply, h);
	buf_fini(&body);
}

void
handle_set_avatar(struct http *h)
{
	http_form_store(h, on_picture_stored);
}

/* ---- files of messages -------------------------------------------------- */

static void
on_file_stored(struct http *h, const char *url)
{
	struct buf body = BUF_INIT;
	struct json_out j;

	if (url == NULL) {
		http_answer_error(h, 500, "Upload failed");
		return;
	}
	json_out_init(&j, &body);
	json_obj(&j);
	json_key_str(&j, "url", url);
	json_key_str(&j, "mime", media_upload_kind(h)->type);
	json_obj_end(&j);
	http_answer_json(h, 200, body.data, body.len);
	buf_fini(&body);
	media_keep(h);
}

void
handle_chat_upload(struct http *h)
{
	http_form_store(h, on_file_stored);
}
