/*
 * The table of pending calls, and where each goes: to the best peer that is up
 * and untried, else parked until one is, or until a pause is over.
 *
 * A call's id is its place in the table plus a generation, so that late answers
 * and cancelled calls are told apart without pointers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/rpc_int.h"

#define RETRY_PAUSE_MS 100

struct table_entry {
	struct call *call;       /* owned; NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

/* ---- the table of calls ------------------------------------------------- */

struct call *
calls_find(const struct rpc_client *c, uint64_t id)
{
	uint32_t at = (uint32_t)id - 1;

	if ((uint32_t)id == 0 || at >= c->table_len ||
	    c->table[at].generation != (uint32_t)(id >> 32)) {
		return NULL;
	}
	return c->table[at].call;
}

void
calls_add(struct rpc_client *c, struct call *call)
{
	struct table_entry *e;
	uint32_t at;

	if (c->free_head == 0) {
		uint32_t len = c->table_len == 0 ? 64 : c->table_len * 2;

		c->table = mem_realloc(c->table, len * sizeof(*c->table));
		for (uint32_t i = len; i > c->table_len; i--) {
			e = &c->table[i - 1];
			e->call = NULL;
			e->generation = 1;
			e->next_free = c->free_head;
			c->free_head = i;
		}
		c->table_len = len;
	}
	at = c->free_head - 1;
	e = &c->table[at];
	c->free_head = e->next_free;
	e->call = call;
	call->id = ((uint64_t)e->generation << 32) | (at + 1);
	c->pending++;
}

void
calls_remove(struct rpc_client *c, struct call *call)
{
	uint32_t at = (uint32_t)call->id - 1;
	struct table_entry *e = &c->table[at];

	e->call = NULL;
	e->generation++;
	e->next_free = c->free_head;
	c->free_head = at + 1;
	c->pending--;
	list_del(&call->link);
	list_del(&call->by_deadline);
	free(call);
}

void
call_finish(struct rpc_client *c, struct call *call, enum err status,
    const struct frame *reply)
{
	rpc_reply_fn *fn = call->fn;
	void *arg = call->arg;

	metric_observe_us(c->m_latency, clock_mono_us() - call->started_us);
	if (reply == NULL) {
		log_debug("call_failed", "service=%s req=%016llx", c->service,
		    (unsigned long long)call->req.trace);
		metric_inc(c->m_failed);
	}
	calls_remove(c, call);
	fn(arg, status, reply);
}

void
calls_drop(struct rpc_client *c)
{
	for (uint32_t i = 0; i < c->table_len; i++) {
		if (c->table[i].call != NULL) {
			calls_remove(c, c->table[i].call);
		}
	}
	free(c->table);
	c->table = NULL;
	c->table_len = 0;
}

/* ---- where a call goes -------------------------------------------------- */

static uint64_t
score(const struct peer *p, const struct uuid *route)
{
	uint64_t a;
	uint64_t b;
	uint64_t h;

	memcpy(&a, route->b, 8);
	memcpy(&b, route->b + 8, 8);
	h = p->url_hash ^ (a * 0x9e3779b97f4a7c15ULL) ^ (b + 0x7f4a7c15ULL);
	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9ULL;
	h = (h ^ (h >> 27)) * 0x94d049bb133111ebULL;
	return h ^ (h >> 31);
}

static bool
was_tried(const struct call *call, const struct peer *p)
{
	for (unsigned i = 0; i < call->tried_len; i++) {
		if (call->tried[i] == p->url_hash) {
			return true;
		}
	}
	return false;
}

/* Highest-random-weight choice among the peers that are up and untried. */
static struct peer *
choose(struct rpc_client *c, const struct call *call)
{
	struct peer *best = NULL;
	uint64_t best_score = 0;

	LIST_FOREACH(link, &c->peers) {
		struct peer *p = LIST_ENTRY(link, struct peer, link);
		uint64_t s;

		if (p->state != PEER_UP || !p->wanted || was_tried(call, p)) {
			continue;
		}
		s = score(p, &call->req.route);
		if (best == NULL || s > best_score) {
			best = p;
			best_score = s;
		}
	}
	return best;
}

static void
park(struct rpc_client *c, struct call *call, uint64_t retry_ms)
{
	call->place = CALL_PARKED;
	call->retry_ms = retry_ms;
	list_push_back(&c->parked, &call->link);
	client_tick_start(c);
}

/* The call is on no list. */
static void
place(struct rpc_client *c, struct call *call, uint64_t now)
{
	struct peer *p;

	if (call->retry_ms > now) {
		park(c, call, call->retry_ms);
		return;
	}
	p = choose(c, call);
	if (p == NULL) {
		bool all_tried = call->tried_len > 0;

		call->tried_len = 0;
		park(c, call, all_tried ? now + RETRY_PAUSE_MS : 0);
		return;
	}
	call->place = CALL_QUEUED;
	list_push_back(&p->queue[call->lane], &call->link);
}

void
calls_place(struct rpc_client *c)
{
	uint64_t now = clock_mono_ms();
	struct list *link;

	while ((link = list_pop_front(&c->fresh)) != NULL) {
		place(c, LIST_ENTRY(link, struct call, link), now);
	}
}

/* An attempt failed; the call is on no list and may be repeated. */
void
call_move_on(struct rpc_client *c, struct call *call, const struct peer *failed)
{
	metric_inc(c->m_repeated);
	if (failed != NULL && call->tried_len < RPC_TRIED_MAX) {
		call->tried[call->tried_len++] = failed->url_hash;
	}
	call->slot = NULL;
	call->place = CALL_FRESH;
	list_push_back(&c->fresh, &call->link);
}

void
calls_requeue(struct rpc_client *c, struct peer *p)
{
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		struct list *link;

		while ((link = list_pop_front(&p->queue[lane])) != NULL) {
			struct call *call = LIST_ENTRY(link, struct call, link);

			call->place = CALL_FRESH;
			list_push_back(&c->fresh, &call->link);
		}
	}
}
