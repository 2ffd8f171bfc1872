/*
 * The client's bytes are passed on unchanged; who sent them is in the envelope.
 *
 * What of a group is answered early waits for those before it: chatd answers in
 * the order it stores, but a refusal of ours, or one call that had to be repeated
 * elsewhere, may be out of turn.
 *
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
#include "common/mem.h"
#include "common/rpc.h"
#include "gateway/answer.h"
#include "gateway/conn.h"
#include "gateway/deliver.h"
#include "gateway/fanout.h"
#include "gateway/limits.h"
#include "gateway/request.h"
#include "gateway/settings.h"
#include "gateway/stats.h"
#include "gateway/trace.h"
#include "gateway/watch.h"

/*
 * Sends that one client has sent one after another to one chat go to chatd
 * together, and are stored in one transaction. So many, and (the first aside) so
 * long in all: a tenth of what one NNG message may hold.
 */
#define GROUP_MAX 16
#define GROUP_BYTES ((size_t)48 << 10)

static bool
is_abuse(enum err status)
{
	return status == ERR_INVALID_JSON || status == ERR_UNKNOWN_TYPE ||
	    status == ERR_INVALID_FIELD || status == ERR_TOO_LARGE;
}

static bool
has_frames(const struct contract_row *row)
{
	return (row->flags & ROW_FRAMES) != 0;
}

/* ---- the calls of a connection ------------------------------------------ */

/* What came for a call while one before it is unanswered. */
struct kept_answer {
	enum err status;
	bool came;           /* else no answer came */
	struct frame reply;  /* its body is `body` */
	uint8_t body[];
};

static struct conn_call *
first_call(const struct conn *c)
{
	return list_empty(&c->calls) ? NULL
	    : LIST_ENTRY(c->calls.next, struct conn_call, link);
}

static void
call_free(struct conn_call *call)
{
	list_del(&call->link);
	free(call->request_id);
	free(call->frame);
	free(call->kept);
	free(call);
}

static void
keep(struct conn_call *call, enum err status, const struct frame *reply)
{
	size_t len = reply != NULL ? reply->body_len : 0;
	struct kept_answer *kept = mem_zalloc(sizeof(*kept) + len);

	kept->status = status;
	kept->came = reply != NULL;
	if (reply != NULL) {
		kept->reply = *reply;
		kept->reply.body = kept->body;
	}
	if (len > 0) {
		memcpy(kept->body, reply->body, len);
	}
	call->kept = kept;
}

/* ---- answers ------------------------------------------------------------ */

static void
end_call(struct conn *c, struct conn_call *call, enum err status,
    const struct frame *reply)
{
	/* Closing the connection must not find it. */
	list_del(&call->link);
	if (!call->refused) {
		stats_request(call->row, status,
		    clock_mono_us() - call->started_us);
	}
	log_debug("answered", "type=%s result=%s req=%016llx", call->row->name,
	    err_reason(status), (unsigned long long)call->trace);
	answer_take(c, call, status, reply);
	if (is_abuse(status)) {
		conn_count_abuse(c);
	}
	call_free(call);
}

static void
end_kept(struct conn *c)
{
	struct conn_call *call;

	while ((call = first_call(c)) != NULL && call->kept != NULL) {
		const struct kept_answer *kept = call->kept;

		end_call(c, call, kept->status, kept->came ? &kept->reply
		    : NULL);
	}
}

static void
leave_if_due(struct conn *c)
{
	if (c->drain_due) {
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
	struct conn_call *call = arg;
	struct conn *c = call->conn;

	call->id = 0;
	if (is_part(call, status, reply)) {
		call->more = reply->seq;
		answer_part(c, reply);
		deliver_held(c);
		leave_if_due(c);
		backend_pump(c);
		return;
	}
	if (call != first_call(c)) {
		keep(call, status, reply);
		return;
	}
	end_call(c, call, status, reply);
	end_kept(c);
	if (list_empty(&c->calls)) {
		leave_if_due(c);
		backend_pump(c);
	}
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
ask(struct conn_call *call, const struct inbound_frame *f, uint64_t seq)
{
	const struct conn *c = call->conn;
	const struct contract_row *row = call->row;
	struct rpc_request req = {
		.kind = row->kind,
		.timeout_ms = settings.request_timeout,
		.trace = call->trace,
		.follows = call != first_call(c),
		.seq = seq,
		.user = c->user,
		.session = c->session,
		.token = c->token,
		.chat = call->chat,
		.body = f->data,
		.body_len = f->len,
	};

	req.route = row->route == ROUTE_CHAT && !uuid_is_nil(&call->chat)
	    ? call->chat : c->user;
	call->id = rpc_call(c->gw->chatd, &req, on_reply, call);
}

static void
log_asked(const struct conn_call *call, const struct inbound_frame *f)
{
	const struct conn *c = call->conn;
	char user[UUID_TEXT_LEN + 1], session[UUID_TEXT_LEN + 1];

	if (!log_enabled(LOG_DEBUG)) {
		return;
	}
	uuid_format(&c->user, user);
	uuid_format(&c->session, session);
	log_event(LOG_DEBUG, "asked", "type=%s bytes=%zu user=%s session=%s "
	    "req=%016llx", call->row->name, f->len, user, session,
	    (unsigned long long)call->trace);
}

/* Takes the texts of `r` that outlive the frame. */
static struct conn_call *
call_new(struct conn *c, struct request *r, const struct inbound_frame *f)
{
	struct conn_call *call = mem_zalloc(sizeof(*call));

	call->conn = c;
	call->row = r->row;
	call->chat = r->chat;
	call->front_msg_id = r->front_msg_id;
	call->request_id = r->request_id;
	r->request_id = NULL;
	call->started_us = clock_mono_us();
	/* From its arrival on, so that a delivery tells the whole way. */
	call->trace = trace_at(f->arrived_us);
	list_push_back(&c->calls, &call->link);
	return call;
}

/* Takes the frame as well where it may have to be sent again; else the caller
 * still owns it. */
static bool
start_call(struct conn *c, struct request *r, struct inbound_frame *f)
{
	struct conn_call *call = call_new(c, r, f);
	uint64_t seq = 0;

	if (call->row->kind == MSG_chat_messages_read) {
		seq = seen_upto(c, &call->chat);
	}
	metric_observe_us(stats.frame_wait, call->started_us -
	    f->arrived_us);
	log_asked(call, f);
	if (has_frames(call->row)) {
		call->frame = f;
	}
	ask(call, f, seq);
	return call->frame != NULL;
}

/* Refusals of one connection that are not slowed down. */
static const struct rate refusals = { 500, 1000, 100 };

/* Answers `f` ourselves, in its turn. */
static void
refuse(struct conn *c, enum err err, struct request *r,
    const struct inbound_frame *f, int64_t retry_after_ms)
{
	struct frame reply = { .status = (uint16_t)err };
	struct buf b = BUF_INIT;

	error_frame_put(&b, &(struct error_frame){
		.request = r->type,
		.reason = err,
		.retry_after_ms = retry_after_ms,
		.chat_id = &r->chat,
		.front_msg_id = &r->front_msg_id,
		.request_id = r->request_id,
	});
	if (list_empty(&c->calls)) {
		conn_send_json(c, b.data, b.len);
	} else {
		struct conn_call *call = call_new(c, r, f);

		call->refused = true;
		reply.body = b.data;
		reply.body_len = b.len;
		keep(call, err, &reply);
	}
	buf_fini(&b);
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
refuse_for_rate(struct conn *c, struct request *r,
    const struct inbound_frame *f, int64_t wait)
{
	if (contract_limit(r->row->kind) != LIMIT_TYPING) {
		refuse(c, ERR_RATE_LIMITED, r, f, wait);
	}
	if (rate_take(&refusals, &c->refusals, rate_now(), 1) != 0) {
		watch_rest(c);
	}
}

static void
handle_take(struct conn *c, struct inbound_frame *f, struct request *r,
    enum err err)
{
	int64_t wait = wait_of(c, r);
	bool taken = false;

	if (err != ERR_OK) {
		stats_frame_refused(err);
		refuse(c, err, r, f, 0);
		conn_count_abuse(c);
	} else if (wait > 0) {
		refuse_for_rate(c, r, f, wait);
	} else {
		taken = start_call(c, r, f);
	}
	if (!taken) {
		free(f);
	}
}

static bool
may_take(const struct conn *c)
{
	return c->state == CONN_LIVE && !c->drain_due &&
	    !list_linked(&c->rest) &&
	    c->out.bytes <= c->out.bytes_max / 4;
}

/* Whether the request may go along with those just taken. */
static bool
joins(const struct conn *c, const struct request *r, enum err err)
{
	const struct conn_call *first = first_call(c);

	return err == ERR_OK && r->row->kind == MSG_send_message &&
	    first->row == r->row && !uuid_is_nil(&r->chat) &&
	    uuid_eq(&first->chat, &r->chat);
}

/*
 * Whether the session has been told of its own messages far ahead of those of
 * others between them: its deliveries lag. Sends wait until they are here; else
 * one who sends to a busy group would be limited by nothing, and told of his own
 * messages twice in the end (see seqtrack). Where catching up fails, too, nobody
 * waits: chatd's answer is better than none.
 */
static bool
is_ahead(struct conn *c, const struct request *r)
{
	const struct session_chat *chat;

	if (r->row == NULL || r->row->kind != MSG_send_message ||
	    c->catchup.failures > 0) {
		return false;
	}
	chat = chats_get(&c->chats, &r->chat);
	return chat != NULL && seqtrack_room(&chat->track) <= GROUP_MAX;
}

static void
take_group(struct conn *c)
{
	struct inbound_frame *f;
	size_t bytes = 0, count = 0;

	while (may_take(c) && (f = inbound_first(&c->in)) != NULL) {
		struct request r;
		enum err err;

		if (count == GROUP_MAX || (count > 0 &&
		    bytes + f->len > GROUP_BYTES)) {
			return;
		}
		err = request_parse(f->data, f->len, &r);
		if ((count > 0 && !joins(c, &r, err)) || is_ahead(c, &r)) {
			request_fini(&r);
			return;
		}
		bytes += f->len;
		inbound_take(&c->in, f);
		handle_take(c, f, &r, err);
		request_fini(&r);
		count += !list_empty(&c->calls);
	}
}

void
backend_pump(struct conn *c)
{
	struct conn_call *call = first_call(c);

	if (call == NULL) {
		take_group(c);
	} else if (may_take(c) && call->id == 0 && call->more != 0) {
		ask(call, call->frame, call->more);
	}
	if (c->read_paused && conn_is_open(c) && inbound_has_room(&c->in)) {
		c->read_paused = false;
		lws_rx_flow_control(c->wsi, 1);
	}
}

void
backend_cancel(struct conn *c)
{
	struct conn_call *call;

	while ((call = first_call(c)) != NULL) {
		if (call->id != 0) {
			rpc_cancel(c->gw->chatd, call->id);
		}
		call_free(call);
	}
}
