/*
 * The bus to Redis: what is published, subscribed and commanded, across lost
 * links. A link (bus_link.c) connects and reconnects; this file decides what
 * goes over it again.
 *
 *   publish -> [entries, oldest first] -> command link -> answer: forget it
 *   topics  -> [map] -> subscribing link -> confirmed -> messages
 *
 * A subscribing link can die without a sound, so both ends are tried together:
 * every BEAT_MS the command link publishes to a topic of our own, and a link
 * that does not bring it back within BEAT_LOST_MS is opened anew.
 *
 * Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus.h"
#include "common/bus_link.h"
#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/mem.h"
#include "common/metrics.h"

#define BEAT_MS 2000
#define BEAT_LOST_MS 6000
#define COMMANDS_MAX 100000
#define SUBSCRIBE_BATCH 100

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

struct command {
	struct list link;
	struct bus *bus;       /* borrowed */
	bus_reply_fn *fn;
	void *arg;
	bool failed;           /* never sent: told at the end of the turn */
};

struct bus {
	uv_loop_t *loop;
	struct bus_conf conf;
	struct bus_address address;
	struct bus_link *commands;
	struct bus_link *subs;
	uv_timer_t beat;
	uv_timer_t deferred;   /* failed commands are told from the loop */
	unsigned open_handles;
	bool closing;

	struct list publishes;
	size_t backlog;        /* bytes */
	size_t backlog_len;
	uint64_t lost_since_ms; /* 0: nothing was given up */

	struct list pending;   /* commands on the link */
	struct list failed;
	size_t pending_len;

	struct map topics;
	char *beat_topic;      /* owned */
	uint64_t beat_seen_ms;
	uint64_t beat_run_ms;  /* when on_beat last ran */
	bool subs_told_up;
	uint64_t subs_down_ms;
	size_t unconfirmed;

	struct metric *m_published;
	struct metric *m_lost;
	struct metric *m_errors;
	struct metric *m_reconnects;
	struct metric *m_received;
};

static void send_publishes(struct bus *b);

/* ---- publishing ----------------------------------------------------------- */

static void
publish_end(struct publish *p, bool ok)
{
	struct bus *b = p->bus;

	list_del(&p->link);
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
		/* Loading, read-only or out of memory: this Redis cannot take
		 * it; begin anew, after a pause. */
		p->sent = false;
		metric_inc(p->bus->m_errors);
		log_warn("redis_refused", "command=publish reason=\"%s\"",
		    r->str);
		bus_link_reset(p->bus->commands);
		return;
	}
	metric_inc(p->bus->m_published);
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

static void
send_publishes(struct bus *b)
{
	LIST_FOREACH(link, &b->publishes) {
		struct publish *p = LIST_ENTRY(link, struct publish, link);

		if (!p->sent) {
			publish_send(b, p);
		}
	}
}

/* The backlog is over its bound: give up the oldest that is not on its way. */
static void
shed_publishes(struct bus *b)
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
		shed_publishes(b);
	}
}

size_t
bus_backlog(const struct bus *b)
{
	return b->backlog_len;
}

/* ---- commands ------------------------------------------------------------- */

static void
on_command_reply(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct command *c = privdata;
	redisReply *r = reply;

	(void)ac;
	list_del(&c->link);
	c->bus->pending_len--;
	if (r != NULL && r->type == REDIS_REPLY_ERROR) {
		metric_inc(c->bus->m_errors);
	}
	c->fn(c->arg, r);
	free(c);
}

static void
on_deferred(uv_timer_t *timer)
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
	uv_timer_start(&b->deferred, on_deferred, 0, 0);
}

/* ---- subscriptions -------------------------------------------------------- */

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

static void
on_subs_link(void *arg, bool up)
{
	struct bus *b = arg;

	if (up) {
		metric_inc(b->m_reconnects);
		subscribe_all(b);
		return;
	}
	if (b->subs_told_up) {
		b->subs_told_up = false;
		/* Events may be missing since the last one proven to come. */
		b->subs_down_ms = b->beat_seen_ms;
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
	if (b->subs == NULL) {
		b->subs = bus_link_new(b->loop, &b->address, b->conf.name,
		    on_subs_link, b);
	}
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

/* ---- links and beat ------------------------------------------------------- */

static void
on_commands_link(void *arg, bool up)
{
	struct bus *b = arg;

	if (up) {
		uint64_t since = b->lost_since_ms;

		metric_inc(b->m_reconnects);
		send_publishes(b);
		b->lost_since_ms = 0;
		if (since != 0 && b->conf.on_lost != NULL) {
			b->conf.on_lost(b->conf.arg, clock_mono_ms() - since);
		}
	} else {
		shed_publishes(b);
	}
	if (b->conf.on_link != NULL) {
		b->conf.on_link(b->conf.arg, up);
	}
}

static void
on_beat_reply(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct bus *b = privdata;

	(void)ac;
	if (reply != NULL) {
		bus_link_alive(b->commands);
	}
}

/* Gives up links that stopped answering. Judged only when our own loop kept
 * time: after a pause of ours the answers may still lie in the socket. */
static void
judge_links(struct bus *b, uint64_t now)
{
	bool on_time = now - b->beat_run_ms < 2 * BEAT_MS;

	b->beat_run_ms = now;
	if (!on_time) {
		return;
	}
	if (bus_up(b) && bus_link_silent_ms(b->commands) > BEAT_LOST_MS) {
		log_warn("redis_silent", "link=commands ms=%d", BEAT_LOST_MS);
		bus_link_reset(b->commands);
	}
	if (b->subs_told_up && now - b->beat_seen_ms > BEAT_LOST_MS) {
		log_warn("redis_silent", "link=subscriptions ms=%d",
		    BEAT_LOST_MS);
		bus_link_reset(b->subs);
	}
}

static void
on_beat(uv_timer_t *timer)
{
	struct bus *b = timer->data;
	redisAsyncContext *ac;

	judge_links(b, clock_mono_ms());
	ac = bus_link_context(b->commands);
	if (ac != NULL) {
		(void)redisAsyncCommand(ac, on_beat_reply, b, "PUBLISH %s x",
		    b->beat_topic);
	}
}

static void
metrics_open(struct bus *b)
{
	b->m_published = metric_counter("parley_bus_published_total", NULL,
	    "Events that Redis took");
	b->m_lost = metric_counter("parley_bus_given_up_total", NULL,
	    "Events given up because Redis was away too long");
	b->m_errors = metric_counter("parley_bus_errors_total", NULL,
	    "Error replies of Redis");
	b->m_reconnects = metric_counter("parley_bus_connects_total", NULL,
	    "Links to Redis that came up");
	b->m_received = metric_counter("parley_bus_received_total", NULL,
	    "Events received");
}

static void
beat_topic_open(struct bus *b)
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

struct bus *
bus_new(uv_loop_t *loop, const struct bus_conf *conf)
{
	struct bus *b = mem_zalloc(sizeof(*b));

	b->loop = loop;
	b->conf = *conf;
	list_init(&b->publishes);
	list_init(&b->pending);
	list_init(&b->failed);
	map_init(&b->topics);
	if (!bus_address_parse(conf->url, &b->address)) {
		log_error("bad_redis_url", "setting=redis_url remedy=\"give "
		    "redis://[:password@]host[:port][/db] or "
		    "unix:/path/to/socket\"");
		free(b);
		return NULL;
	}
	metrics_open(b);
	beat_topic_open(b);
	b->subs_down_ms = clock_mono_ms();
	b->beat_run_ms = b->subs_down_ms;
	uv_timer_init(loop, &b->beat);
	uv_timer_init(loop, &b->deferred);
	b->beat.data = b->deferred.data = b;
	b->open_handles = 2;
	uv_timer_start(&b->beat, on_beat, BEAT_MS, BEAT_MS);
	b->commands = bus_link_new(loop, &b->address, conf->name,
	    on_commands_link, b);
	return b;
}

static void
on_handle_closed(uv_handle_t *handle)
{
	struct bus *b = handle->data;

	if (--b->open_handles == 0) {
		free(b);
	}
}

void
bus_free(struct bus **bp)
{
	struct bus *b = *bp;
	struct list *link;
	size_t cursor = 0;
	struct topic *t;

	if (b == NULL) {
		return;
	}
	*bp = NULL;
	memset(&b->conf, 0, sizeof(b->conf));
	bus_link_free(&b->commands);
	bus_link_free(&b->subs);
	on_deferred(&b->deferred);
	while (!list_empty(&b->publishes)) {
		link = b->publishes.next;
		publish_end(LIST_ENTRY(link, struct publish, link), false);
	}
	while ((t = map_next(&b->topics, &cursor, NULL)) != NULL) {
		topic_free(t);
		cursor = 0;
	}
	map_fini(&b->topics);
	free(b->beat_topic);
	bus_address_fini(&b->address);
	uv_close((uv_handle_t *)&b->beat, on_handle_closed);
	uv_close((uv_handle_t *)&b->deferred, on_handle_closed);
}

bool
bus_up(const struct bus *b)
{
	return bus_link_context(b->commands) != NULL;
}

bool
bus_subscriptions_up(const struct bus *b)
{
	return b->subs_told_up;
}
