/*
 * Receipts in rounds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/receipts.h"

#include <stdlib.h>

#include "chatd/events.h"
#include "chatd/request.h"
#include "chatd/service.h"
#include "chatd/store_messages.h"
#include "chatd/view.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/turn.h"

/* Marks of one transaction, which holds the locks of their chats: more than one
 * report's only if it is of a gateway of the release before. */
#define GATHER_MAX DELIVERED_MARKS_MAX
#define ROUND_MAX 1000
/* Marks waiting; beyond, reports are refused and gateways repeat them. */
#define WAITING_MAX 100000
/* Ids in one messages_delivered. */
#define IDS_MAX 500

struct waiter {
	struct list link;
	struct request *r;   /* owned until answered */
};

struct round {
	struct list link;    /* in receipts.rounds */
	struct map places;   /* chat and user -> place in rows, plus 1 */
	struct receipt_row rows[ROUND_MAX];
	size_t n;
	struct list waiters; /* those whose marks are in this round */
	uint64_t started_ms;
};

struct receipts {
	struct service *svc;  /* borrowed */
	struct list rounds;   /* the last one gathers */
	size_t waiting;       /* marks in rounds */
	struct round *flying; /* owned; NULL: none */
	bool closed;
	struct metric *m_round;
	struct metric *m_marks;
	struct metric *m_announced;
	struct metric *m_refused;
};

static struct uuid
key_of(const struct uuid *chat, const struct uuid *user)
{
	struct uuid key;

	for (size_t i = 0; i < sizeof(key.b); i++) {
		key.b[i] = chat->b[i] ^ user->b[(i + 5) % sizeof(key.b)];
	}
	return key;
}

/* ---- rounds -------------------------------------------------------------- */

static struct round *
round_new(struct receipts *p)
{
	struct round *round = mem_alloc(sizeof(*round));

	map_init(&round->places);
	round->n = 0;
	list_init(&round->waiters);
	list_push_back(&p->rounds, &round->link);
	return round;
}

static void
round_free(struct round *round)
{
	map_fini(&round->places);
	free(round);
}

/* The round that gathers, with room for `need` more marks: those of one report
 * stay together, so that its answer speaks for all of them. */
static struct round *
gathering(struct receipts *p, size_t need)
{
	struct round *last;

	if (list_empty(&p->rounds)) {
		return round_new(p);
	}
	last = LIST_ENTRY(p->rounds.prev, struct round, link);
	return last->n + need <= GATHER_MAX ? last : round_new(p);
}

static void
add_mark(struct receipts *p, struct round *round, const struct uuid *chat,
    const struct uuid *user, int64_t upto)
{
	struct uuid key = key_of(chat, user);
	size_t place = (size_t)(uintptr_t)map_get(&round->places, &key);
	struct receipt_row *row = place > 0 ? &round->rows[place - 1] : NULL;

	if (row != NULL && uuid_eq(&row->chat_id, chat) &&
	    uuid_eq(&row->user_id, user)) {
		if (upto > row->upto) {
			row->upto = upto;
		}
		return;
	}
	round->rows[round->n++] = (struct receipt_row){ *chat, *user, upto };
	map_put(&round->places, &key, (void *)(uintptr_t)round->n);
	p->waiting++;
}

static void
round_answer(struct round *round, enum err err)
{
	struct list *link;

	while ((link = list_pop_front(&round->waiters)) != NULL) {
		struct waiter *w = LIST_ENTRY(link, struct waiter, link);

		if (err == ERR_OK) {
			request_answer(w->r);
		} else {
			request_fail(w->r, err, NULL);
		}
		free(w);
	}
}

/* ---- announcing ---------------------------------------------------------- */

static void
announce(struct receipts *p, const struct announced *last,
    const struct uuid *ids, size_t n, uint64_t trace)
{
	struct buf json = BUF_INIT;
	struct event e = { .kind = EVENT_RECEIPT, .trace = trace,
		.chat = last->chat_id, .seq = (uint64_t)last->seq };

	view_delivered(&json, ids, n);
	e.json = (const char *)json.data;
	e.json_len = json.len;
	events_to_user(p->svc->events, &last->sender_id, &e);
	metric_add(p->m_announced, n);
	buf_fini(&json);
}

void
receipts_publish(struct receipts *p, const struct db_result *res,
    unsigned step, uint64_t trace)
{
	struct uuid ids[IDS_MAX];
	struct announced last = { .seq = 0 };
	size_t n = 0;

	for (size_t i = 0; i < db_rows(res, step); i++) {
		struct announced a;

		store_announced_row(res, step, i, &a);
		if (n > 0 && (n == IDS_MAX ||
		    !uuid_eq(&a.chat_id, &last.chat_id) ||
		    !uuid_eq(&a.sender_id, &last.sender_id))) {
			announce(p, &last, ids, n, trace);
			n = 0;
		}
		if (a.more && !p->closed &&
		    !uuid_eq(&a.chat_id, &last.chat_id)) {
			static const struct uuid nobody;

			add_mark(p, gathering(p, 1), &a.chat_id,
			    &nobody, 0);
		}
		if (!uuid_is_nil(&a.id)) {
			ids[n++] = a.id;
		}
		last = a;
	}
	if (n > 0) {
		announce(p, &last, ids, n, trace);
	}
}

/* ---- flights ------------------------------------------------------------- */

static void
on_done(void *arg, struct db_result *res)
{
	struct receipts *p = arg;
	struct round *round = p->flying;
	enum err err = request_db_err(res);

	p->flying = NULL;
	if (err == ERR_OK) {
		receipts_publish(p, res, STORE_RECEIPT_ANNOUNCED, 0);
	}
	if (err == ERR_OK && db_doubtful(res)) {
		/* An attempt whose answer was lost may have named messages. */
		events_resync(p->svc->events,
		    clock_mono_ms() - round->started_ms + 1000);
	}
	round_answer(round, err);
	round_free(round);
}

static void
on_turn(void *arg)
{
	struct receipts *p = arg;
	struct db_unit *u;

	if (p->flying != NULL || list_empty(&p->rounds)) {
		return;
	}
	p->flying = LIST_ENTRY(list_pop_front(&p->rounds), struct round,
	    link);
	p->waiting -= p->flying->n;
	p->flying->started_ms = clock_mono_ms();
	metric_observe(p->m_round, (double)p->flying->n);
	u = db_unit_new(p->svc->db, 0, 0);
	store_receipt_steps(u, p->flying->rows, p->flying->n);
	db_submit(u, on_done, p);
}

void
receipts_add(struct receipts *p, struct request *r, const struct uuid *chat,
    const struct delivered_mark *marks, size_t n)
{
	struct round *round;
	struct waiter *w;

	if (n > ROUND_MAX) {
		request_fail(r, ERR_TOO_LARGE, NULL);
		return;
	}
	if (p->closed || p->waiting + n > WAITING_MAX) {
		metric_inc(p->m_refused);
		request_fail(r, ERR_OVERLOADED, NULL);
		return;
	}
	metric_add(p->m_marks, n);
	round = gathering(p, n);
	for (size_t i = 0; i < n; i++) {
		add_mark(p, round, chat, &marks[i].user,
		    marks[i].upto < INT64_MAX ? (int64_t)marks[i].upto :
		    INT64_MAX);
	}
	w = mem_alloc(sizeof(*w));
	w->r = r;
	list_push_back(&round->waiters, &w->link);
}

/* ---- life ---------------------------------------------------------------- */

static double
gauge_waiting(void *arg)
{
	return (double)((struct receipts *)arg)->waiting;
}

struct receipts *
receipts_new(struct service *svc)
{
	struct receipts *p = mem_zalloc(sizeof(*p));

	p->svc = svc;
	list_init(&p->rounds);
	p->m_round = metric_size("parley_receipts_round_size", NULL,
	    "Delivered marks stored in one transaction.");
	p->m_marks = metric_counter("parley_receipts_marks_total", NULL,
	    "Delivered marks that gateways reported.");
	p->m_announced = metric_counter("parley_receipts_announced_total",
	    NULL, "Messages announced to their senders as delivered.");
	p->m_refused = metric_counter("parley_receipts_refused_total", NULL,
	    "Reports refused because too many marks were waiting.");
	metric_gauge_fn("parley_receipts_waiting", NULL,
	    "Delivered marks waiting for the round before them.",
	    gauge_waiting, p);
	turn_add(svc->turn, on_turn, p);
	return p;
}

size_t
receipts_pending(const struct receipts *p)
{
	return p->waiting + (p->flying != NULL ? p->flying->n : 0);
}

void
receipts_close(struct receipts *p)
{
	struct list *link;

	if (p == NULL) {
		return;
	}
	p->closed = true;
	while ((link = list_pop_front(&p->rounds)) != NULL) {
		struct round *round = LIST_ENTRY(link, struct round, link);

		round_answer(round, ERR_UNAVAILABLE);
		round_free(round);
	}
	p->waiting = 0;
}

void
receipts_free(struct receipts **pp)
{
	struct receipts *p = *pp;

	*pp = NULL;
	if (p != NULL) {
		receipts_close(p);
		free(p);
	}
}
