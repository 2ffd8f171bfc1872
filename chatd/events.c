/*
 * Publishing events, and waiting for Redis's answer to some of them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/events.h"

#include <stdlib.h>

#include "chatd/reach.h"
#include "common/bus.h"
#include "common/clock.h"
#include "common/daemon.h"
#include "common/list.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"

/* Publishes kept while Redis is away; beyond, the oldest are given up and the
 * gateways catch up from the database. */
#define BACKLOG_MAX ((size_t)16 << 20)
#define WAIT_MAX_MS 500
/* How long before this start a predecessor may have died with publishes unsent:
 * a restart by hand, with some room. */
#define START_SINCE_MS 60000

struct events {
	uv_loop_t *loop;
	struct bus *bus;       /* owned */
	struct reach *reach;   /* owned; NULL: not yet made, or ended */
	struct list waits;
	events_answer_fn *answer; /* NULL: nothing is subscribed */
	events_standing_fn *standing;
	void *answer_arg;
	bool started;          /* the first resync was published */
	bool closing;
	struct metric *m_published;
	struct metric *m_resyncs;
	struct metric *m_late;
};

struct event_wait {
	struct list link;      /* in events.waits */
	struct events *events; /* borrowed */
	unsigned refs;         /* publishes not yet answered, timer, caller */
	bool told;
	unsigned left;         /* publishes not yet answered */
	uv_timer_t timer;
	event_wait_fn *fn;
	void *arg;
};

void
events_bytes_to_user(struct events *e, const struct uuid *user,
    const struct buf *bytes)
{
	char topic[EVENT_TOPIC_USER_LEN + 1];

	event_topic_user(user, topic);
	metric_inc(e->m_published);
	bus_publish(e->bus, topic, bytes->data, bytes->len, NULL, NULL);
}

void
events_to_user(struct events *e, const struct uuid *user,
    const struct event *event)
{
	struct buf bytes = BUF_INIT;

	put_event(&bytes, event);
	events_bytes_to_user(e, user, &bytes);
	buf_fini(&bytes);
}

void
events_spread(struct events *e, const struct event *event)
{
	struct buf bytes = BUF_INIT;

	put_event(&bytes, event);
	metric_inc(e->m_published);
	bus_publish(e->bus, event->kind == EVENT_SPREAD ? EVENT_TOPIC_GATEWAYS
	    : EVENT_TOPIC_SPREADS, bytes.data, bytes.len, NULL, NULL);
	buf_fini(&bytes);
}

bool
events_reach_all(const struct events *e)
{
	return reach_all(e->reach);
}

void
events_resync(struct events *e, uint64_t since_ms)
{
	struct event event = { .kind = EVENT_RESYNC, .seq = since_ms };
	struct buf bytes = BUF_INIT;

	log_warn("resync", "since_ms=%llu", (unsigned long long)since_ms);
	metric_inc(e->m_resyncs);
	put_event(&bytes, &event);
	bus_publish(e->bus, EVENT_TOPIC_GATEWAYS, bytes.data, bytes.len, NULL,
	    NULL);
	buf_fini(&bytes);
}

/* ---- waiting ------------------------------------------------------------- */

static void
wait_unref(struct event_wait *w)
{
	if (--w->refs == 0) {
		free(w);
	}
}

static void
on_timer_closed(uv_handle_t *handle)
{
	wait_unref(handle->data);
}

static void
wait_tell(struct event_wait *w)
{
	if (w->told) {
		return;
	}
	w->told = true;
	list_del(&w->link);
	uv_close((uv_handle_t *)&w->timer, on_timer_closed);
	w->fn(w->arg);
}

static void
on_timer(uv_timer_t *timer)
{
	struct event_wait *w = timer->data;

	if (w->left > 0) {
		metric_inc(w->events->m_late);
	}
	wait_tell(w);
}

static void
on_answered(void *arg, bool ok)
{
	struct event_wait *w = arg;

	(void)ok; /* given up: the resync that follows makes up for it */
	if (--w->left == 0) {
		wait_tell(w);
	}
	wait_unref(w);
}

struct event_wait *
event_wait_new(struct events *e, event_wait_fn *fn, void *arg)
{
	struct event_wait *w = mem_zalloc(sizeof(*w));

	w->events = e;
	w->refs = 1; /* the timer's */
	w->left = 1; /* event_wait_go's */
	w->fn = fn;
	w->arg = arg;
	uv_timer_init(e->loop, &w->timer);
	w->timer.data = w;
	list_push_back(&e->waits, &w->link);
	return w;
}

void
event_wait_bytes_to_user(struct event_wait *w, const struct uuid *user,
    const struct buf *bytes)
{
	char topic[EVENT_TOPIC_USER_LEN + 1];

	w->refs++;
	w->left++;
	metric_inc(w->events->m_published);
	bus_publish(w->events->bus, event_topic_user(user, topic),
	    bytes->data, bytes->len, on_answered, w);
}

void
event_wait_to_user(struct event_wait *w, const struct uuid *user,
    const struct event *event)
{
	struct buf bytes = BUF_INIT;

	put_event(&bytes, event);
	event_wait_bytes_to_user(w, user, &bytes);
	buf_fini(&bytes);
}

void
event_wait_go(struct event_wait *w)
{
	uint64_t ms = bus_up(w->events->bus) ? WAIT_MAX_MS : 0;

	w->left--;
	uv_timer_start(&w->timer, on_timer, w->left == 0 ? 0 : ms, 0);
	if (w->events->closing) {
		wait_tell(w);
	}
}

/* ---- the bus ------------------------------------------------------------- */

static void
on_link(void *arg, bool up)
{
	struct events *e = arg;

	daemon_need("redis", up);
	if (e->reach != NULL) {
		reach_link(e->reach, up);
	}
	if (up && !e->started) {
		e->started = true;
		events_resync(e, START_SINCE_MS);
	}
}

static void
on_lost(void *arg, uint64_t since_ms)
{
	events_resync(arg, since_ms);
}

static void
on_message(void *arg, const char *topic, size_t topic_len,
    const uint8_t *data, size_t len)
{
	struct events *e = arg;

	if (e->answer != NULL) {
		e->answer(e->answer_arg, topic, topic_len, data, len);
	}
}

static void
on_subscriptions(void *arg, bool up, uint64_t away_ms)
{
	struct events *e = arg;

	(void)away_ms;
	if (e->standing != NULL) {
		e->standing(e->answer_arg, up);
	}
}

void
events_on_answer(struct events *e, events_answer_fn *fn,
    events_standing_fn *standing, void *arg)
{
	e->answer = fn;
	e->standing = standing;
	e->answer_arg = arg;
}

struct bus *
events_bus(struct events *e)
{
	return e->bus;
}

static double
gauge_backlog(void *arg)
{
	return (double)bus_backlog(((struct events *)arg)->bus);
}

struct events *
events_new(uv_loop_t *loop, const char *redis_url)
{
	struct events *e = mem_zalloc(sizeof(*e));
	struct bus_conf conf = { .url = redis_url, .name = "parley-chatd",
		.backlog_max = BACKLOG_MAX, .on_message = on_message,
		.on_subscriptions = on_subscriptions, .on_link = on_link,
		.on_lost = on_lost, .arg = e };

	e->loop = loop;
	list_init(&e->waits);
	e->m_published = metric_counter("parley_chatd_published_total", NULL,
	    "Events published to users.");
	e->m_resyncs = metric_counter("parley_chatd_resyncs_total", NULL,
	    "Times all gateways were told to catch up.");
	e->m_late = metric_counter("parley_chatd_publish_late_total", NULL,
	    "Answers sent before Redis had answered their events.");
	daemon_need("redis", false);
	e->bus = bus_new(loop, &conf);
	if (e->bus == NULL) {
		free(e);
		return NULL;
	}
	e->reach = reach_new(loop, e->bus, on_lost, e);
	metric_gauge_fn("parley_chatd_publish_backlog", NULL,
	    "Publishes Redis has not answered yet.", gauge_backlog, e);
	return e;
}

size_t
events_backlog(const struct events *e)
{
	return bus_backlog(e->bus);
}

bool
events_behind(const struct events *e)
{
	return bus_behind(e->bus);
}

bool
events_settled(const struct events *e)
{
	return bus_backlog(e->bus) == 0 || !bus_up(e->bus);
}

void
events_free(struct events **ep)
{
	struct events *e = *ep;

	*ep = NULL;
	if (e == NULL) {
		return;
	}
	e->closing = true;
	while (!list_empty(&e->waits)) {
		wait_tell(LIST_ENTRY(e->waits.next, struct event_wait, link));
	}
	reach_end(&e->reach);
	bus_free(&e->bus);
	free(e);
}
