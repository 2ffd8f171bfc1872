/*
 * Topics of the bus: which are wanted, which Redis has confirmed, and how they
 * come back after a lost link.
 *
 *   WAITING --link up--> SUBSCRIBING --confirmed--> SUBSCRIBED
 *      ^                     ^                          | left
 *      +---- link down ------+------ UNSUBSCRIBING <----+
 *
 * SPDX-License-Identifier: MIT
 */
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus_int.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"

#define SUBSCRIBE_BATCH 100

enum topic_state {
	TOPIC_WAITING,       /* wanted; the link is down */
	TOPIC_SUBSCRIBING,   /* asked, not confirmed */
	TOPIC_SUBSCRIBED,
	TOPIC_UNSUBSCRIBING, /* asked; Redis has not answered */
};

struct topic {
	struct uuid key;
	struct bus *bus;       /* borrowed */
	enum topic_state state;
	bool wanted;           /* also while unsubscribing: subscribe again */
	bool counted;          /* among those a reconnect waits for */
	bus_done_fn *confirmed;
	void *arg;
	char *name;            /* owned */
};

/* ---- subscriptions ------------------------------------------------------ */

static struct uuid
topic_key(const char *name, size_t len)
{
	struct uuid key;

	crypto_generichash(key.b, sizeof(key.b), (const uint8_t *)name, len,
	    NULL, 0);
	return key;
}

static void
topic_free(struct topic *t)
{
	map_del(&t->bus->topics, &t->key);
	free(t->name);
	free(t);
}

static void
topic_tell(struct topic *t, bool ok)
{
	bus_done_fn *fn = t->confirmed;

	t->confirmed = NULL;
	if (fn != NULL) {
		fn(t->arg, ok);
	}
}

static void
subs_check_up(struct bus *b)
{
	uint64_t now = clock_mono_ms();

	if (b->subs_told_up || b->unconfirmed > 0 ||
	    bus_link_context(b->subs) == NULL) {
		return;
	}
	b->subs_told_up = true;
	b->beat_seen_ms = now;
	if (b->conf.on_subscriptions != NULL) {
		b->conf.on_subscriptions(b->conf.arg, true,
		    now - b->subs_down_ms);
	}
}

static void topic_send(struct bus *b, struct topic *t, const char *command);

static void
topic_confirmed(struct bus *b, struct topic *t)
{
	if (t->counted) {
		t->counted = false;
		b->unconfirmed--;
	}
	if (t->wanted) {
		t->state = TOPIC_SUBSCRIBED;
		topic_tell(t, true);
	} else {
		t->state = TOPIC_UNSUBSCRIBING;
		topic_send(b, t, "UNSUBSCRIBE");
	}
	subs_check_up(b);
}

static void
topic_left(struct bus *b, struct topic *t)
{
	if (t->wanted) {
		t->state = TOPIC_SUBSCRIBING;
		topic_send(b, t, "SUBSCRIBE");
	} else {
		topic_free(t);
	}
}

static void
on_message(struct bus *b, const redisReply *topic, const redisReply *data)
{
	if (strcmp(topic->str, b->beat_topic) == 0) {
		b->beat_seen_ms = clock_mono_ms();
		if (b->beat_sent_us != 0) {
			metric_observe_us(b->m_heard, clock_mono_us() -
			    b->beat_sent_us);
			b->beat_sent_us = 0;
		}
		return;
	}
	metric_inc(b->m_received);
	if (b->conf.on_message != NULL) {
		b->conf.on_message(b->conf.arg, topic->str, topic->len,
		    (const uint8_t *)data->str, data->len);
	}
}

/* hiredis keeps one callback a channel, and forgets it when Redis confirms an
 * UNSUBSCRIBE; so a topic is never subscribed while it is being left. */
static void
on_sub_reply(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct bus *b = privdata;
	redisReply *r = reply;
	struct topic *t;
	struct uuid key;

	(void)ac;
	if (r == NULL || r->type != REDIS_REPLY_ARRAY || r->elements < 3 ||
	    r->element[0]->str == NULL || r->element[1]->str == NULL) {
		return;
	}
	if (strcmp(r->element[0]->str, "message") == 0) {
		if (r->element[2]->str != NULL) {
			on_message(b, r->element[1], r->element[2]);
		}
		return;
	}
	key = topic_key(r->element[1]->str, r->element[1]->len);
	t = map_get(&b->topics, &key);
	if (t == NULL) {
		return;
	}
	if (t->state == TOPIC_SUBSCRIBING) {
		topic_confirmed(b, t);
	} else if (t->state == TOPIC_UNSUBSCRIBING) {
		topic_left(b, t);
	}
}

static void
topic_send(struct bus *b, struct topic *t, const char *command)
{
	redisAsyncContext *ac = bus_link_context(b->subs);
	const char *argv[2] = { command, t->name };
	const size_t lens[2] = { strlen(command), strlen(t->name) };

	if (ac != NULL) {
		(void)redisAsyncCommandArgv(ac, on_sub_reply, b, 2, argv, lens);
	}
}

/* Subscribes all wanted topics on a fresh link, many to a command. */
static void
subscribe_all(struct bus *b)
{
	redisAsyncContext *ac = bus_link_context(b->subs);
	const char *argv[SUBSCRIBE_BATCH + 1] = { "SUBSCRIBE" };
	size_t lens[SUBSCRIBE_BATCH + 1] = { 9 };
	size_t cursor = 0;
	struct topic *t;
	int n = 1;

	while ((t = map_next(&b->topics, &cursor, NULL)) != NULL) {
		t->state = TOPIC_SUBSCRIBING;
		if (!t->counted) {
			t->counted = true;
			b->unconfirmed++;
		}
		argv[n] = t->name;
		lens[n] = strlen(t->name);
		if (++n == SUBSCRIBE_BATCH + 1) {
			(void)redisAsyncCommandArgv(ac, on_sub_reply, b, n,
			    argv, lens);
			n = 1;
		}
	}
	if (n > 1) {
		(void)redisAsyncCommandArgv(ac, on_sub_reply, b, n, argv, lens);
	}
}

/* The link is gone: nothing is confirmed any more. */
static void
topics_down(struct bus *b)
{
	struct list unwanted = LIST_INIT(unwanted);
	size_t cursor = 0;
	struct topic *t;

	b->unconfirmed = 0;
	while ((t = map_next(&b->topics, &cursor, NULL)) != NULL) {
		t->state = TOPIC_WAITING;
		t->counted = false;
		if (!t->wanted) {
			topic_free(t);
			cursor = 0;
		}
	}
	cursor = 0;
	while ((t = map_next(&b->topics, &cursor, NULL)) != NULL) {
		if (t->confirmed != NULL) {
			topic_tell(t, false);
			cursor = 0;
		}
	}
}

void
bus_on_subs_link(void *arg, bool up)
{
	struct bus *b = arg;

	if (up) {
		metric_inc(b->m_reconnects);
		subscribe_all(b);
		return;
	}
	if (b->subs_told_up) {
		b->subs_told_up = false;
		/* Events may be missing since the last one proven to come, and
		 * since those who publish may have had another master. */
		b->subs_down_ms = b->beat_seen_ms < b->master_ms
		    ? b->beat_seen_ms : b->master_ms;
		if (b->conf.on_subscriptions != NULL) {
			b->conf.on_subscriptions(b->conf.arg, false, 0);
		}
	}
	topics_down(b);
}

static struct topic *
topic_new(struct bus *b, const struct uuid *key, const char *name)
{
	struct topic *t = mem_zalloc(sizeof(*t));

	t->key = *key;
	t->bus = b;
	t->name = mem_strdup(name);
	t->wanted = true;
	map_put(&b->topics, key, t);
	return t;
}

void
bus_topics_connect(struct bus *b)
{
	/* Sentinels may not have told yet where the master is. */
	if (b->subs_wanted && b->subs == NULL && b->commands != NULL) {
		b->subs = bus_link_new(b->loop, &b->address, b->conf.name,
		    false, bus_on_subs_link, b);
	}
}

void
bus_subscribe(struct bus *b, const char *name, bus_done_fn *confirmed,
    void *arg)
{
	struct uuid key = topic_key(name, strlen(name));
	struct topic *t = map_get(&b->topics, &key);

	if (t == NULL) {
		t = topic_new(b, &key, name);
		t->state = TOPIC_WAITING;
	}
	t->wanted = true;
	t->confirmed = confirmed;
	t->arg = arg;
	b->subs_wanted = true;
	bus_topics_connect(b);
	if (bus_link_context(b->subs) == NULL) {
		topic_tell(t, false);
	} else if (t->state == TOPIC_WAITING) {
		t->state = TOPIC_SUBSCRIBING;
		topic_send(b, t, "SUBSCRIBE");
	}
}

void
bus_unsubscribe(struct bus *b, const char *name)
{
	struct uuid key = topic_key(name, strlen(name));
	struct topic *t = map_get(&b->topics, &key);

	if (t == NULL) {
		return;
	}
	t->wanted = false;
	t->confirmed = NULL;
	if (t->state == TOPIC_SUBSCRIBED) {
		t->state = TOPIC_UNSUBSCRIBING;
		topic_send(b, t, "UNSUBSCRIBE");
	} else if (t->state == TOPIC_WAITING) {
		topic_free(t);
	}
}

void
bus_topics_open(struct bus *b)
{
	struct uuid id = uuid_v4();
	struct uuid key;
	char text[UUID_TEXT_LEN + 1];
	struct topic *t;

	b->beat_topic = mem_sprintf("beat:%s", uuid_format(&id, text));
	key = topic_key(b->beat_topic, strlen(b->beat_topic));
	t = topic_new(b, &key, b->beat_topic);
	t->state = TOPIC_WAITING;
}

void
bus_topics_fini(struct bus *b)
{
	size_t cursor = 0;
	struct topic *t;

	while ((t = map_next(&b->topics, &cursor, NULL)) != NULL) {
		topic_free(t);
		cursor = 0;
	}
	map_fini(&b->topics);
	free(b->beat_topic);
}
