/*
 * One answer of chatd: what it teaches the gateway about the session, and its
 * frames for the client.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/answer.h"

#include "common/buf.h"
#include "common/contract.h"
#include "common/error_frame.h"
#include "common/log.h"
#include "gateway/catchup.h"
#include "gateway/conn.h"
#include "gateway/deliver.h"

static void
send_unavailable(struct conn *c, const struct conn_call *call)
{
	struct buf b = BUF_INIT;

	error_frame_put(&b, &(struct error_frame){
		.request = call->row->name,
		.reason = ERR_UNAVAILABLE,
		.chat_id = &call->chat,
		.front_msg_id = &call->front_msg_id,
		.request_id = call->request_id,
	});
	conn_send_json(c, b.data, b.len);
	buf_fini(&b);
}

/* The session knows the chat by the answer it is given. */
static void
learn_chat(struct conn *c, const struct frame *reply)
{
	struct session_chat *chat =
	    chats_add(&c->chats, &reply->chat, reply->seq);

	if (catchup_was_unknown(c, &reply->chat)) {
		catchup_want_chat(c, chat, 0);
	}
}

/* The session has left the chat by its own wish. */
static void
forget_chat(struct conn *c, const struct frame *reply)
{
	if (!uuid_is_nil(&reply->chat) && reply->seq == 0) {
		(void)catchup_was_unknown(c, &reply->chat);
		chats_del(&c->chats, &reply->chat);
	}
}

static void
learn_seen(struct conn *c, const struct frame *reply)
{
	struct session_chat *chat = chats_get(&c->chats, &reply->chat);

	if (chat != NULL && reply->seq > chat->seen) {
		chat->seen = reply->seq;
	}
}

/* What a successful answer teaches about the session, before it is written. */
static void
learn(struct conn *c, const struct contract_row *row,
    const struct frame *reply)
{
	switch (row->kind) {
	case MSG_send_message:
		deliver_own_message(c, &reply->chat, reply->seq);
		break;
	case MSG_open_chat:
		learn_seen(c, reply);
		break;
	case MSG_create_private_chat:
	case MSG_create_group:
		learn_chat(c, reply);
		break;
	case MSG_change_group_name:
	case MSG_change_group_description:
	case MSG_give_admin:
	case MSG_add_members:
		deliver_own_change(c, &reply->chat, reply->seq);
		break;
	case MSG_remove_member:
		forget_chat(c, reply);
		deliver_own_change(c, &reply->chat, reply->seq);
		break;
	default:
		break;
	}
}

void
answer_part(struct conn *c, const struct frame *reply)
{
	struct rd r;
	uint32_t count;

	rd_init(&r, reply->body, reply->body_len);
	count = rd_u32(&r);
	while (count-- > 0 && rd_ok(&r) && conn_is_open(c)) {
		size_t len;
		const uint8_t *json = rd_blob(&r, &len);

		if (rd_ok(&r)) {
			conn_send_json(c, json, len);
		}
	}
	if (!rd_ok(&r)) {
		log_error("answer_bad", "len=%zu remedy=\"%s\"",
		    reply->body_len, "run chatd and gateway of one version");
	}
}

void
answer_take(struct conn *c, const struct conn_call *call, enum err status,
    const struct frame *reply)
{
	bool has_body = reply != NULL && reply->body_len > 0;
	bool logout = call->row->kind == MSG_logout && status == ERR_OK;

	if (status == ERR_OK && reply != NULL) {
		learn(c, call->row, reply);
	}
	if (has_body && status == ERR_OK &&
	    (call->row->flags & ROW_FRAMES) != 0) {
		answer_part(c, reply);
	} else if (has_body) {
		conn_send_json(c, reply->body, reply->body_len);
	} else if (!logout) {
		send_unavailable(c, call);
	}
	deliver_held(c);
	if (logout) {
		c->lingers = reply != NULL && reply->seq > 0;
		conn_close(c, 1000, "logout");
	}
}
