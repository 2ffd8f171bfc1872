/*
 * Only connections whose token expires soon are on the `expiring` list, in
 * order of time; each recheck looks for those that have come near. So a tick
 * costs nothing and there is no timer per connection.
 *
 * A recheck takes a copy of all token ids and asks in chunks, one call at a
 * time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/tokens.h"

#include <stdlib.h>
#include <uv.h>

#include "common/calls.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/rpc.h"
#include "gateway/conn.h"
#include "gateway/settings.h"
#include "gateway/stats.h"
#include "gateway/trace.h"

#define TICK_MS 200
#define CHUNK 500

struct tokens {
	struct gateway *gw;     /* borrowed */
	struct list expiring;   /* conns by expiry, soonest first */
	uv_timer_t tick;
	uv_timer_t recheck;
	unsigned handles;       /* timers not yet closed */
	uint64_t call;          /* 0: none in flight */
	struct uuid *ids;       /* owned; the tokens of this recheck */
	size_t len;
	size_t next;            /* first of the chunk in flight or to come */
	size_t chunk;           /* tokens in flight */
	bool again;             /* a recheck was asked for meanwhile */
};

/* ---- expiry ------------------------------------------------------------- */

static bool
expires_soon(const struct conn *c)
{
	return c->expires_ms - clock_unix_ms() < 2 * settings.recheck_interval;
}

static void
list_by_expiry(struct tokens *t, struct conn *c)
{
	struct list *pos = t->expiring.prev;

	while (pos != &t->expiring &&
	    LIST_ENTRY(pos, struct conn, expiry)->expires_ms >
	    c->expires_ms) {
		pos = pos->prev;
	}
	list_insert_before(pos->next, &c->expiry);
}

void
tokens_join(struct conn *c)
{
	if (conn_is_open(c) && !list_linked(&c->expiry) && expires_soon(c)) {
		list_by_expiry(c->gw->tokens, c);
	}
}

void
tokens_leave(struct conn *c)
{
	list_del(&c->expiry);
}

static void
on_tick(uv_timer_t *timer)
{
	struct tokens *t = timer->data;
	int64_t now = clock_unix_ms();

	while (!list_empty(&t->expiring)) {
		struct conn *c =
		    LIST_ENTRY(t->expiring.next, struct conn, expiry);

		if (c->expires_ms > now) {
			break;
		}
		conn_close(c, 1008, "Token expired");
	}
}

/* ---- revocation --------------------------------------------------------- */

static void ask_chunk(struct tokens *t);

static int
by_id(const void *a, const void *b)
{
	return uuid_cmp(a, b);
}

static void
collect(struct tokens *t)
{
	struct conns *conns = t->gw->conns;
	size_t unique = 0;

	t->ids = mem_alloc((conns->count + 1) * sizeof(t->ids[0]));
	t->len = 0;
	t->next = 0;
	LIST_FOREACH(link, &conns->all) {
		struct conn *c = LIST_ENTRY(link, struct conn, link);

		if (c->state == CONN_LIVE) {
			t->ids[t->len++] = c->token;
			tokens_join(c);
		}
	}
	qsort(t->ids, t->len, sizeof(t->ids[0]), by_id);
	for (size_t i = 0; i < t->len; i++) {
		if (i == 0 || !uuid_eq(&t->ids[i], &t->ids[i - 1])) {
			t->ids[unique++] = t->ids[i];
		}
	}
	t->len = unique;
}

static void
recheck_done(struct tokens *t)
{
	free(t->ids);
	t->ids = NULL;
	t->len = 0;
	if (t->again) {
		t->again = false;
		tokens_recheck(t);
	}
}

static void
end_token(struct tokens *t, const struct uuid *token)
{
	metric_inc(stats.tokens_revoked);
	LIST_FOREACH_SAFE(link, next, &t->gw->conns->all) {
		struct conn *c = LIST_ENTRY(link, struct conn, link);

		if (conn_is_open(c) && uuid_eq(&c->token, token)) {
			conn_close(c, 1008, "Unauthorized");
		}
	}
}

static void
on_checked(void *arg, enum err status, const struct frame *reply)
{
	struct tokens *t = arg;
	struct rd r;

	t->call = 0;
	if (status != ERR_OK || reply == NULL) {
		/* The next recheck comes by itself. */
		recheck_done(t);
		return;
	}
	rd_init(&r, reply->body, reply->body_len);
	if (rd_u32(&r) != t->chunk || rd_left(&r) != t->chunk * 8) {
		log_error("token_check_bad", "len=%zu remedy=\"%s\"",
		    reply->body_len, "run chatd and gateway of one version");
		recheck_done(t);
		return;
	}
	for (size_t i = 0; i < t->chunk; i++) {
		if (rd_u64(&r) == 0) {
			end_token(t, &t->ids[t->next + i]);
		}
	}
	t->next += t->chunk;
	ask_chunk(t);
}

static void
ask_chunk(struct tokens *t)
{
	struct rpc_request req = { .kind = CALL_check_held_tokens };
	struct buf body = BUF_INIT;

	t->chunk = t->len - t->next < CHUNK ? t->len - t->next : CHUNK;
	if (t->chunk == 0) {
		recheck_done(t);
		return;
	}
	buf_put_u32(&body, (uint32_t)t->chunk);
	for (size_t i = 0; i < t->chunk; i++) {
		buf_put_uuid(&body, &t->ids[t->next + i]);
	}
	req.route = t->ids[t->next];
	req.trace = trace_new();
	req.body = body.data;
	req.body_len = body.len;
	t->call = rpc_call(t->gw->chatd, &req, on_checked, t);
	buf_fini(&body);
}

void
tokens_recheck(struct tokens *t)
{
	if (t->call != 0) {
		t->again = true;
		return;
	}
	collect(t);
	ask_chunk(t);
}

static void
on_recheck(uv_timer_t *timer)
{
	tokens_recheck(timer->data);
}

/* ---- life --------------------------------------------------------------- */

struct tokens *
tokens_new(struct gateway *gw)
{
	struct tokens *t = mem_zalloc(sizeof(*t));
	uint64_t interval = (uint64_t)settings.recheck_interval;

	t->gw = gw;
	list_init(&t->expiring);
	uv_timer_init(gw->loop, &t->tick);
	uv_timer_init(gw->loop, &t->recheck);
	t->tick.data = t;
	t->recheck.data = t;
	t->handles = 2;
	uv_timer_start(&t->tick, on_tick, TICK_MS, TICK_MS);
	uv_timer_start(&t->recheck, on_recheck, interval, interval);
	return t;
}

static void
on_closed(uv_handle_t *handle)
{
	struct tokens *t = handle->data;

	if (--t->handles == 0) {
		free(t);
	}
}

void
tokens_free(struct tokens **tp)
{
	struct tokens *t = *tp;

	if (t == NULL) {
		return;
	}
	*tp = NULL;
	if (t->call != 0) {
		rpc_cancel(t->gw->chatd, t->call);
	}
	free(t->ids);
	uv_close((uv_handle_t *)&t->tick, on_closed);
	uv_close((uv_handle_t *)&t->recheck, on_closed);
}
