/*
 * The batching writer: what goes into a batch, and what to do when one fails.
 * What follows a commit is in fanout.c.
 *
 *   another chatd stored the same key first   the batch again: it now finds it
 *   the data of some row is bad               row by row, so that the
 *                                             neighbours get through
 *   anything else                             unavailable: safe to send again
 *
 * A link lost within the commit is the database layer's to repeat: with the
 * same message ids, so that what was stored is found and not stored twice.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/writer.h"

#include <stdlib.h>
#include <string.h>

#include "chatd/fanout.h"
#include "chatd/request.h"
#include "chatd/search_copy.h"
#include "chatd/service.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/turn.h"

#define BATCH_MAX 256
/* Content of one batch; long messages make smaller batches. */
#define BATCH_BYTES ((size_t)1 << 20)
#define ATTEMPTS_MAX 5

struct send {
	struct list link;    /* in writer.queue, or its batch */
	struct request *r;   /* owned until answered */
	struct send_row row;
	unsigned attempts;
	bool alone;          /* its batch was refused: goes by itself */
};

struct writer {
	struct service *svc; /* borrowed */
	struct list queue;
	size_t queued;
	bool closed;
	struct list batch;   /* in flight */
	size_t batch_len;    /* 0: none */
	struct send_row rows[BATCH_MAX];
	uint64_t batch_us;   /* when it was submitted */
	struct metric *m_batch;
	struct metric *m_wait;
	struct metric *m_store;
	struct metric *m_split;
	struct metric *m_races;
};

static struct send *
first_of(struct list *l)
{
	return LIST_ENTRY(l->next, struct send, link);
}

static void
send_fail(struct send *s, enum err err, const char *field)
{
	request_fail(s->r, err, field);
	free(s);
}

/* ---- a batch that failed ------------------------------------------------- */

static void
batch_again(struct writer *w, bool alone)
{
	LIST_FOREACH(link, &w->batch) {
		struct send *s = LIST_ENTRY(link, struct send, link);

		s->alone = alone;
	}
	w->queued += w->batch_len;
	list_splice_back(&w->batch, &w->queue);
	list_splice_back(&w->queue, &w->batch);
}

static void
batch_fail(struct writer *w, enum err err, const char *field)
{
	struct list *link;

	while ((link = list_pop_front(&w->batch)) != NULL) {
		send_fail(LIST_ENTRY(link, struct send, link), err, field);
	}
}

static void
batch_refused(struct writer *w, const struct db_result *res)
{
	const char *state = db_sqlstate(res);
	bool data = strncmp(state, "22", 2) == 0;

	if (strncmp(state, "23", 2) == 0 &&
	    first_of(&w->batch)->attempts < ATTEMPTS_MAX) {
		metric_inc(w->m_races);
		batch_again(w, first_of(&w->batch)->attempts > 2);
	} else if (data && w->batch_len > 1) {
		metric_inc(w->m_split);
		batch_again(w, true);
	} else if (data) {
		batch_fail(w, ERR_INVALID_FIELD, "msg.content");
	} else {
		batch_fail(w, ERR_UNAVAILABLE, NULL);
	}
}

/* ---- a batch that is stored ---------------------------------------------- */

/* A repeated send whose first message is in another chat than it says now: once
 * more, for that chat, whose members the batch did not look up. False: it was
 * tried often enough. */
static bool
send_to_first_chat(struct writer *w, struct send *s, const struct uuid *chat)
{
	if (s->attempts >= ATTEMPTS_MAX) {
		return false;
	}
	s->row.chat_id = *chat;
	list_push_back(&w->queue, &s->link);
	w->queued++;
	return true;
}

static void
batch_stored(struct writer *w, struct db_result *res)
{
	struct fanout *f = fanout_new(w->svc->events, res);
	size_t stored = store_stored_count(res);
	size_t at = 0;

	for (size_t i = 0; i < stored; i++) {
		struct stored_row row;

		store_stored_read(res, i, w->rows, &row);
		/* Who is not among the stored is no member. */
		for (; at < row.send; at++) {
			send_fail(LIST_ENTRY(list_pop_front(&w->batch),
			    struct send, link), ERR_CHAT_FORBIDDEN, NULL);
		}
		struct send *s = LIST_ENTRY(list_pop_front(&w->batch),
		    struct send, link);

		at++;
		if (!uuid_eq(&row.message.chat_id, &s->row.chat_id) &&
		    send_to_first_chat(w, s, &row.message.chat_id)) {
			continue;
		}
		if (row.fresh) {
			search_copy_sent(w->svc->search_copy,
			    &row.message.chat_id, row.message.seq);
		}
		fanout_message(f, s->r, &row);
		free(s);
	}
	batch_fail(w, ERR_CHAT_FORBIDDEN, NULL);
	fanout_free(&f);
}

static void
on_done(void *arg, struct db_result *res)
{
	struct writer *w = arg;

	metric_observe_us(w->m_store, clock_mono_us() - w->batch_us);
	switch (db_outcome(res)) {
	case DB_OK:
		batch_stored(w, res);
		break;
	case DB_FAILED:
		batch_refused(w, res);
		break;
	case DB_UNAVAILABLE:
		batch_fail(w, ERR_UNAVAILABLE, NULL);
		break;
	}
	w->batch_len = 0;
}

/* ---- the next batch ------------------------------------------------------ */

/* One id of two, to find the same key twice in a batch. Two different keys that
 * meet here only wait for the next batch. */
static struct uuid
key_of(const struct send_row *row)
{
	struct uuid key;

	for (size_t i = 0; i < sizeof(key.b); i++) {
		key.b[i] = row->sender_id.b[i] ^
		    row->front_msg_id.b[(i + 5) % sizeof(key.b)];
	}
	return key;
}

static bool
is_late(const struct send *s, uint64_t now)
{
	return s->r->in->deadline_ms != 0 && now >= s->r->in->deadline_ms;
}

/* Moves what fits from the queue into the batch. */
static void
gather(struct writer *w)
{
	uint64_t now = clock_mono_ms();
	size_t bytes = 0;
	struct map keys;

	map_init(&keys);
	LIST_FOREACH_SAFE(link, tmp, &w->queue) {
		struct send *s = LIST_ENTRY(link, struct send, link);
		struct uuid key = key_of(&s->row);

		if (is_late(s, now)) {
			list_del(link);
			w->queued--;
			send_fail(s, ERR_EXPIRED, NULL);
			continue;
		}
		if (w->batch_len == BATCH_MAX || bytes > BATCH_BYTES ||
		    (s->alone && w->batch_len > 0)) {
			break;
		}
		if (map_get(&keys, &key) != NULL) {
			continue;
		}
		map_put(&keys, &key, s);
		list_del(link);
		list_push_back(&w->batch, link);
		w->queued--;
		w->rows[w->batch_len++] = s->row;
		bytes += s->row.content.len;
		s->attempts++;
		if (s->alone) {
			break;
		}
	}
	map_fini(&keys);
}

/* A send that is tried again is counted again, from its arrival. */
static void
observe_batch(struct writer *w)
{
	w->batch_us = clock_mono_us();
	metric_observe(w->m_batch, (double)w->batch_len);
	LIST_FOREACH(link, &w->batch) {
		const struct send *s = LIST_ENTRY(link, struct send, link);

		metric_observe_us(w->m_wait, w->batch_us - s->r->started_us);
	}
}

static void
on_turn(void *arg)
{
	struct writer *w = arg;
	struct db_unit *u;

	if (w->batch_len > 0 || list_empty(&w->queue)) {
		return;
	}
	gather(w);
	if (w->batch_len == 0) {
		return;
	}
	observe_batch(w);
	u = db_unit_new(w->svc->db, DB_FIRST,
	    first_of(&w->batch)->r->in->deadline_ms);
	store_send_steps(u, w->rows, w->batch_len);
	db_submit(u, on_done, w);
}

void
writer_send(struct writer *w, struct request *r, const struct send_row *row)
{
	struct send *s;

	if (w->closed) {
		request_fail(r, ERR_UNAVAILABLE, NULL);
		return;
	}
	s = mem_zalloc(sizeof(*s));
	s->r = r;
	s->row = *row;
	s->row.id = uuid_v7();
	list_push_back(&w->queue, &s->link);
	w->queued++;
}

/* ---- life ---------------------------------------------------------------- */

static double
gauge_queued(void *arg)
{
	return (double)((struct writer *)arg)->queued;
}

struct writer *
writer_new(struct service *svc)
{
	struct writer *w = mem_zalloc(sizeof(*w));

	w->svc = svc;
	list_init(&w->queue);
	list_init(&w->batch);
	w->m_batch = metric_size("parley_writer_batch_size", NULL,
	    "Sends that were stored in one transaction.");
	w->m_wait = metric_latency("parley_writer_wait_seconds", NULL,
	    "From a send's arrival to its batch being submitted.");
	w->m_store = metric_latency("parley_writer_store_seconds", NULL,
	    "From submitting a batch to its being committed, or refused.");
	w->m_split = metric_counter("parley_writer_splits_total", NULL,
	    "Batches that were stored row by row for one bad row.");
	w->m_races = metric_counter("parley_writer_races_total", NULL,
	    "Batches repeated because another chatd stored the same send.");
	metric_gauge_fn("parley_writer_queued", NULL,
	    "Sends waiting for the batch before them.", gauge_queued, w);
	turn_add(svc->turn, on_turn, w);
	return w;
}

size_t
writer_pending(const struct writer *w)
{
	return w->queued + w->batch_len;
}

void
writer_close(struct writer *w)
{
	struct list *link;

	if (w == NULL) {
		return;
	}
	w->closed = true;
	while ((link = list_pop_front(&w->queue)) != NULL) {
		w->queued--;
		send_fail(LIST_ENTRY(link, struct send, link),
		    ERR_UNAVAILABLE, NULL);
	}
}

void
writer_free(struct writer **wp)
{
	struct writer *w = *wp;

	*wp = NULL;
	if (w != NULL) {
		writer_close(w);
		free(w);
	}
}
