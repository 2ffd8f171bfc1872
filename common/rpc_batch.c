/*
 * Calls into batches, and the answers of batches back into calls: what is done,
 * what is tried elsewhere, what is given up (rpc.h has the contract,
 * docs/decisions/003 the reasons).
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/rpc_int.h"
#include "common/rpc_limits.h"

/* A read's answer waits for the slowest of its batch, so batches are small as
 * long as there are slots for more of them. Under load, when most slots are
 * away, what a batch costs both ends (20 to 60 us in NNG's threads) is shared by
 * as many as have gathered. */
#define READ_BATCH 16
#define READ_SLOTS_SPARE (RPC_SLOTS_MAX / 2)

/* ---- batches ------------------------------------------------------------ */

static bool
slots_spare(const struct peer *p, enum lane lane)
{
	unsigned idle = 0;

	LIST_FOREACH(link, &p->idle[lane]) {
		idle++;
	}
	return idle >= READ_SLOTS_SPARE;
}

/* For a slot that is off the idle list already. */
static unsigned
batch_max(const struct peer *p, enum lane lane)
{
	switch (lane) {
	case LANE_SEND:
	case LANE_OPENING:
		return ENVELOPE_FRAMES_MAX;
	case LANE_READ:
		return slots_spare(p, lane) ? READ_BATCH
		    : ENVELOPE_FRAMES_MAX;
	default:
		return 1;
	}
}

static void
add_call(struct buf *b, const struct peer *p, const struct call *call)
{
	int64_t deadline = (int64_t)call->deadline_ms + p->clock_ahead;
	struct frame f = {
		.kind = (uint16_t)call->req.kind,
		.id = call->id,
		.deadline_ms = deadline > 0 ? (uint64_t)deadline : 1,
		.trace = call->req.trace,
		.seq = call->req.seq,
		.user = call->req.user,
		.session = call->req.session,
		.token = call->req.token,
		.chat = call->req.chat,
		.body = call->req.body,
		.body_len = call->req.body_len,
	};

	envelope_add(b, &f);
}

/* How many calls the first of the queue goes with, itself included. */
static unsigned
group_len(const struct list *queue)
{
	const struct list *link = queue->next;
	unsigned n = 1;

	while ((link = link->next) != queue &&
	    LIST_ENTRY(link, struct call, link)->req.follows) {
		n++;
	}
	return n;
}

/* Whether the first of the queue fits into a batch of `count` calls. */
static bool
fits(const struct list *queue, const struct buf *b, unsigned count,
    unsigned max)
{
	const struct call *call = LIST_ENTRY(queue->next, struct call, link);

	if (count == 0 || (call->req.follows && count < max)) {
		return true;
	}
	return b->len < RPC_BATCH_BYTES && count + group_len(queue) <= max;
}

static void
send_batch(struct rpc_client *c, struct peer *p, enum lane lane, struct buf *b)
{
	struct list *idle = list_pop_front(&p->idle[lane]);
	struct slot *s = LIST_ENTRY(idle, struct slot, idle);
	int64_t timeout = c->conf.attempt_ms;
	unsigned max = batch_max(p, lane);
	struct call *before = NULL;

	envelope_begin(b);
	s->count = 0;
	while (!list_empty(&p->queue[lane]) &&
	    fits(&p->queue[lane], b, s->count, max)) {
		struct list *link = list_pop_front(&p->queue[lane]);
		struct call *call = LIST_ENTRY(link, struct call, link);

		call->place = CALL_SENT;
		call->slot = s;
		call->grouped = call->req.follows && before != NULL;
		if (call->grouped) {
			before->grouped = true;
		}
		before = call;
		s->ids[s->count++] = call->id;
		add_call(b, p, call);
		if (lane == LANE_SLOW) {
			timeout = c->conf.timeout_ms;
		}
	}
	metric_observe(c->m_batch, s->count);
	peer_send(s, b, timeout);
}

void
batches_send(struct rpc_client *c)
{
	struct buf b = BUF_INIT;

	calls_place(c);
	LIST_FOREACH(link, &c->peers) {
		struct peer *p = LIST_ENTRY(link, struct peer, link);

		for (int lane = 0; lane < LANE_COUNT; lane++) {
			while (!list_empty(&p->queue[lane]) &&
			    !list_empty(&p->idle[lane])) {
				send_batch(c, p, (enum lane)lane, &b);
			}
		}
	}
	buf_fini(&b);
}

/* ---- answers ------------------------------------------------------------ */

/* Whether the answer says that the call was not executed and may be tried
 * elsewhere. */
static bool
try_elsewhere(const struct call *call, enum err status)
{
	if (call->grouped && status != ERR_DRAINING) {
		return false;
	}
	switch (status) {
	case ERR_DRAINING:
	case ERR_EXPIRED:
		return true;
	case ERR_OVERLOADED:
		return call->tried_len == 0;
	case ERR_UNAVAILABLE:
		return call->idempotent;
	default:
		return false;
	}
}

static void
take_answer(struct rpc_client *c, struct slot *s, const struct frame *f)
{
	struct call *call = calls_find(c, f->id);
	enum err status = (enum err)f->status;

	if (call == NULL || call->place != CALL_SENT || call->slot != s) {
		return;
	}
	if (status == ERR_DRAINING) {
		client_peer_goes(c, s->peer);
	}
	if (status == ERR_OVERLOADED && c->peers_up < 2) {
		call_finish(c, call, status, f);
	} else if (try_elsewhere(call, status)) {
		call_move_on(c, call, s->peer);
	} else {
		call_finish(c, call, status, f);
	}
}

/* The batch failed, or left some of its calls unanswered. */
static void
fail_rest(struct rpc_client *c, struct slot *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		struct call *call = calls_find(c, s->ids[i]);

		if (call == NULL || call->place != CALL_SENT ||
		    call->slot != s) {
			continue;
		}
		if (call->idempotent || !s->was_sent) {
			call_move_on(c, call, s->peer);
		} else {
			call_finish(c, call, ERR_UNAVAILABLE, NULL);
		}
	}
}

void
batch_take(struct rpc_client *c, struct slot *s)
{
	struct peer *p = s->peer;
	struct frame f;
	struct rd r;
	unsigned count;
	unsigned version;

	if (s->result == 0 && envelope_open(nng_msg_body(s->reply),
	    nng_msg_len(s->reply), &r, &count, &version) == ERR_OK) {
		while (count-- > 0 && envelope_next(&r, &f) == ERR_OK) {
			take_answer(c, s, &f);
		}
	} else if (s->result == NNG_ETIMEDOUT && p->state == PEER_UP) {
		/* Stopped, or drowning: others serve until it says hello. */
		log_warn("peer_silent", "service=%s addr=%s attempt_ms=%lld",
		    c->service, p->url, (long long)c->conf.attempt_ms);
		p->state = PEER_HELLO;
		p->hello_next_ms = 0;
		calls_requeue(c, p);
		client_tick_start(c);
		client_peers_changed(c);
	}
	fail_rest(c, s);
	peer_slot_done(s);
}
