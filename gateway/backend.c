/*
 * The client's bytes are passed on unchanged; who sent them is in the envelope.
 * A client that does not read its answers gets no more: requests wait while a
 * quarter of the outbox is full, so that only events can make a slow reader.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/backend.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/contract.h"
#include "common/error_frame.h"
#include "common/log.h"
#include "common/rpc.h"
#include "gateway/catchup.h"
#include "gateway/conn.h"
#include "gateway/deliver.h"
#include "gateway/fanout.h"
#include "gateway/limits.h"
#include "gateway/request.h"
#include "gateway/settings.h"
#include "gateway/stats.h"
#include "gateway/trace.h"
#include "gateway/watch.h"

static void
send_error(struct conn *c, const struct error_frame *e)
{
	struct buf b = BUF_INIT;

	error_frame_put(&b, e);
	conn_send_json(c, b.data, b.len);
	buf_fini(&b);
}

static bool
is_abuse(enum err status)
{
	return status == ERR_INVALID_JSON || status == ERR_UNKNOWN_TYPE ||
	    status == ERR_INVALID_FIELD || status == ERR_TOO_LARGE;
}

static const struct uuid *
unless_nil(const struct uuid *id)
{
	return uuid_is_nil(id) ? NULL : id;
}

/* ---- answers ------------------------------------------------------------ */

static void
send_unavailable(struct conn *c, const struct conn_call *call)
{
	const struct error_frame e = {
		.request = call->row->name,
		.reason = ERR_UNAVAILABLE,
		.chat_id = unless_nil(&call->chat),
		.front_msg_id = unless_nil(&call->front_msg_id),
		.request_id = call->request_id,
	};

	send_error(c, &e);
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

static bool
has_frames(const struct contract_row *row)
{
	return (row->flags & ROW_FRAMES) != 0;
}

/* The frames of one part of an answer. */
static void
send_frames(struct conn *c, const struct frame *reply)
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

static void
finish(struct conn *c, const struct conn_call *call, enum err status,
    const struct frame *reply)
{
	bool has_body = reply != NULL && reply->body_len > 0;
	bool logout = call->row->kind == MSG_logout && status == ERR_OK;

	if (status == ERR_OK && reply != NULL) {
		learn(c, call->row, reply);
	}
	if (has_body && status == ERR_OK && has_frames(call->row)) {
		send_frames(c, reply);
	} else if (has_body) {
		conn_send_json(c, reply->body, reply->body_len);
	} else if (!logout) {
		send_unavailable(c, call);
	}
	deliver_held(c);
	if (is_abuse(status)) {
		conn_count_abuse(c);
	}
	if (logout) {
		c->lingers = reply != NULL && reply->seq > 0;
		conn_close(c, 1000, "logout");
	} else if (c->drain_due) {
		conn_close(c, 1012, "Gateway restarting");
	}
}

/* The call goes on once there is room for the next part. */
static bool
is_part(const struct conn_call *call, enum err status,
    const struct frame *reply)
{
	return status == ERR_OK && reply != NULL && reply->seq != 0 &&
	    has_frames(call->row);
}

static void
on_reply(void *arg, enum err status, const struct frame *reply)
{
	struct conn *c = arg;
	struct conn_call call = c->call;

	if (is_part(&call, status, reply)) {
		c->call.id = 0;
		c->call.more = reply->seq;
		send_frames(c, reply);
		deliver_held(c);
		if (c->drain_due) {
			conn_close(c, 1012, "Gateway restarting");
		}
		backend_pump(c);
		return;
	}
	memset(&c->call, 0, sizeof(c->call));
	stats_request(call.row, status, clock_mono_us() - call.started_us);
	log_debug("answered", "type=%s result=%s req=%016llx", call.row->name,
	    err_reason(status), (unsigned long long)call.trace);
	finish(c, &call, status, reply);
	free(call.request_id);
	free(call.frame);
	backend_pump(c);
}

/* ---- requests ----------------------------------------------------------- */

/* The highest seq up to which the session has seen everything of a chat. */
static uint64_t
seen_upto(struct conn *c, const struct uuid *chat_id)
{
	const struct session_chat *chat = chats_get(&c->chats, chat_id);

	if (chat == NULL) {
		return 0;
	}
	return chat->seen > chat->track.frontier ? chat->seen
	    : chat->track.frontier;
}

/* Sends the frame of the call to chatd. */
static void
ask(struct conn *c, const struct inbound_frame *f, uint64_t seq)
{
	const struct contract_row *row = c->call.row;
	struct rpc_request req = {
		.kind = row->kind,
		.timeout_ms = settings.request_timeout,
		.trace = c->call.trace,
		.seq = seq,
		.user = c->user,
		.session = c->session,
		.token = c->token,
		.chat = c->call.chat,
		.body = f->data,
		.body_len = f->len,
	};

	req.route = row->route == ROUTE_CHAT && !uuid_is_nil(&c->call.chat)
	    ? c->call.chat : c->user;
	c->call.id = rpc_call(c->gw->chatd, &req, on_reply, c);
}

static void
log_asked(const struct conn *c, const struct inbound_frame *f)
{
	char user[UUID_TEXT_LEN + 1], session[UUID_TEXT_LEN + 1];

	if (!log_enabled(LOG_DEBUG)) {
		return;
	}
	uuid_format(&c->user, user);
	uuid_format(&c->session, session);
	log_event(LOG_DEBUG, "asked", "type=%s bytes=%zu user=%s session=%s "
	    "req=%016llx", c->call.row->name, f->len, user, session,
	    (unsigned long long)c->call.trace);
}

/* Takes the texts of `r` that outlive the frame, and the frame itself where it
 * may have to be sent again; else the caller still owns it. */
static bool
start_call(struct conn *c, struct request *r, struct inbound_frame *f)
{
	uint64_t seq = 0;

	if (r->row->kind == MSG_chat_messages_read) {
		seq = seen_upto(c, &r->chat);
	}
	c->call.row = r->row;
	c->call.chat = r->chat;
	c->call.front_msg_id = r->front_msg_id;
	c->call.request_id = r->request_id;
	r->request_id = NULL;
	c->call.started_us = clock_mono_us();
	/* From its arrival on, so that a delivery tells the whole way. */
	c->call.trace = trace_at(f->arrived_us);
	metric_observe_us(stats.frame_wait, c->call.started_us -
	    f->arrived_us);
	log_asked(c, f);
	if (has_frames(r->row)) {
		c->call.frame = f;
	}
	ask(c, f, seq);
	return has_frames(r->row);
}

/* Refusals of one connection that are not slowed down. */
static const struct rate refusals = { 500, 1000, 100 };

static void
refuse(struct conn *c, enum err err, const struct request *r,
    int64_t retry_after_ms)
{
	const struct error_frame e = {
		.request = r->type,
		.reason = err,
		.retry_after_ms = retry_after_ms,
		.chat_id = unless_nil(&r->chat),
		.front_msg_id = unless_nil(&r->front_msg_id),
		.request_id = r->request_id,
	};

	send_error(c, &e);
}

/* How long until this frame is within the rates of its address and its user; 0:
 * it is. */
static int64_t
wait_of(struct conn *c, const struct request *r)
{
	struct limits *l = c->gw->limits;
	int64_t wait = limits_caller(l, c->caller, CALLER_FRAMES);

	if (wait == 0 && r->row != NULL) {
		wait = limits_user(l, fanout_rates(c),
		    contract_limit(r->row->kind), 1);
	}
	return wait;
}

/* Typing is the first to be shed, and that without a word. */
static void
refuse_for_rate(struct conn *c, const struct request *r, int64_t wait)
{
	if (contract_limit(r->row->kind) != LIMIT_TYPING) {
		refuse(c, ERR_RATE_LIMITED, r, wait);
	}
	if (rate_take(&refusals, &c->refusals, rate_now(), 1) != 0) {
		watch_rest(c);
	}
}

static void
handle_take(struct conn *c, struct inbound_frame *f)
{
	struct request r;
	enum err err = request_parse(f->data, f->len, &r);
	int64_t wait = wait_of(c, &r);
	bool taken = false;

	if (err != ERR_OK) {
		stats_frame_refused(err);
		refuse(c, err, &r, 0);
		conn_count_abuse(c);
	} else if (wait > 0) {
		refuse_for_rate(c, &r, wait);
	} else {
		taken = start_call(c, &r, f);
	}
	request_fini(&r);
	if (!taken) {
		free(f);
	}
}

static bool
may_take(const struct conn *c)
{
	return c->state == CONN_LIVE && c->call.id == 0 && !c->drain_due &&
	    !list_linked(&c->rest) &&
	    c->out.bytes <= c->out.bytes_max / 4;
}

void
backend_pump(struct conn *c)
{
	struct inbound_frame *f;

	if (may_take(c) && c->call.more != 0) {
		ask(c, c->call.frame, c->call.more);
	}
	while (may_take(c) && (f = inbound_pop(&c->in)) != NULL) {
		handle_take(c, f);
	}
	if (c->read_paused && conn_is_open(c) && inbound_has_room(&c->in)) {
		c->read_paused = false;
		lws_rx_flow_control(c->wsi, 1);
	}
}

void
backend_cancel(struct conn *c)
{
	if (c->call.id != 0) {
		rpc_cancel(c->gw->chatd, c->call.id);
	}
	free(c->call.request_id);
	free(c->call.frame);
	memset(&c->call, 0, sizeof(c->call));
}
