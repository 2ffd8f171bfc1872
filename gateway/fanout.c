/*
 * A fan_user lives from its first session until its last has left and Redis has
 * answered the SUBSCRIBE: the answer names it, so it cannot go before. One that
 * is left empty meanwhile is revived by the next session, or dropped when the
 * answer comes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/fanout.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus.h"
#include "common/calls.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/mem.h"
#include "gateway/catchup.h"
#include "gateway/census.h"
#include "gateway/conn.h"
#include "gateway/deliver.h"
#include "gateway/limits.h"
#include "gateway/opening.h"
#include "gateway/stats.h"
#include "gateway/tokens.h"

/* Connections that catch up after a fault do so over this time. */
#define SPREAD_MS 500
/* What a chatd had sent to the database before its end is decided by then; and
 * so long before its end it may have ceased to publish. */
#define LOST_DELAY_MS 1000
#define LOST_SINCE_MS 60000

struct fan_user {
	struct fanout *fanout;  /* borrowed */
	struct uuid user;
	struct list conns;      /* by fan_link; borrowed */
	struct rate_entry *rates; /* held */
	bool asking;            /* the SUBSCRIBE has not been answered */
	bool busy;              /* its list is being walked: stays */
};

struct fanout {
	struct gateway *gw;     /* borrowed */
	struct map users;       /* owns the fan_users */
	uv_timer_t *lost;       /* owned; freed by its close callback */
};

static double
gauge_users(void *arg)
{
	return (double)fanout_users(arg);
}

struct fanout *
fanout_new(struct gateway *gw)
{
	struct fanout *f = mem_zalloc(sizeof(*f));

	f->gw = gw;
	map_init(&f->users);
	metric_gauge_fn("parley_gateway_subscriptions", NULL,
	    "Users whose events this gateway receives", gauge_users, f);
	return f;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	free(handle);
}

void
fanout_free(struct fanout **fp)
{
	struct fanout *f = *fp;
	struct fan_user *u;
	size_t cursor = 0;

	if (f == NULL) {
		return;
	}
	*fp = NULL;
	while ((u = map_next(&f->users, &cursor, NULL)) != NULL) {
		assert(list_empty(&u->conns));
		limits_user_release(f->gw->limits, u->rates);
		free(u);
	}
	map_fini(&f->users);
	if (f->lost != NULL) {
		uv_close((uv_handle_t *)f->lost, on_timer_closed);
	}
	free(f);
}

void
fanout_start(struct fanout *f)
{
	f->lost = mem_zalloc(sizeof(*f->lost));
	uv_timer_init(f->gw->loop, f->lost);
	f->lost->data = f;
	/* In this order: who is heard of by the second knows the first. */
	bus_subscribe(f->gw->bus, EVENT_TOPIC_SPREADS, NULL, NULL);
	bus_subscribe(f->gw->bus, EVENT_TOPIC_GATEWAYS, NULL, NULL);
}

struct rate_entry *
fanout_rates(const struct conn *c)
{
	return c->fan->rates;
}

size_t
fanout_users(const struct fanout *f)
{
	return f->users.len;
}

static void
user_drop(struct fan_user *u)
{
	char topic[EVENT_TOPIC_USER_LEN + 1];

	map_del(&u->fanout->users, &u->user);
	bus_unsubscribe(u->fanout->gw->bus, event_topic_user(&u->user, topic));
	limits_user_release(u->fanout->gw->limits, u->rates);
	free(u);
}

/* After a walk over its list, or when a session left. */
static void
user_settle(struct fan_user *u)
{
	if (list_empty(&u->conns) && !u->asking && !u->busy) {
		user_drop(u);
	}
}

static void
on_confirmed(void *arg, bool ok)
{
	struct fan_user *u = arg;

	/* Not ok: Redis is away. The sessions go on without live events and
	 * catch up when the subscription stands. */
	(void)ok;
	u->asking = false;
	u->busy = true;
	LIST_FOREACH_SAFE(link, next, &u->conns) {
		struct conn *c = LIST_ENTRY(link, struct conn, fan_link);

		if (c->state == CONN_SUBSCRIBING) {
			opening_subscribed(c);
		}
	}
	u->busy = false;
	user_settle(u);
}

static struct fan_user *
user_new(struct fanout *f, const struct uuid *user)
{
	struct fan_user *u = mem_zalloc(sizeof(*u));

	u->fanout = f;
	u->user = *user;
	list_init(&u->conns);
	u->rates = limits_user_hold(f->gw->limits, user);
	map_put(&f->users, user, u);
	return u;
}

void
fanout_join(struct conn *c)
{
	struct fanout *f = c->gw->fanout;
	struct fan_user *u = map_get(&f->users, &c->user);
	char topic[EVENT_TOPIC_USER_LEN + 1];

	if (u != NULL) {
		c->fan = u;
		list_push_back(&u->conns, &c->fan_link);
		if (!u->asking) {
			opening_subscribed(c);
		}
		return;
	}
	u = user_new(f, &c->user);
	c->fan = u;
	list_push_back(&u->conns, &c->fan_link);
	u->asking = true;
	bus_subscribe(f->gw->bus, event_topic_user(&c->user, topic),
	    on_confirmed, u);
}

void
fanout_leave(struct conn *c)
{
	struct fan_user *u = c->fan;

	if (u == NULL) {
		return;
	}
	c->fan = NULL;
	list_del(&c->fan_link);
	user_settle(u);
}

static void
catch_up_everyone(struct fanout *f, uint64_t away_ms)
{
	LIST_FOREACH_SAFE(link, next, &f->gw->conns->all) {
		struct conn *c = LIST_ENTRY(link, struct conn, link);

		if (c->fan != NULL) {
			catchup_want_all(c, away_ms, SPREAD_MS);
		}
	}
}

static void
to_user(struct fan_user *u, struct delivery *d)
{
	u->busy = true;
	LIST_FOREACH_SAFE(link, next, &u->conns) {
		struct conn *c = LIST_ENTRY(link, struct conn, fan_link);

		if (!uuid_eq(&c->session, &d->event->skip_session)) {
			deliver_event(c, d);
		}
	}
	u->busy = false;
	user_settle(u);
}

static void
event_to_user(struct fan_user *u, const struct event *e, enum flush_when when)
{
	struct delivery d;

	delivery_init(&d, e);
	d.when = when;
	to_user(u, &d);
	delivery_fini(&d);
}

/* ---- spreads ------------------------------------------------------------- */

/* The json with this user's splices. False: not what calls.h says. */
static bool
spliced(const struct event *e, struct rd *r, uint32_t splices, struct buf *b)
{
	size_t at = 0;

	while (splices-- > 0) {
		struct splice s;

		get_splice(r, &s);
		if (!rd_ok(r) || s.at < at || s.at > e->json_len ||
		    s.len > e->json_len - s.at) {
			return false;
		}
		buf_put(b, e->json + at, s.at - at);
		buf_put(b, s.text, s.text_len);
		at = s.at + s.len;
	}
	buf_put(b, e->json + at, e->json_len - at);
	return true;
}

static bool
skip_splices(struct rd *r, uint32_t splices)
{
	struct splice s;

	while (splices-- > 0 && rd_ok(r)) {
		get_splice(r, &s);
	}
	return rd_ok(r);
}

/* Those of its users that are here; who has no splices shares one frame. */
static bool
spread(struct fanout *f, const struct event *e, struct delivery *shared)
{
	struct rd r;
	uint32_t count;

	rd_init(&r, e->spread, e->spread_len);
	count = rd_u32(&r);
	while (count-- > 0 && rd_ok(&r)) {
		struct event own = *shared->event;
		struct buf b = BUF_INIT;
		struct spread_to to;
		struct fan_user *u;
		bool good = true;

		get_spread_to(&r, &to);
		u = map_get(&f->users, &to.user);
		if (u == NULL) {
			good = skip_splices(&r, to.splices);
		} else if (to.splices == 0) {
			to_user(u, shared);
		} else if ((good = spliced(e, &r, to.splices, &b))) {
			own.json = (const char *)b.data;
			own.json_len = b.len;
			event_to_user(u, &own, shared->when);
		}
		buf_fini(&b);
		if (!good) {
			return false;
		}
	}
	return rd_done(&r);
}

static void
take_spread(struct fanout *f, const struct event *e)
{
	struct event plain = *e;
	struct delivery d;

	plain.kind = e->kind == EVENT_SPREAD ? EVENT_FRAME : EVENT_MESSAGE;
	delivery_init(&d, &plain);
	d.when = FLUSH_IN_TURN;
	if (!spread(f, e, &d)) {
		metric_inc(stats.events_bad);
		log_warn("event_bad", "kind=spread len=%zu", e->spread_len);
	}
	delivery_fini(&d);
}

/* ---- what comes ----------------------------------------------------------- */

void
fanout_on_message(struct fanout *f, const char *topic, size_t topic_len,
    const uint8_t *data, size_t len)
{
	struct fan_user *u;
	struct uuid user;
	struct event e;

	metric_inc(stats.events);
	if (!get_event(data, len, &e)) {
		metric_inc(stats.events_bad);
		log_warn("event_bad", "topic=%.*s len=%zu", (int)topic_len,
		    topic, len);
		return;
	}
	log_debug("event", "topic=%.*s kind=%d req=%016llx", (int)topic_len,
	    topic, (int)e.kind, (unsigned long long)e.trace);
	if (e.kind == EVENT_RESYNC) {
		log_info("resync", "away_ms=%llu", (unsigned long long)e.seq);
		catch_up_everyone(f, e.seq);
		return;
	}
	if (event_is_spread(e.kind)) {
		take_spread(f, &e);
		return;
	}
	if (!event_topic_parse(topic, topic_len, &user)) {
		if (e.kind == EVENT_ASK) {
			census_answer(f->gw, &e, NULL);
		}
		return;
	}
	u = map_get(&f->users, &user);
	if (e.kind == EVENT_ASK) {
		static struct list none = LIST_INIT(none);

		census_answer(f->gw, &e, u != NULL ? &u->conns : &none);
	} else if (u != NULL) {
		event_to_user(u, &e, FLUSH_SOON);
	}
}

void
fanout_on_subscriptions(struct fanout *f, bool up, uint64_t away_ms)
{
	if (!up) {
		log_warn("events_stopped", "redis=away");
		return;
	}
	log_info("events_resumed", "away_ms=%llu",
	    (unsigned long long)away_ms);
	catch_up_everyone(f, away_ms);
	tokens_recheck(f->gw->tokens);
}

static void
on_chatd_lost(uv_timer_t *timer)
{
	catch_up_everyone(timer->data, LOST_SINCE_MS);
}

void
fanout_chatd_lost(struct fanout *f)
{
	metric_inc(stats.chatds_lost);
	if (f->lost != NULL) {
		log_warn("chatd_lost", "catch_up_ms=%d", LOST_SINCE_MS);
		uv_timer_start(f->lost, on_chatd_lost, LOST_DELAY_MS, 0);
	}
}
