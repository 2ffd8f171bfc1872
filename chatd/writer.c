/*
 * The batching writer: what goes into a batch of which lane, and what to do
 * when one fails. What follows a commit is in fanout.c.
 *
 *   another chatd stored the same key first   the batch again: it now finds it
 *   the data of some row is bad               row by row, so that the
 *                                             neighbours get through
 *   anything else                             unavailable: safe to send again
 *
 * A link lost within the commit is the database layer's to repeat: with the
 * same message ids, so that what was stored is found and not stored twice.
 *
 * Answering a batch takes chatd a quarter of the time that storing it takes
 * PostgreSQL, so a large one that waits is on its way there meanwhile. A small one
 * had better grow: by those who send again as soon as they are answered.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/writer.h"

#include <stdlib.h>
#include <string.h>

#include "chatd/events.h"
#include "chatd/fanout.h"
#include "chatd/large.h"
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
/* So many sends that wait are a large batch. */
#define LARGE_BATCH 128

struct send {
	struct list link;    /* in writer.queue, or its batch */
	struct request *r;   /* owned until answered */
	struct send_row row;
	unsigned attempts;
	bool alone;          /* its batch was refused: goes by itself */
};

struct batch_rows {
	struct send_row row[BATCH_MAX];
};

/* How many members a chat has by now. */
struct size_note {
	struct uuid chat;
	size_t members;
};

/* One of two that go side by side. A chat is in one of them: it changes over
 * when the lane that it leaves has no batch in flight, so that its sends are
 * never in flight in both. */
struct send_lane {
	struct writer *writer;  /* borrowed */
	unsigned flags;         /* of its units */
	struct list queue;
	size_t queued;
	struct list batch;      /* in flight */
	size_t batch_len;       /* 0: none */
	struct batch_rows *rows[2]; /* owned: the batch's are in [side] */
	unsigned side;
	uint64_t batch_us;      /* when it was submitted */
	struct size_note *notes; /* owned, BATCH_MAX: of the last that was
	                          * answered */
	size_t notes_len;
};

struct writer {
	struct service *svc;    /* borrowed */
	struct send_lane small, big;
	struct large large;     /* whose sends go in the lane `big` */
	bool closed;
	struct metric *m_batch;
	struct metric *m_wait;
	struct metric *m_store;
	struct metric *m_split;
	struct metric *m_races;
	struct metric *m_held;
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
batch_again(struct send_lane *l, bool alone)
{
	LIST_FOREACH(link, &l->batch) {
		struct send *s = LIST_ENTRY(link, struct send, link);

		s->alone = alone;
	}
	l->queued += l->batch_len;
	list_splice_back(&l->batch, &l->queue);
	list_splice_back(&l->queue, &l->batch);
}

static void
fail_all(struct list *sends, enum err err, const char *field)
{
	struct list *link;

	while ((link = list_pop_front(sends)) != NULL) {
		send_fail(LIST_ENTRY(link, struct send, link), err, field);
	}
}

static void
batch_refused(struct send_lane *l, const struct db_result *res)
{
	const char *state = db_sqlstate(res);
	bool data = strncmp(state, "22", 2) == 0;

	if (strncmp(state, "23", 2) == 0 &&
	    first_of(&l->batch)->attempts < ATTEMPTS_MAX) {
		metric_inc(l->writer->m_races);
		batch_again(l, first_of(&l->batch)->attempts > 2);
	} else if (data && l->batch_len > 1) {
		metric_inc(l->writer->m_split);
		batch_again(l, true);
	} else if (data) {
		fail_all(&l->batch, ERR_INVALID_FIELD, "msg.content");
	} else {
		fail_all(&l->batch, ERR_UNAVAILABLE, NULL);
	}
}

/* ---- a batch that is stored ---------------------------------------------- */

/* A repeated send whose first message is in another chat than it says now: once
 * more, for that chat, whose members the batch did not look up. False: it was
 * tried often enough. */
static bool
send_to_first_chat(struct send_lane *l, struct send *s, const struct uuid *chat)
{
	if (s->attempts >= ATTEMPTS_MAX) {
		return false;
	}
	s->row.chat_id = *chat;
	list_push_back(&l->queue, &s->link);
	l->queued++;
	return true;
}

/* While the lane has no batch in flight. */
static void
take_notes(struct send_lane *l)
{
	struct large *large = &l->writer->large;

	for (size_t i = 0; i < l->notes_len; i++) {
		large_note(large, &l->notes[i].chat, l->notes[i].members);
	}
	l->notes_len = 0;
	if (l == &l->writer->big) {
		large_forget_full(large);
	}
}

/* `sends` are those of a batch, `rows` theirs; l->batch may be the next one. */
static void
batch_stored(struct send_lane *l, struct list *sends,
    const struct send_row *rows, struct db_result *res)
{
	struct writer *w = l->writer;
	struct fanout *f = fanout_new(w->svc->events, res);
	size_t stored = store_stored_count(res);
	size_t at = 0;

	for (size_t i = 0; i < stored; i++) {
		const struct uuid *chat;
		struct stored_row row;

		store_stored_read(res, i, rows, &row);
		/* Who is not among the stored is no member. */
		for (; at < row.send; at++) {
			send_fail(LIST_ENTRY(list_pop_front(sends),
			    struct send, link), ERR_CHAT_FORBIDDEN, NULL);
		}
		struct send *s = LIST_ENTRY(list_pop_front(sends),
		    struct send, link);

		at++;
		chat = &row.message.chat_id;
		if (!uuid_eq(chat, &s->row.chat_id) &&
		    send_to_first_chat(l, s, chat)) {
			continue;
		}
		if (row.fresh) {
			search_copy_sent(w->svc->search_copy, chat,
			    row.message.seq);
		}
		if (uuid_eq(chat, &s->row.chat_id)) {
			l->notes[l->notes_len++] = (struct size_note){
				*chat, fanout_members(f, chat) };
		}
		fanout_message(f, s->r, &row);
		free(s);
	}
	fail_all(sends, ERR_CHAT_FORBIDDEN, NULL);
	fanout_free(&f);
}

static void next_batch(struct send_lane *l);

static void
on_done(void *arg, struct db_result *res)
{
	struct send_lane *l = arg;
	const struct send_row *rows = l->rows[l->side]->row;
	struct list sends;

	metric_observe_us(l->writer->m_store, clock_mono_us() - l->batch_us);
	list_init(&sends);
	switch (db_outcome(res)) {
	case DB_OK:
		list_splice_back(&sends, &l->batch);
		break;
	case DB_FAILED:
		batch_refused(l, res);
		break;
	case DB_UNAVAILABLE:
		fail_all(&l->batch, ERR_UNAVAILABLE, NULL);
		break;
	}
	l->batch_len = 0;
	take_notes(l);
	if (list_empty(&sends)) {
		return;
	}
	if (l->queued >= LARGE_BATCH) {
		next_batch(l);
	}
	batch_stored(l, &sends, rows, res);
	if (l->batch_len == 0) {
		take_notes(l);
	}
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

/* The lane that the send's chat is in by now. */
static struct send_lane *
lane_of(struct writer *w, const struct send *s)
{
	return large_has(&w->large, &s->row.chat_id) ? &w->big : &w->small;
}

static void
enqueue(struct send_lane *l, struct send *s)
{
	list_push_back(&l->queue, &s->link);
	l->queued++;
}

/* Moves what fits from the queue into the batch. */
static void
gather(struct send_lane *l)
{
	uint64_t now = clock_mono_ms();
	size_t bytes = 0;
	struct map keys;

	map_init(&keys);
	LIST_FOREACH_SAFE(link, tmp, &l->queue) {
		struct send *s = LIST_ENTRY(link, struct send, link);
		struct uuid key = key_of(&s->row);

		if (is_late(s, now)) {
			list_del(link);
			l->queued--;
			send_fail(s, ERR_EXPIRED, NULL);
			continue;
		}
		if (lane_of(l->writer, s) != l) {
			list_del(link);
			l->queued--;
			enqueue(lane_of(l->writer, s), s);
			continue;
		}
		if (l->batch_len == BATCH_MAX || bytes > BATCH_BYTES ||
		    (s->alone && l->batch_len > 0)) {
			break;
		}
		if (map_get(&keys, &key) != NULL) {
			continue;
		}
		map_put(&keys, &key, s);
		list_del(link);
		list_push_back(&l->batch, link);
		l->queued--;
		l->rows[l->side]->row[l->batch_len++] = s->row;
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
observe_batch(struct send_lane *l)
{
	l->batch_us = clock_mono_us();
	metric_observe(l->writer->m_batch, (double)l->batch_len);
	LIST_FOREACH(link, &l->batch) {
		const struct send *s = LIST_ENTRY(link, struct send, link);

		metric_observe_us(l->writer->m_wait, l->batch_us -
		    s->r->started_us);
	}
}

static void
next_batch(struct send_lane *l)
{
	struct writer *w = l->writer;
	struct db_unit *u;

	if (l->batch_len > 0 || list_empty(&l->queue)) {
		return;
	}
	/* Stored faster than told, messages would pile up on their way and in
	 * the end have to be caught up. Redis' answers bring the next turn. */
	if (events_behind(w->svc->events)) {
		metric_inc(w->m_held);
		return;
	}
	l->side = !l->side;
	gather(l);
	if (l->batch_len == 0) {
		return;
	}
	observe_batch(l);
	u = db_unit_new(w->svc->db, l->flags,
	    first_of(&l->batch)->r->in->deadline_ms);
	store_send_steps(u, l->rows[l->side]->row, l->batch_len);
	db_submit(u, on_done, l);
}

static void
on_turn(void *arg)
{
	struct writer *w = arg;

	/* The small lane first: it may find sends that have become the other's. */
	next_batch(&w->small);
	next_batch(&w->big);
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
	enqueue(lane_of(w, s), s);
}

/* ---- life ---------------------------------------------------------------- */

static double
gauge_queued(void *arg)
{
	const struct writer *w = arg;

	return (double)(w->small.queued + w->big.queued);
}

static double
gauge_large(void *arg)
{
	return (double)((struct writer *)arg)->large.chats.len;
}

static void
lane_init(struct send_lane *l, struct writer *w, unsigned flags)
{
	l->writer = w;
	l->flags = flags;
	for (unsigned i = 0; i < 2; i++) {
		l->rows[i] = mem_alloc(sizeof(*l->rows[i]));
	}
	l->notes = mem_alloc(BATCH_MAX * sizeof(*l->notes));
	list_init(&l->queue);
	list_init(&l->batch);
}

struct writer *
writer_new(struct service *svc)
{
	struct writer *w = mem_zalloc(sizeof(*w));

	w->svc = svc;
	lane_init(&w->small, w, DB_FIRST);
	lane_init(&w->big, w, DB_LARGE);
	large_init(&w->large);
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
	w->m_held = metric_counter("parley_writer_held_total", NULL,
	    "Times a batch waited for Redis to take what the ones before it "
	    "led to.");
	metric_gauge_fn("parley_writer_queued", NULL,
	    "Sends waiting for the batch before them.", gauge_queued, w);
	metric_gauge_fn("parley_writer_large_chats", NULL,
	    "Chats whose sends go in batches of their own, for their size.",
	    gauge_large, w);
	turn_add(svc->turn, on_turn, w);
	return w;
}

size_t
writer_pending(const struct writer *w)
{
	return w->small.queued + w->small.batch_len + w->big.queued +
	    w->big.batch_len;
}

static void
lane_fini(struct send_lane *l)
{
	free(l->rows[0]);
	free(l->rows[1]);
	free(l->notes);
}

static void
lane_close(struct send_lane *l)
{
	struct list *link;

	while ((link = list_pop_front(&l->queue)) != NULL) {
		l->queued--;
		send_fail(LIST_ENTRY(link, struct send, link),
		    ERR_UNAVAILABLE, NULL);
	}
}

void
writer_close(struct writer *w)
{
	if (w == NULL) {
		return;
	}
	w->closed = true;
	lane_close(&w->small);
	lane_close(&w->big);
}

void
writer_free(struct writer **wp)
{
	struct writer *w = *wp;

	*wp = NULL;
	if (w != NULL) {
		writer_close(w);
		lane_fini(&w->small);
		lane_fini(&w->big);
		large_fini(&w->large);
		free(w);
	}
}
