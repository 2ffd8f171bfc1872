/*
 * The bus to Redis: what is published, subscribed and commanded, across lost
 * links. A link (bus_link.c) connects and reconnects; bus_publish.c and
 * bus_topics.c decide what goes over it again.
 *
 *   publish -> [entries, oldest first] -> command link -> answer: forget it
 *   topics  -> [map] -> subscribing link -> confirmed -> messages
 *
 * A subscribing link can die without a sound, so both ends are tried together:
 * every BEAT_MS the command link publishes to a topic of our own, and a link
 * that does not bring it back within BEAT_LOST_MS is opened anew.
 *
 * A master that was demoted keeps its connections and takes a PUBLISH, which then
 * reaches nobody who has found the new one. So each beat asks for its role as
 * well; what was published since it was last a master counts as lost.
 *
 * One that is cut off from its replicas thinks itself the master until it sees
 * them again, while they may have another one. Where min-replicas-to-write is set
 * it refuses writes meanwhile: each beat makes one, which changes nothing. A
 * refusal alone is no reason to leave (the replicas may just be down), but from
 * then on it is in doubt, and when it is left what was published since counts as
 * lost too.
 *
 * With sentinel:// the address follows what Sentinels say (bus_sentinel.c).
 *
 * Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus_int.h"
#include "common/bus_sentinel.h"
#include "common/bus_tls.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"

#define BEAT_MS 2000
#define BEAT_LOST_MS 6000

/* ---- links and beat ----------------------------------------------------- */

static void
on_commands_link(void *arg, bool up)
{
	struct bus *b = arg;

	if (up) {
		uint64_t since = b->lost_since_ms;

		metric_inc(b->m_reconnects);
		if (!b->alone) {
			b->master_ms = clock_mono_ms();
		}
		bus_send_publishes(b);
		b->lost_since_ms = 0;
		if (since != 0 && b->conf.on_lost != NULL) {
			b->conf.on_lost(b->conf.arg, clock_mono_ms() - since);
		}
	} else {
		bus_shed_publishes(b);
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
		metric_observe_us(b->m_answered, clock_mono_us() -
		    b->beat_made_us);
	}
}

/* What was published since the other end was a master for sure may have reached
 * nobody. */
static void
doubt_publishes(struct bus *b)
{
	if (b->master_ms != 0 && (b->lost_since_ms == 0 ||
	    b->master_ms < b->lost_since_ms)) {
		b->lost_since_ms = b->master_ms;
	}
}

static void
on_beat_write(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct bus *b = privdata;
	const redisReply *r = reply;

	(void)ac;
	if (r == NULL) {
		return;
	}
	b->alone = r->type == REDIS_REPLY_ERROR &&
	    bus_error(r->str) == BUS_ERROR_ALONE;
	if (b->alone) {
		bus_refused(b, BUS_ERROR_ALONE, "beat", r->str);
	}
}

static void
on_role(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct bus *b = privdata;

	(void)ac;
	if (reply == NULL) {
		return;
	}
	if (!bus_is_no_master(reply)) {
		if (!b->alone) {
			b->master_ms = b->role_asked_ms;
		}
		return;
	}
	doubt_publishes(b);
	bus_refused(b, BUS_ERROR_REPLICA, "role", "it was demoted");
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
		b->beat_made_us = b->beat_sent_us = clock_mono_us();
		b->role_asked_ms = b->beat_made_us / 1000;
		/* A write that changes nothing. */
		(void)redisAsyncCommand(ac, on_beat_write, b, "DEL %s",
		    b->beat_topic);
		(void)redisAsyncCommand(ac, on_role, b, "ROLE");
	}
}

/* ---- by Sentinels -------------------------------------------------------- */

/* The master is at `host` (from now on). The former one, if it lives, may not
 * know yet that it is none. */
static void
on_master(void *arg, const char *host, int port)
{
	struct bus *b = arg;

	free(b->address.host);
	b->address.host = mem_strdup(host);
	b->address.port = port;
	if (b->commands == NULL) {
		b->commands = bus_link_new(b->loop, &b->address, b->conf.name,
		    true, on_commands_link, b);
		bus_topics_connect(b);
		return;
	}
	metric_inc(b->m_moves);
	doubt_publishes(b);
	bus_link_move(b->commands);
	if (b->subs != NULL) {
		bus_link_move(b->subs);
	}
}

/* ---- life ---------------------------------------------------------------- */

static double
gauge_commands(void *arg)
{
	return bus_up(arg) ? 1 : 0;
}

static double
gauge_subscriptions(void *arg)
{
	return bus_subscriptions_up(arg) ? 1 : 0;
}

static double
gauge_sentinels(void *arg)
{
	const struct bus *b = arg;

	return b->sentinels != NULL ? bus_sentinel_connected(b->sentinels) : 0;
}

static void
metrics_open(struct bus *b)
{
	b->m_published = metric_counter("parley_bus_published_total", NULL,
	    "Events that Redis took");
	b->m_lost = metric_counter("parley_bus_given_up_total", NULL,
	    "Events given up because Redis was away too long");
	b->m_errors = metric_counter("parley_bus_errors_total", NULL,
	    "Error replies of Redis and of Sentinels");
	for (int i = 0; i < BUS_ERROR_COUNT; i++) {
		char label[48];

		snprintf(label, sizeof(label), "reason=\"%s\"",
		    bus_error_name((enum bus_error)i));
		b->m_refused[i] = metric_counter("parley_bus_refused_total",
		    label, "Errors of Redis by what they are about");
	}
	b->m_moves = metric_counter("parley_bus_master_changes_total", NULL,
	    "Failovers of Redis that Sentinels told of");
	metric_gauge_fn("parley_bus_sentinels", NULL, "Sentinels that are "
	    "connected to", gauge_sentinels, b);
	metric_set(metric_gauge("parley_bus_sentinels_wanted", NULL,
	    "Sentinels that redis_url names"), b->address.sentinel_count);
	b->m_reconnects = metric_counter("parley_bus_connects_total", NULL,
	    "Links to Redis that came up");
	b->m_received = metric_counter("parley_bus_received_total", NULL,
	    "Events received");
	b->m_publish = metric_latency("parley_bus_publish_seconds", NULL,
	    "From publishing an event to Redis' answer, of one at a time");
	b->m_answered = metric_latency("parley_bus_beat_seconds",
	    "link=\"commands\"", "From publishing a beat, once in 2 s, to "
	    "Redis' answer (commands) and to hearing it (subscriptions)");
	b->m_heard = metric_latency("parley_bus_beat_seconds",
	    "link=\"subscriptions\"", NULL);
	metric_gauge_fn("parley_bus_up", "link=\"commands\"",
	    "1 while the link to Redis is up", gauge_commands, b);
	metric_gauge_fn("parley_bus_up", "link=\"subscriptions\"",
	    "1 while the link to Redis is up", gauge_subscriptions, b);
}

static void
bus_open(struct bus *b)
{
	char *name;

	if (b->address.master == NULL) {
		b->commands = bus_link_new(b->loop, &b->address, b->conf.name,
		    true, on_commands_link, b);
		return;
	}
	name = mem_sprintf("%s-sentinel", b->conf.name);
	b->sentinels = bus_sentinel_new(b->loop, &b->address, name, on_master,
	    b);
	free(name);
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
		    BUS_URL_FORMS "\"");
		free(b);
		return NULL;
	}
	metrics_open(b);
	bus_topics_open(b);
	b->subs_down_ms = clock_mono_ms();
	b->beat_run_ms = b->subs_down_ms;
	uv_timer_init(loop, &b->beat);
	uv_timer_init(loop, &b->deferred);
	b->beat.data = b->deferred.data = b;
	b->open_handles = 2;
	uv_timer_start(&b->beat, on_beat, BEAT_MS, BEAT_MS);
	bus_open(b);
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

	if (b == NULL) {
		return;
	}
	*bp = NULL;
	memset(&b->conf, 0, sizeof(b->conf));
	bus_sentinel_free(&b->sentinels);
	bus_link_free(&b->commands);
	bus_link_free(&b->subs);
	bus_drop_pending(b);
	bus_topics_fini(b);
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
