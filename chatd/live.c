/*
 * Questions to the gateways.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/live.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "chatd/events.h"
#include "common/bus.h"
#include "common/list.h"
#include "common/log.h"
#include "common/mem.h"

struct question {
	struct list link;   /* in live.questions */
	struct live *live;  /* borrowed */
	uint64_t number;
	struct uuid user;   /* nil: all gateways */
	bool asked;         /* the PUBLISH is out */
	bool counted;       /* it was answered: `expected` is known */
	unsigned refs;      /* the timer's, and the PUBLISH's answer's */
	size_t expected;
	size_t got;
	struct buf list;
	live_fn *fn;        /* NULL: answered */
	void *arg;
	uv_timer_t timer;
};

struct live {
	uv_loop_t *loop;       /* borrowed */
	struct events *events; /* borrowed */
	bool wanted;           /* something was asked: subscribed for good */
	bool ready;            /* Redis has confirmed it */
	struct uuid id;        /* where answers come to */
	char topic[EVENT_TOPIC_ANSWERS_LEN + 1];
	uint64_t numbers;
	struct list questions;
	size_t count;
};

/* ---- a question's end ------------------------------------------------------ */

static void
question_unref(struct question *q)
{
	if (--q->refs == 0) {
		buf_fini(&q->list);
		free(q);
	}
}

static void
on_timer_closed(uv_handle_t *handle)
{
	question_unref(handle->data);
}

static void
question_end(struct question *q, enum err err)
{
	live_fn *fn = q->fn;
	size_t missing = q->expected > q->got ? q->expected - q->got : 0;

	if (fn == NULL) {
		return;
	}
	q->fn = NULL;
	list_del(&q->link);
	q->live->count--;
	uv_close((uv_handle_t *)&q->timer, on_timer_closed);
	if (err == ERR_OK) {
		fn(q->arg, err, &q->list, q->got, missing);
	} else {
		fn(q->arg, err, NULL, 0, 0);
	}
}

static void
question_settle(struct question *q)
{
	if (q->counted && q->got >= q->expected) {
		question_end(q, ERR_OK);
	}
}

static void
on_timer(uv_timer_t *timer)
{
	struct question *q = timer->data;

	question_end(q, q->counted ? ERR_OK : ERR_UNAVAILABLE);
}

/* ---- asking ---------------------------------------------------------------- */

/* Redis tells how many have received it. */
static void
on_published(void *arg, struct redisReply *reply)
{
	struct question *q = arg;

	if (q->fn != NULL) {
		if (reply == NULL || reply->type != REDIS_REPLY_INTEGER) {
			question_end(q, ERR_UNAVAILABLE);
		} else {
			q->counted = true;
			q->expected = (size_t)reply->integer;
			question_settle(q);
		}
	}
	question_unref(q);
}

static void
question_publish(struct question *q)
{
	struct event e = { .kind = EVENT_ASK, .chat = q->live->id,
		.seq = q->number };
	char topic[EVENT_TOPIC_USER_LEN + 1] = EVENT_TOPIC_GATEWAYS;
	struct buf bytes = BUF_INIT;
	const char *argv[] = { "PUBLISH", topic, NULL };
	size_t lens[] = { 7, 0, 0 };

	if (!uuid_is_nil(&q->user)) {
		event_topic_user(&q->user, topic);
	}
	put_event(&bytes, &e);
	lens[1] = strlen(topic);
	argv[2] = (const char *)bytes.data;
	lens[2] = bytes.len;
	q->asked = true;
	q->refs++;
	bus_command(events_bus(q->live->events), on_published, q, 3, argv,
	    lens);
	buf_fini(&bytes);
}

/* The subscription stands, from the first time on or again. */
static void
on_subscriptions(void *arg, bool up)
{
	struct live *l = arg;

	l->ready = up;
	if (!up) {
		return;
	}
	LIST_FOREACH_SAFE(link, next, &l->questions) {
		struct question *q = LIST_ENTRY(link, struct question, link);

		if (!q->asked) {
			question_publish(q);
		}
	}
}

static struct question *
question_new(struct live *l, const struct uuid *user, live_fn *fn, void *arg)
{
	struct question *q = mem_zalloc(sizeof(*q));

	q->live = l;
	q->number = ++l->numbers;
	q->user = user != NULL ? *user : (struct uuid){ { 0 } };
	q->refs = 1;
	q->fn = fn;
	q->arg = arg;
	buf_init(&q->list);
	uv_timer_init(l->loop, &q->timer);
	q->timer.data = q;
	uv_timer_start(&q->timer, on_timer, LIVE_WAIT_MS, 0);
	list_push_back(&l->questions, &q->link);
	l->count++;
	return q;
}

void
live_ask(struct live *l, const struct uuid *user, live_fn *fn, void *arg)
{
	struct bus *bus = events_bus(l->events);
	struct question *q;

	if (l->count >= LIVE_QUESTIONS_MAX) {
		fn(arg, ERR_OVERLOADED, NULL, 0, 0);
		return;
	}
	if (!bus_up(bus)) {
		fn(arg, ERR_UNAVAILABLE, NULL, 0, 0);
		return;
	}
	q = question_new(l, user, fn, arg);
	if (l->ready) {
		question_publish(q);
	} else if (!l->wanted) {
		l->wanted = true;
		bus_subscribe(bus, l->topic, NULL, NULL);
	}
}

/* ---- answers --------------------------------------------------------------- */

static struct question *
question_find(struct live *l, uint64_t number)
{
	LIST_FOREACH(link, &l->questions) {
		struct question *q = LIST_ENTRY(link, struct question, link);

		if (q->number == number) {
			return q;
		}
	}
	return NULL;
}

static void
on_answer(void *arg, const char *topic, size_t topic_len, const uint8_t *data,
    size_t len)
{
	struct live *l = arg;
	struct question *q;
	const uint8_t *json;
	size_t json_len;
	uint64_t number;
	struct rd r;

	if (topic_len != strlen(l->topic) ||
	    memcmp(topic, l->topic, topic_len) != 0) {
		return;
	}
	rd_init(&r, data, len);
	number = rd_u64(&r);
	json = rd_blob(&r, &json_len);
	if (!rd_done(&r)) {
		log_warn("answer_bad", "len=%zu remedy=\"run gateways and "
		    "chatds of one version\"", len);
		return;
	}
	q = question_find(l, number);
	if (q == NULL || q->list.len + json_len > LIVE_BYTES_MAX) {
		return; /* late, or too much */
	}
	buf_put_blob(&q->list, json, json_len);
	q->got++;
	question_settle(q);
}

/* ---- life ------------------------------------------------------------------ */

struct live *
live_new(uv_loop_t *loop, struct events *events)
{
	struct live *l = mem_zalloc(sizeof(*l));

	l->loop = loop;
	l->events = events;
	l->id = uuid_v4();
	event_topic_answers(&l->id, l->topic);
	list_init(&l->questions);
	events_on_answer(events, on_answer, on_subscriptions, l);
	return l;
}

void
live_free(struct live **lp)
{
	struct live *l = *lp;

	*lp = NULL;
	if (l == NULL) {
		return;
	}
	events_on_answer(l->events, NULL, NULL, NULL);
	while (!list_empty(&l->questions)) {
		question_end(LIST_ENTRY(l->questions.next, struct question,
		    link), ERR_UNAVAILABLE);
	}
	free(l);
}
