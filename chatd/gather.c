/*
 * Batches of requests; see gather.h for what they are for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/gather.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "chatd/db.h"
#include "chatd/request.h"
#include "chatd/service.h"
#include "common/turn.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/mem.h"
#include "common/metrics.h"

struct waiting {
	struct list link;  /* in gather.queue */
	struct request *r; /* owned until answered */
	bool alone;        /* its batch was refused: goes by itself */
};

struct batch {
	struct gather *gather; /* borrowed */
	size_t len;
	struct request *r[GATHER_MAX]; /* owned until answered */
};

struct gather {
	struct service *svc;   /* borrowed */
	struct gather_conf conf;
	struct list queue;
	unsigned batches;      /* out */
	bool closed;
	struct metric *m_size;
	struct metric *m_split;
};

static void
wait_in_line(struct gather *g, struct request *r, bool alone)
{
	struct waiting *w = mem_zalloc(sizeof(*w));

	w->r = r;
	w->alone = alone;
	list_push_back(&g->queue, &w->link);
}

/* ---- a batch's end ------------------------------------------------------- */

static void
batch_failed(struct batch *b, enum db_outcome outcome)
{
	struct gather *g = b->gather;
	bool again = outcome == DB_FAILED && b->len > 1 && !g->closed;

	if (again) {
		metric_inc(g->m_split);
	}
	for (size_t i = 0; i < b->len; i++) {
		if (again) {
			wait_in_line(g, b->r[i], true);
		} else {
			request_fail(b->r[i], ERR_UNAVAILABLE, NULL);
		}
	}
}

static void
on_done(void *arg, struct db_result *res)
{
	struct batch *b = arg;

	b->gather->batches--;
	if (db_outcome(res) == DB_OK) {
		b->gather->conf.answer(b->r, b->len, res);
	} else {
		batch_failed(b, db_outcome(res));
	}
	free(b);
}

/* ---- the next batch ------------------------------------------------------ */

/* The next in line, taken out of it. NULL: none, or it must go by itself and the
 * batch has begun. */
static struct request *
next_request(struct gather *g, bool begun, bool *alone_r)
{
	struct waiting *w;
	struct request *r;

	if (list_empty(&g->queue)) {
		return NULL;
	}
	w = LIST_ENTRY(g->queue.next, struct waiting, link);
	*alone_r = w->alone;
	if (w->alone && begun) {
		return NULL;
	}
	r = w->r;
	list_del(&w->link);
	free(w);
	return r;
}

static void
take_batch(struct gather *g, struct batch *b)
{
	uint64_t now = clock_mono_ms();
	bool alone = false;

	while (b->len < g->conf.batch_max && !alone) {
		struct request *r = next_request(g, b->len > 0, &alone);

		if (r == NULL) {
			return;
		}
		if (r->in->deadline_ms != 0 && now >= r->in->deadline_ms) {
			request_fail(r, ERR_EXPIRED, NULL);
			alone = false;
			continue;
		}
		b->r[b->len++] = r;
	}
}

static void
on_turn(void *arg)
{
	struct gather *g = arg;

	while (g->batches < g->conf.batches_max && !list_empty(&g->queue)) {
		struct batch *b = mem_zalloc(sizeof(*b));
		struct db_unit *u;

		b->gather = g;
		take_batch(g, b);
		if (b->len == 0) {
			free(b);
			continue;
		}
		g->batches++;
		metric_observe(g->m_size, (double)b->len);
		u = db_unit_new(g->svc->db, g->conf.flags,
		    b->r[0]->in->deadline_ms);
		g->conf.ask(u, b->r, b->len);
		db_submit(u, on_done, b);
	}
}

void
gather_add(struct gather *g, struct request *r)
{
	if (g->closed) {
		request_fail(r, ERR_UNAVAILABLE, NULL);
		return;
	}
	wait_in_line(g, r, false);
}

/* ---- life ---------------------------------------------------------------- */

struct gather *
gather_new(struct service *svc, const struct gather_conf *conf)
{
	struct gather *g = mem_zalloc(sizeof(*g));
	char labels[64];

	assert(conf->batch_max > 0 && conf->batch_max <= GATHER_MAX &&
	    conf->batches_max > 0);
	g->svc = svc;
	g->conf = *conf;
	list_init(&g->queue);
	snprintf(labels, sizeof(labels), "kind=\"%s\"", conf->label);
	g->m_size = metric_size("parley_chatd_gathered_size", labels,
	    "Requests that were answered from one transaction.");
	g->m_split = metric_counter("parley_chatd_gathered_splits_total",
	    labels, "Transactions that the database refused and whose requests "
	    "were repeated one by one.");
	turn_add(svc->turn, on_turn, g);
	return g;
}

void
gather_close(struct gather *g)
{
	struct request *r;
	bool alone;

	if (g == NULL) {
		return;
	}
	g->closed = true;
	while ((r = next_request(g, false, &alone)) != NULL) {
		request_fail(r, ERR_UNAVAILABLE, NULL);
	}
}

void
gather_free(struct gather **gp)
{
	struct gather *g = *gp;

	*gp = NULL;
	if (g != NULL) {
		gather_close(g);
		free(g);
	}
}
