/*
 * Each step is one call whose answer begins the next; a connection that closes
 * in between cancels its call, so no answer ever meets a conn that has moved
 * on. The client's frames wait meanwhile (conn.in) and are handled after
 * user_info.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/opening.h"

#include <string.h>

#include "common/calls.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/rpc.h"
#include "gateway/admission.h"
#include "gateway/backend.h"
#include "gateway/catchup.h"
#include "gateway/conn.h"
#include "gateway/deliver.h"
#include "gateway/fanout.h"
#include "gateway/presence.h"
#include "gateway/settings.h"
#include "gateway/stats.h"
#include "gateway/tokens.h"
#include "gateway/trace.h"

/* Closes with what the token's check, or its failing, means to the client. */
static void
close_for(struct conn *c, enum err status)
{
	switch (status) {
	case ERR_TOKEN_EXPIRED:
		conn_close(c, 1008, "Token expired");
		break;
	case ERR_TOKEN_UNKNOWN:
		conn_close(c, 1008, "Unauthorized");
		break;
	default:
		conn_close(c, 1013, "Service unavailable");
		break;
	}
}

static void
on_token_checked(void *arg, enum err status, const struct frame *reply)
{
	struct conn *c = arg;

	c->opening_call = 0;
	if (status != ERR_OK || reply == NULL) {
		close_for(c, status);
		return;
	}
	c->user = reply->user;
	c->token = reply->token;
	c->expires_ms = (int64_t)reply->seq;
	conn_set_state(c, CONN_SUBSCRIBING);
	fanout_join(c);
}

void
opening_begin(struct conn *c)
{
	struct rpc_request req = { .kind = CALL_check_token };

	req.route = auth_hash_route(&c->hash);
	req.timeout_ms = settings.request_timeout;
	req.trace = trace_new();
	req.session = c->session;
	req.body = c->hash.b;
	req.body_len = sizeof(c->hash.b);
	c->opening_call = rpc_call(c->gw->chatd, &req, on_token_checked, c);
}

void
opening_start(struct conn *c, const char *token, size_t len)
{
	if (c->gw->draining) {
		conn_close(c, 1012, "Gateway restarting");
		return;
	}
	if (c->gw->conns->count > (size_t)settings.connections_max) {
		conn_close(c, 1013, "Over capacity");
		return;
	}
	if (token == NULL || len == 0) {
		conn_close(c, 1008, "Token missing");
		return;
	}
	if (len > AUTH_TOKEN_MAX) {
		conn_close(c, 1008, "Unauthorized");
		return;
	}
	auth_hash(token, len, &c->hash);
	admission_enter(c);
}

/* Takes the marks over into the chat table; what was not delivered before will
 * be reported once the frame is written. */
static void
load_marks(struct conn *c, struct rd *r)
{
	size_t count = rd_u32(r);
	struct chat_at_rest *chat;

	if (count > rd_left(r) / CHAT_MARK_LEN) {
		r->bad = true;
		return;
	}
	chat = chats_expect(&c->chats, count);
	while (count-- > 0) {
		struct chat_mark m;

		get_chat_mark(r, &m);
		*chat++ = (struct chat_at_rest){ m.chat, m.last_seq,
			m.version };
		if (m.delivered_seq < m.last_seq) {
			buf_put_uuid(&c->snapshot, &m.chat);
			buf_put_u64(&c->snapshot, m.last_seq);
		}
	}
	chats_sort(&c->chats);
}

static void
go_live(struct conn *c, const char *json, size_t len)
{
	const struct out_note note = { .kind = NOTE_SNAPSHOT };
	struct out_frame *f = out_frame_new(json, len);

	conn_send(c, f, &note, FLUSH_SOON);
	out_frame_unref(&f);
	if (!conn_is_open(c)) {
		return;
	}
	conn_set_state(c, CONN_LIVE);
	admission_leave(c);
	metric_inc(stats.went_live);
	metric_observe_us(stats.opening,
	    (clock_mono_ms() - c->opened_ms) * 1000);
	presence_session_up(c);
	tokens_join(c);
	deliver_waiting(c);
	catchup_ready(c);
	backend_pump(c);
}

static void
on_user_info(void *arg, enum err status, const struct frame *reply)
{
	struct conn *c = arg;
	const uint8_t *json;
	struct rd r;
	size_t len;

	c->opening_call = 0;
	if (status != ERR_OK || reply == NULL) {
		close_for(c, status);
		return;
	}
	rd_init(&r, reply->body, reply->body_len);
	load_marks(c, &r);
	json = rd_blob(&r, &len);
	if (!rd_done(&r)) {
		log_error("user_info_bad", "len=%zu remedy=\"%s\"",
		    reply->body_len, "run chatd and gateway of one version");
		conn_close(c, 1013, "Service unavailable");
		return;
	}
	go_live(c, (const char *)json, len);
}

void
opening_subscribed(struct conn *c)
{
	struct rpc_request req = { .kind = CALL_user_info };

	conn_set_state(c, CONN_SNAPSHOT);
	req.route = c->user;
	req.timeout_ms = settings.request_timeout;
	req.trace = trace_new();
	req.user = c->user;
	req.session = c->session;
	req.token = c->token;
	c->opening_call = rpc_call(c->gw->chatd, &req, on_user_info, c);
}

void
opening_cancel(struct conn *c)
{
	admission_leave(c);
	if (c->opening_call != 0) {
		rpc_cancel(c->gw->chatd, c->opening_call);
		c->opening_call = 0;
	}
}
