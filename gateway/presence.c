/*
 *   queue: [ change change change ... ]   one call carries the first PART_MAX
 *   roll:  all sessions, while registering; goes first, in parts
 *
 * presenced answers NOT_FOUND when it does not know this gateway (it has lost
 * its memory, or took us for dead): then all sessions are registered again.
 * Every sessions_changed renews the lease as a heartbeat does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/presence.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/calls.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/rpc.h"
#include "gateway/conn.h"
#include "gateway/random.h"
#include "gateway/settings.h"
#include "gateway/stats.h"
#include "gateway/trace.h"

#define QUEUE_MAX 100000
#define PART_MAX 500
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 2000

/* A run of changes, consumed from the front. */
struct changes {
	struct session_change *items; /* owned */
	size_t head;
	size_t len;  /* from head */
	size_t cap;
};

struct presence {
	struct gateway *gw;      /* borrowed */
	struct changes queue;
	struct changes roll;
	bool registering;        /* the roll, even if empty, has to go out */
	uint64_t call;           /* sessions_changed in flight; 0: none */
	size_t call_len;         /* changes it carries */
	bool call_is_roll;
	uint64_t beat;           /* heartbeat in flight; 0: none */
	unsigned failures;
	uv_timer_t heartbeat;
	uv_timer_t retry;
	unsigned handles;        /* not yet closed */
};

static void send_next(struct presence *p);

/* ---- runs of changes ---------------------------------------------------- */

static void
changes_put(struct changes *ch, const struct session_change *change)
{
	if (ch->head + ch->len == ch->cap) {
		if (ch->head > ch->cap / 2) {
			memmove(ch->items, ch->items + ch->head,
			    ch->len * sizeof(ch->items[0]));
			ch->head = 0;
		} else {
			ch->cap = ch->cap == 0 ? 64 : ch->cap * 2;
			ch->items = mem_realloc(ch->items,
			    ch->cap * sizeof(ch->items[0]));
		}
	}
	ch->items[ch->head + ch->len] = *change;
	ch->len++;
}

static void
changes_add(struct changes *ch, enum session_op op, const struct conn *c)
{
	const struct session_change change = {
		.op = op,
		.user = c->user,
		.session = c->session,
	};

	changes_put(ch, &change);
}

/* Adds the ends of sessions among `from`. */
static void
changes_keep_ends(struct changes *to, const struct changes *from)
{
	for (size_t i = 0; i < from->len; i++) {
		const struct session_change *change =
		    &from->items[from->head + i];

		if (change->op != SESSION_UP) {
			changes_put(to, change);
		}
	}
}

static void
changes_drop(struct changes *ch, size_t n)
{
	ch->head += n;
	ch->len -= n;
	if (ch->len == 0) {
		free(ch->items);
		memset(ch, 0, sizeof(*ch));
	}
}

/* ---- registration ------------------------------------------------------- */

/* All sessions that are up, as they are now, behind the ends that presenced has
 * not acknowledged: without those a session it still holds would never end. */
static void
register_all(struct presence *p)
{
	struct changes ends = { 0 };
	char id[UUID_TEXT_LEN + 1];

	if (p->call != 0) {
		rpc_cancel(p->gw->presenced, p->call);
		p->call = 0;
	}
	changes_keep_ends(&ends, &p->roll);
	changes_keep_ends(&ends, &p->queue);
	changes_drop(&p->queue, p->queue.len);
	changes_drop(&p->roll, p->roll.len);
	p->roll = ends;
	LIST_FOREACH(link, &p->gw->conns->all) {
		const struct conn *c = LIST_ENTRY(link, struct conn, link);

		if (c->announced) {
			changes_add(&p->roll, SESSION_UP, c);
		}
	}
	p->registering = true;
	metric_inc(stats.presence_registered);
	log_info("presence_register", "gateway=%s sessions=%zu",
	    uuid_format(&p->gw->id, id), p->roll.len);
}

/* ---- calls -------------------------------------------------------------- */

static void
on_retry(uv_timer_t *timer)
{
	send_next(timer->data);
}

static void
retry_later(struct presence *p)
{
	uint32_t ms = BACKOFF_MIN_MS;

	metric_inc(stats.presence_failed);
	for (unsigned i = 0; i < p->failures && ms < BACKOFF_MAX_MS; i++) {
		ms *= 2;
	}
	p->failures++;
	uv_timer_start(&p->retry, on_retry, ms / 2 + random_below(ms), 0);
}

static void
on_changed(void *arg, enum err status, const struct frame *reply)
{
	struct presence *p = arg;

	(void)reply;
	p->call = 0;
	if (status == ERR_NOT_FOUND) {
		register_all(p);
	} else if (status != ERR_OK) {
		retry_later(p);
		return;
	} else {
		changes_drop(p->call_is_roll ? &p->roll : &p->queue,
		    p->call_len);
		if (p->roll.len == 0) {
			p->registering = false;
		}
	}
	p->failures = 0;
	send_next(p);
}

static void
send_part(struct presence *p, struct changes *ch)
{
	const struct session_head head = {
		.gateway = p->gw->id,
		.complete = p->registering,
	};
	struct rpc_request req = { .kind = CALL_sessions_changed };
	struct buf body = BUF_INIT;

	p->call_len = ch->len < PART_MAX ? ch->len : PART_MAX;
	p->call_is_roll = p->registering;
	put_session_head(&body, &head);
	buf_put_u32(&body, (uint32_t)p->call_len);
	for (size_t i = 0; i < p->call_len; i++) {
		put_session_change(&body, &ch->items[ch->head + i]);
	}
	req.route = p->gw->id;
	req.trace = trace_new();
	req.body = body.data;
	req.body_len = body.len;
	p->call = rpc_call(p->gw->presenced, &req, on_changed, p);
	buf_fini(&body);
}

static void
send_next(struct presence *p)
{
	if (p->call != 0 || uv_is_active((uv_handle_t *)&p->retry)) {
		return;
	}
	if (p->registering) {
		send_part(p, &p->roll);
	} else if (p->queue.len > 0) {
		send_part(p, &p->queue);
	}
}

static void
on_beat(void *arg, enum err status, const struct frame *reply)
{
	struct presence *p = arg;

	(void)reply;
	p->beat = 0;
	if (status == ERR_NOT_FOUND && !p->registering) {
		register_all(p);
		send_next(p);
	} else if (status != ERR_OK && status != ERR_NOT_FOUND) {
		metric_inc(stats.presence_failed);
	}
}

static void
on_heartbeat(uv_timer_t *timer)
{
	struct presence *p = timer->data;
	const struct session_head head = { .gateway = p->gw->id };
	struct rpc_request req = { .kind = CALL_heartbeat };
	struct buf body = BUF_INIT;

	if (p->beat != 0 || p->call != 0) {
		return;
	}
	put_session_head(&body, &head);
	req.route = p->gw->id;
	req.trace = trace_new();
	req.body = body.data;
	req.body_len = body.len;
	p->beat = rpc_call(p->gw->presenced, &req, on_beat, p);
	buf_fini(&body);
}

/* ---- sessions ----------------------------------------------------------- */

static void
add_change(struct presence *p, enum session_op op, const struct conn *c)
{
	if (p->queue.len >= QUEUE_MAX) {
		/* A new gateway to presenced; the old one's lease ends with all
		 * its sessions, so the queue can be forgotten. */
		p->gw->id = uuid_v4();
		changes_drop(&p->queue, p->queue.len);
		changes_drop(&p->roll, p->roll.len);
		register_all(p);
	} else {
		changes_add(&p->queue, op, c);
	}
	send_next(p);
}

void
presence_session_up(struct conn *c)
{
	c->announced = true;
	add_change(c->gw->presence, SESSION_UP, c);
}

void
presence_session_down(struct conn *c)
{
	if (!c->announced) {
		return;
	}
	c->announced = false;
	add_change(c->gw->presence,
	    c->close_code == 1000 && !c->lingers ? SESSION_LOGGED_OUT
	    : SESSION_DOWN, c);
}

size_t
presence_pending(const struct presence *p)
{
	return p->queue.len + p->roll.len;
}

/* ---- life --------------------------------------------------------------- */

static double
gauge_pending(void *arg)
{
	return (double)presence_pending(arg);
}

struct presence *
presence_new(struct gateway *gw)
{
	struct presence *p = mem_zalloc(sizeof(*p));

	p->gw = gw;
	uv_timer_init(gw->loop, &p->heartbeat);
	uv_timer_init(gw->loop, &p->retry);
	p->heartbeat.data = p;
	p->retry.data = p;
	p->handles = 2;
	uv_timer_start(&p->heartbeat, on_heartbeat, 0,
	    (uint64_t)settings.heartbeat);
	metric_gauge_fn("parley_gateway_presence_pending", NULL,
	    "Session changes that presenced has not taken", gauge_pending, p);
	return p;
}

static void
on_closed(uv_handle_t *handle)
{
	struct presence *p = handle->data;

	if (--p->handles == 0) {
		free(p);
	}
}

void
presence_free(struct presence **pp)
{
	struct presence *p = *pp;

	if (p == NULL) {
		return;
	}
	*pp = NULL;
	if (p->call != 0) {
		rpc_cancel(p->gw->presenced, p->call);
	}
	if (p->beat != 0) {
		rpc_cancel(p->gw->presenced, p->beat);
	}
	changes_drop(&p->queue, p->queue.len);
	changes_drop(&p->roll, p->roll.len);
	uv_close((uv_handle_t *)&p->heartbeat, on_closed);
	uv_close((uv_handle_t *)&p->retry, on_closed);
}
