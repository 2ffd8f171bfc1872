/*
 *   receipts_note -> chat's marks, on `waiting` -> due: call -> acknowledged
 *                        ^                           |
 *                        +--- newer mark, no answer -+
 *
 * A chat has at most one call in flight; what is noted meanwhile waits for its
 * answer, so the window stretches by itself when chatd is busy. It also stretches
 * when marks are many, up to a second: a member's later mark stands for the
 * earlier ones, so those who wait cost less in sum.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/receipts.h"

#include <stdlib.h>
#include <uv.h>

#include "common/calls.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/map.h"
#include "common/mem.h"
#include "common/rate.h"
#include "common/rpc.h"
#include "gateway/gateway.h"
#include "gateway/random.h"
#include "gateway/stats.h"
#include "gateway/trace.h"

#define COALESCE_MS 20
#define TICK_MS 10
#define CALLS_MAX 256
#define MARKS_MAX 100000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
/* Longest wait for the pace. */
#define PACE_WAIT_MS 1000

/* Marks that chatd is asked to store: a group of 1,000 in which everybody hears
 * 50 messages a second would otherwise cost it 50,000. */
static const struct rate pace = { 5000, 1000, 1000 };

struct mark {
	struct uuid user;
	uint64_t upto;
};

struct chat_marks {
	struct receipts *receipts; /* borrowed */
	struct list link;          /* receipts.waiting or .calling */
	struct uuid chat;
	struct map marks;          /* by user; owns the marks */
	uint64_t due_ms;
	unsigned failures;
	uint64_t call;             /* rpc id; 0: on the waiting list */
	struct delivered_mark *sent; /* owned; what the call carries */
	size_t sent_len;
};

struct receipts {
	struct gateway *gw;        /* borrowed */
	struct map chats;          /* owns the chat_marks */
	struct list waiting;       /* by age */
	struct list calling;
	size_t pending;
	size_t calls;
	uv_timer_t timer;
	bool ticking;
	rate_bucket paced;
};

static void on_tick(uv_timer_t *timer);

static double
gauge_pending(void *arg)
{
	return (double)receipts_pending(arg);
}

struct receipts *
receipts_new(struct gateway *gw)
{
	struct receipts *r = mem_zalloc(sizeof(*r));

	r->gw = gw;
	map_init(&r->chats);
	list_init(&r->waiting);
	list_init(&r->calling);
	uv_timer_init(gw->loop, &r->timer);
	r->timer.data = r;
	metric_gauge_fn("parley_gateway_delivered_marks_pending", NULL,
	    "Delivered marks that chatd has not acknowledged", gauge_pending,
	    r);
	return r;
}

size_t
receipts_pending(const struct receipts *r)
{
	return r->pending;
}

/* ---- marks of one chat -------------------------------------------------- */

static void
marks_free(struct chat_marks *cm)
{
	struct receipts *r = cm->receipts;
	struct mark *m;
	size_t cursor = 0;

	map_del(&r->chats, &cm->chat);
	list_del(&cm->link);
	while ((m = map_next(&cm->marks, &cursor, NULL)) != NULL) {
		r->pending--;
		free(m);
	}
	map_fini(&cm->marks);
	free(cm->sent);
	free(cm);
}

static void
enlist(struct chat_marks *cm, uint64_t delay_ms)
{
	struct receipts *r = cm->receipts;

	cm->due_ms = clock_mono_ms() + delay_ms;
	list_del(&cm->link);
	list_push_back(&r->waiting, &cm->link);
	if (!r->ticking) {
		r->ticking = true;
		uv_timer_start(&r->timer, on_tick, TICK_MS, TICK_MS);
	}
}

static struct chat_marks *
marks_of(struct receipts *r, const struct uuid *chat)
{
	struct chat_marks *cm = map_get(&r->chats, chat);

	if (cm == NULL) {
		cm = mem_zalloc(sizeof(*cm));
		cm->receipts = r;
		cm->chat = *chat;
		list_init(&cm->link);
		map_init(&cm->marks);
		map_put(&r->chats, chat, cm);
		enlist(cm, COALESCE_MS);
	}
	return cm;
}

static void
make_room(struct receipts *r)
{
	struct chat_marks *oldest;

	if (r->pending < MARKS_MAX || list_empty(&r->waiting)) {
		return;
	}
	oldest = LIST_ENTRY(r->waiting.next, struct chat_marks, link);
	metric_add(stats.marks_dropped, oldest->marks.len);
	marks_free(oldest);
}

void
receipts_note(struct receipts *r, const struct uuid *user,
    const struct uuid *chat, uint64_t upto)
{
	struct chat_marks *cm;
	struct mark *m;

	make_room(r);
	cm = marks_of(r, chat);
	m = map_get(&cm->marks, user);
	if (m == NULL) {
		m = mem_zalloc(sizeof(*m));
		m->user = *user;
		map_put(&cm->marks, user, m);
		r->pending++;
	}
	if (upto > m->upto) {
		m->upto = upto;
	}
}

/* ---- calls -------------------------------------------------------------- */

static uint64_t
backoff(unsigned failures)
{
	uint32_t ms = BACKOFF_MIN_MS;

	while (failures-- > 1 && ms < BACKOFF_MAX_MS) {
		ms *= 2;
	}
	return ms / 2 + random_below(ms);
}

/* Marks that have not moved on since they were sent are done. */
static void
acknowledge(struct chat_marks *cm)
{
	for (size_t i = 0; i < cm->sent_len; i++) {
		const struct delivered_mark *s = &cm->sent[i];
		struct mark *m = map_get(&cm->marks, &s->user);

		if (m != NULL && m->upto <= s->upto) {
			map_del(&cm->marks, &s->user);
			free(m);
			cm->receipts->pending--;
		}
	}
	metric_add(stats.marks_reported, cm->sent_len);
}

static void
on_reply(void *arg, enum err status, const struct frame *reply)
{
	struct chat_marks *cm = arg;

	(void)reply;
	cm->call = 0;
	cm->receipts->calls--;
	if (status == ERR_OK) {
		acknowledge(cm);
		cm->failures = 0;
	} else {
		cm->failures++;
	}
	free(cm->sent);
	cm->sent = NULL;
	cm->sent_len = 0;
	if (cm->marks.len == 0) {
		marks_free(cm);
	} else {
		enlist(cm, cm->failures > 0 ? backoff(cm->failures)
		    : COALESCE_MS);
	}
}

static void
collect(struct chat_marks *cm, struct buf *body)
{
	size_t max = cm->marks.len < DELIVERED_MARKS_MAX ? cm->marks.len
	    : DELIVERED_MARKS_MAX;
	const struct mark *m;
	size_t cursor = 0;

	cm->sent = mem_alloc(max * sizeof(cm->sent[0]));
	cm->sent_len = 0;
	buf_put_u32(body, (uint32_t)max);
	while (cm->sent_len < max &&
	    (m = map_next(&cm->marks, &cursor, NULL)) != NULL) {
		struct delivered_mark *s = &cm->sent[cm->sent_len++];

		s->user = m->user;
		s->upto = m->upto;
		put_delivered_mark(body, s);
	}
}

static void
call(struct chat_marks *cm)
{
	struct receipts *r = cm->receipts;
	struct rpc_request req = { .kind = CALL_report_delivered };
	struct buf body = BUF_INIT;

	collect(cm, &body);
	list_del(&cm->link);
	list_push_back(&r->calling, &cm->link);
	req.route = cm->chat;
	req.chat = cm->chat;
	req.trace = trace_new();
	req.body = body.data;
	req.body_len = body.len;
	r->calls++;
	cm->call = rpc_call(r->gw->chatd, &req, on_reply, cm);
	buf_fini(&body);
}

static bool
within_pace(struct receipts *r, const struct chat_marks *cm, uint64_t now)
{
	return now >= cm->due_ms + PACE_WAIT_MS ||
	    rate_take(&pace, &r->paced, rate_now(), cm->marks.len) == 0;
}

static void
on_tick(uv_timer_t *timer)
{
	struct receipts *r = timer->data;
	uint64_t now = clock_mono_ms();

	LIST_FOREACH_SAFE(link, next, &r->waiting) {
		struct chat_marks *cm =
		    LIST_ENTRY(link, struct chat_marks, link);

		if (r->calls >= CALLS_MAX) {
			break;
		}
		if (cm->due_ms > now) {
			continue;
		}
		if (!within_pace(r, cm, now)) {
			break;
		}
		call(cm);
	}
	if (list_empty(&r->waiting)) {
		r->ticking = false;
		uv_timer_stop(timer);
	}
}

/* ---- end ---------------------------------------------------------------- */

static void
on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void
free_list(struct receipts *r, struct list *list)
{
	while (!list_empty(list)) {
		struct chat_marks *cm =
		    LIST_ENTRY(list->next, struct chat_marks, link);

		if (cm->call != 0) {
			rpc_cancel(r->gw->chatd, cm->call);
		}
		marks_free(cm);
	}
}

void
receipts_free(struct receipts **rp)
{
	struct receipts *r = *rp;

	if (r == NULL) {
		return;
	}
	*rp = NULL;
	free_list(r, &r->waiting);
	free_list(r, &r->calling);
	map_fini(&r->chats);
	uv_close((uv_handle_t *)&r->timer, on_closed);
}
