/*
 * Questions wait until the end of the turn, then go to presenced in rounds of
 * up to ROUND_MAX different users. A question is answered when its round is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/presence.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/daemon.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/rpc.h"
#include "common/turn.h"

#define ROUND_MAX 2000
#define PENDING_MAX 256
/* Users whose newest told change is remembered; all go when full. */
#define TOLD_MAX 200000

struct ask {
	struct list link;   /* in presence.waiting or round.asks */
	struct uuid *ids;   /* owned */
	bool *online;       /* owned */
	size_t n;
	presence_fn *fn;
	void *arg;
};

struct round {
	struct list link;   /* in presence.rounds */
	struct presence *p; /* borrowed */
	struct list asks;
	struct map places;  /* id -> its place in ids, plus one */
	struct uuid *ids;   /* owned */
	size_t n;
};

struct presence {
	struct rpc_client *client; /* owned */
	int64_t timeout_ms;
	bool closing;
	bool known;                /* of the answer being given */
	struct list waiting;
	struct list rounds;
	struct map told;           /* user -> version, plus one */
	struct metric *m_asked;
	struct metric *m_failed;
};

static void
ask_end(struct ask *a)
{
	a->fn(a->arg, a->online);
	free(a->ids);
	free(a->online);
	free(a);
}

/* ---- rounds -------------------------------------------------------------- */

/* `status` has a byte for each id of the round; NULL: unknown, all Offline. */
static void
round_end(struct round *round, const uint8_t *status)
{
	struct list *link;

	list_del(&round->link);
	round->p->known = status != NULL;
	while ((link = list_pop_front(&round->asks)) != NULL) {
		struct ask *a = LIST_ENTRY(link, struct ask, link);

		for (size_t i = 0; i < a->n && status != NULL; i++) {
			size_t place = (size_t)(uintptr_t)map_get(
			    &round->places, &a->ids[i]);

			a->online[i] = place > 0 && status[place - 1] == 1;
		}
		ask_end(a);
	}
	round->p->known = false;
	map_fini(&round->places);
	free(round->ids);
	free(round);
}

static void
on_reply(void *arg, enum err status, const struct frame *reply)
{
	struct round *round = arg;
	const uint8_t *bytes = NULL;
	struct rd r;

	if (status == ERR_OK && reply != NULL) {
		rd_init(&r, reply->body, reply->body_len);
		if (rd_u32(&r) == round->n) {
			bytes = rd_bytes(&r, round->n);
		}
		if (!rd_done(&r)) {
			bytes = NULL;
		}
	}
	if (bytes == NULL) {
		metric_inc(round->p->m_failed);
	}
	round_end(round, bytes);
}

static struct round *
round_new(struct presence *p)
{
	struct round *round = mem_zalloc(sizeof(*round));

	round->p = p;
	list_init(&round->asks);
	map_init(&round->places);
	round->ids = mem_alloc(ROUND_MAX * sizeof(*round->ids));
	list_push_back(&p->rounds, &round->link);
	return round;
}

static void
round_add(struct round *round, struct ask *a)
{
	for (size_t i = 0; i < a->n; i++) {
		/* What no longer fits reads Offline: no list is that long. */
		if (round->n < ROUND_MAX &&
		    map_get(&round->places, &a->ids[i]) == NULL) {
			round->ids[round->n++] = a->ids[i];
			map_put(&round->places, &a->ids[i],
			    (void *)(uintptr_t)round->n);
		}
	}
	list_push_back(&round->asks, &a->link);
}

static void
round_send(struct round *round)
{
	struct presence *p = round->p;
	struct buf body = BUF_INIT;
	struct rpc_request req = { .kind = CALL_who_is_online,
		.timeout_ms = p->timeout_ms };

	if (round->n == 0 || !rpc_client_up(p->client)) {
		if (round->n > 0) {
			metric_inc(p->m_failed);
		}
		round_end(round, NULL);
		return;
	}
	metric_add(p->m_asked, round->n);
	buf_put_u32(&body, (uint32_t)round->n);
	for (size_t i = 0; i < round->n; i++) {
		buf_put_uuid(&body, &round->ids[i]);
	}
	req.route = round->ids[0];
	req.body = body.data;
	req.body_len = body.len;
	rpc_call(p->client, &req, on_reply, round);
	buf_fini(&body);
}

static void
on_turn(void *arg)
{
	struct presence *p = arg;

	while (!list_empty(&p->waiting)) {
		struct round *round = round_new(p);

		while (!list_empty(&p->waiting)) {
			struct ask *a = LIST_ENTRY(p->waiting.next,
			    struct ask, link);

			if (round->n > 0 && round->n + a->n > ROUND_MAX) {
				break;
			}
			list_del(&a->link);
			round_add(round, a);
		}
		round_send(round);
	}
}

/* ---- asking -------------------------------------------------------------- */

void
presence_ask(struct presence *p, const struct uuid *ids, size_t n,
    presence_fn *fn, void *arg)
{
	struct ask *a = mem_zalloc(sizeof(*a));

	list_init(&a->link);
	a->ids = mem_alloc((n + 1) * sizeof(*ids));
	if (n > 0) {
		memcpy(a->ids, ids, n * sizeof(*ids));
	}
	a->online = mem_zalloc((n + 1) * sizeof(bool));
	a->n = n;
	a->fn = fn;
	a->arg = arg;
	if (p->closing) {
		ask_end(a);
		return;
	}
	list_push_back(&p->waiting, &a->link);
}

/* ---- what was told ------------------------------------------------------- */

_Static_assert(sizeof(uintptr_t) >= sizeof(uint64_t),
    "versions are kept in the map's pointers");

bool
presence_is_known(const struct presence *p)
{
	return p->known;
}

bool
presence_is_news(struct presence *p, const struct uuid *user,
    uint64_t version)
{
	void *now = (void *)(uintptr_t)(version + 1);

	if (p->told.len >= TOLD_MAX) {
		map_fini(&p->told);
		map_init(&p->told);
	}
	return map_put(&p->told, user, now) != now;
}

/* ---- life ---------------------------------------------------------------- */

static void
on_version_mismatch(void *arg)
{
	(void)arg; /* the client has logged it */
	daemon_fail();
}

struct presence *
presence_new(uv_loop_t *loop, struct turn *turn, const char *addresses,
    int64_t timeout_ms)
{
	struct presence *p = mem_zalloc(sizeof(*p));
	struct rpc_client_conf conf = { .service = "presenced",
		.addresses = addresses, .timeout_ms = timeout_ms,
		.attempt_ms = timeout_ms, .pending_max = PENDING_MAX,
		.on_version_mismatch = on_version_mismatch };

	p->timeout_ms = timeout_ms;
	list_init(&p->waiting);
	list_init(&p->rounds);
	map_init(&p->told);
	p->client = rpc_client_new(loop, &conf);
	if (p->client == NULL) {
		map_fini(&p->told);
		free(p);
		return NULL;
	}
	p->m_asked = metric_counter("parley_chatd_presence_asked_total", NULL,
	    "Users whose status was asked of presenced.");
	p->m_failed = metric_counter("parley_chatd_presence_failed_total", NULL,
	    "Rounds of statuses that read Offline for want of an answer.");
	turn_add(turn, on_turn, p);
	return p;
}

void
presence_close(struct presence *p)
{
	struct list *link;

	if (p == NULL || p->closing) {
		return;
	}
	p->closing = true;
	rpc_client_free(&p->client); /* cancels without calling back */
	while (!list_empty(&p->rounds)) {
		round_end(LIST_ENTRY(p->rounds.next, struct round, link), NULL);
	}
	while ((link = list_pop_front(&p->waiting)) != NULL) {
		ask_end(LIST_ENTRY(link, struct ask, link));
	}
}

void
presence_free(struct presence **pp)
{
	struct presence *p = *pp;

	*pp = NULL;
	if (p != NULL) {
		presence_close(p);
		map_fini(&p->told);
		free(p);
	}
}
