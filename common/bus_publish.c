/*
 * Publishes and commands on the bus. A publish is kept until Redis has answered
 * and sent again on every new link, in order; a command fails with its link.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus_int.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"

#define COMMANDS_MAX 100000
/* See bus_behind. */
#define BEHIND_PART 8
#define BEHIND_SILENT_MS 2000
/* The same refusal is logged once in so long. */
#define REFUSAL_LOG_MS 10000

struct publish {
	struct list link;
	struct bus *bus;       /* borrowed */
	uint64_t made_ms;
	bool sent;             /* on the present link */
	bus_done_fn *done;
	void *arg;
	size_t topic_len;
	size_t len;
	char bytes[];          /* topic, then data */
};

struct command {
	struct list link;
	struct bus *bus;       /* borrowed */
	bus_reply_fn *fn;
	void *arg;
	bool failed;           /* never sent: told at the end of the turn */
};

/* ---- errors of Redis about itself --------------------------------------- */

void
bus_refused(struct bus *b, enum bus_error e, const char *what,
    const char *message)
{
	uint64_t now = clock_mono_ms();

	metric_inc(b->m_refused[e]);
	if (e != BUS_ERROR_OTHER && (b->refusal_logged_ms[e] == 0 ||
	    now - b->refusal_logged_ms[e] > REFUSAL_LOG_MS)) {
		b->refusal_logged_ms[e] = now;
		log_warn("redis_refused", "command=%s reason=\"%s\" "
		    "remedy=\"%s\"", what, message, bus_error_remedy(e));
	}
	if (bus_error_is_link_s(e)) {
		bus_link_reset(b->commands);
	}
	if (e == BUS_ERROR_REPLICA && b->subs_told_up) {
		/* After a failover the topics may be heard elsewhere; until the
		 * old master follows the new one, not here. */
		bus_link_reset(b->subs);
	}
}

/* ---- publishing --------------------------------------------------------- */

static void
publish_end(struct publish *p, bool ok)
{
	struct bus *b = p->bus;

	list_del(&p->link);
	if (b->timed == p) {
		b->timed = NULL;
	}
	b->backlog -= p->topic_len + p->len;
	b->backlog_len--;
	if (p->done != NULL) {
		p->done(p->arg, ok);
	}
	free(p);
}

static void
on_published(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct publish *p = privdata;
	redisReply *r = reply;

	(void)ac;
	if (r == NULL) {
		/* The link broke: it is sent again on the next one. */
		p->sent = false;
		return;
	}
	if (r->type == REDIS_REPLY_ERROR) {
		/* This Redis cannot take it: begin anew, after a pause. */
		struct bus *b = p->bus;

		p->sent = false;
		metric_inc(b->m_errors);
		bus_refused(b, bus_error(r->str), "publish", r->str);
		bus_link_reset(b->commands);
		return;
	}
	metric_inc(p->bus->m_published);
	if (p->bus->timed == p) {
		metric_observe_us(p->bus->m_publish,
		    clock_mono_us() - p->bus->timed_us);
	}
	publish_end(p, true);
}

static void
publish_send(struct bus *b, struct publish *p)
{
	const char *argv[3] = { "PUBLISH", p->bytes, p->bytes + p->topic_len };
	const size_t lens[3] = { 7, p->topic_len, p->len };
	redisAsyncContext *ac = bus_link_context(b->commands);

	if (ac != NULL && redisAsyncCommandArgv(ac, on_published, p, 3, argv,
	    lens) == REDIS_OK) {
		p->sent = true;
	}
}

void
bus_send_publishes(struct bus *b)
{
	LIST_FOREACH(link, &b->publishes) {
		struct publish *p = LIST_ENTRY(link, struct publish, link);

		if (!p->sent) {
			publish_send(b, p);
		}
	}
}

void
bus_shed_publishes(struct bus *b)
{
	LIST_FOREACH_SAFE(link, tmp, &b->publishes) {
		struct publish *p = LIST_ENTRY(link, struct publish, link);

		if (b->backlog <= b->conf.backlog_max) {
			return;
		}
		if (p->sent) {
			continue;
		}
		if (b->lost_since_ms == 0 || p->made_ms < b->lost_since_ms) {
			b->lost_since_ms = p->made_ms;
		}
		metric_inc(b->m_lost);
		publish_end(p, false);
	}
}

void
bus_publish(struct bus *b, const char *topic, const void *data, size_t len,
    bus_done_fn *done, void *arg)
{
	size_t topic_len = strlen(topic);
	struct publish *p = mem_alloc(sizeof(*p) + topic_len + len);

	p->bus = b;
	p->made_ms = clock_mono_ms();
	p->sent = false;
	p->done = done;
	p->arg = arg;
	p->topic_len = topic_len;
	p->len = len;
	memcpy(p->bytes, topic, topic_len);
	if (len > 0) {
		memcpy(p->bytes + topic_len, data, len);
	}
	list_push_back(&b->publishes, &p->link);
	/* One at a time: in a burst that is one of each round trip, and the
	 * others cost no look at the clock. */
	if (b->timed == NULL) {
		b->timed = p;
		b->timed_us = clock_mono_us();
	}
	b->backlog += topic_len + len;
	b->backlog_len++;
	if (bus_link_context(b->commands) != NULL) {
		publish_send(b, p);
		if (b->backlog > b->conf.backlog_max) {
			/* Redis answers too slowly to keep up with: the link
			 * is as good as dead. */
			log_warn("redis_stuck", "backlog_bytes=%zu",
			    b->backlog);
			bus_link_reset(b->commands);
		}
	} else {
		bus_shed_publishes(b);
	}
}

size_t
bus_backlog(const struct bus *b)
{
	return b->backlog_len;
}

bool
bus_behind(const struct bus *b)
{
	return bus_up(b) && b->backlog > b->conf.backlog_max / BEHIND_PART &&
	    bus_link_silent_ms(b->commands) < BEHIND_SILENT_MS;
}

/* ---- commands ----------------------------------------------------------- */

static void
on_command_reply(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct command *c = privdata;
	struct bus *b = c->bus;
	redisReply *r = reply;

	(void)ac;
	list_del(&c->link);
	c->bus->pending_len--;
	if (r != NULL && r->type == REDIS_REPLY_ERROR) {
		metric_inc(b->m_errors);
		/* The link's end ends this list: the caller's turn is first. */
		c->fn(c->arg, r);
		bus_refused(b, bus_error(r->str), "script", r->str);
		free(c);
		return;
	}
	c->fn(c->arg, r);
	free(c);
}

void
bus_on_deferred(uv_timer_t *timer)
{
	struct bus *b = timer->data;
	struct list *link;

	while ((link = list_pop_front(&b->failed)) != NULL) {
		struct command *c = LIST_ENTRY(link, struct command, link);

		b->pending_len--;
		c->fn(c->arg, NULL);
		free(c);
	}
}

void
bus_command(struct bus *b, bus_reply_fn *fn, void *arg, int argc,
    const char **argv, const size_t *argvlen)
{
	struct command *c = mem_zalloc(sizeof(*c));
	redisAsyncContext *ac = bus_link_context(b->commands);

	c->bus = b;
	c->fn = fn;
	c->arg = arg;
	b->pending_len++;
	if (ac != NULL && b->pending_len <= COMMANDS_MAX &&
	    redisAsyncCommandArgv(ac, on_command_reply, c, argc, argv,
	    argvlen) == REDIS_OK) {
		list_push_back(&b->pending, &c->link);
		return;
	}
	list_push_back(&b->failed, &c->link);
	uv_timer_start(&b->deferred, bus_on_deferred, 0, 0);
}

void
bus_drop_pending(struct bus *b)
{
	bus_on_deferred(&b->deferred);
	while (!list_empty(&b->publishes)) {
		publish_end(LIST_ENTRY(b->publishes.next, struct publish,
		    link), false);
	}
}
