/*
 * Redis' Sentinels, asked who the master is. See bus_sentinel.h.
 *
 *   every ASK_MS, on each link that is up:
 *     SENTINEL get-master-addr-by-name NAME  -> where
 *     SENTINEL MASTER NAME                   -> config-epoch
 *   of what each last said, the highest epoch is the master
 *
 * The first question is the one clients are meant to ask: during a failover it
 * is answered with the promoted replica before the second one is. An answer is
 * kept when its Sentinel goes away, so that the epoch never falls because those
 * who know better cannot be reached.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/bus_sentinel.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus_address.h"
#include "common/bus_link.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"

#define ASK_MS 1000
/* One that does not answer for so long is connected to anew. */
#define SILENT_MS 3000
/* The same complaint about a Sentinel is logged once in so long. */
#define COMPLAINT_MS 30000

struct watch {
	struct bus_sentinel *owner;  /* borrowed */
	struct bus_address address;  /* of this Sentinel */
	struct bus_link *link;       /* owned */
	char *asked_host;            /* owned; of the answer under way */
	int asked_port;
	char *host;                  /* owned; what it last said; NULL: nothing */
	int port;
	uint64_t epoch;
	uint64_t complained_ms;
};

struct bus_sentinel {
	char *master;                /* owned; the name that is asked for */
	bus_master_fn *fn;
	void *arg;
	uv_timer_t timer;
	struct watch watches[BUS_SENTINELS_MAX];
	unsigned count;
	const struct watch *told;    /* whose word was last passed on */
	char *host;                  /* owned; the master as passed on, or NULL */
	int port;
	struct metric *m_errors;
};

/* ---- judging ------------------------------------------------------------ */

static void
pass_on(struct bus_sentinel *s, const struct watch *w)
{
	log_info("redis_master", "server=%s:%d was=%s:%d epoch=%" PRIu64
	    " sentinel=%s:%d", w->host, w->port,
	    s->host != NULL ? s->host : "", s->port, w->epoch,
	    w->address.host, w->address.port);
	free(s->host);
	s->host = mem_strdup(w->host);
	s->port = w->port;
	s->fn(s->arg, s->host, s->port);
}

/* The one in force wins a tie: Sentinels may know one server by two names. */
static void
judge(struct bus_sentinel *s)
{
	const struct watch *best = s->told;

	for (unsigned i = 0; i < s->count; i++) {
		const struct watch *w = &s->watches[i];

		if (w->host != NULL && (best == NULL ||
		    w->epoch > best->epoch)) {
			best = w;
		}
	}
	if (best == NULL) {
		return;
	}
	s->told = best;
	if (s->host == NULL || s->port != best->port ||
	    strcmp(s->host, best->host) != 0) {
		pass_on(s, best);
	}
}

/* ---- asking ------------------------------------------------------------- */

static void
complain(struct watch *w, const char *reason)
{
	uint64_t now = clock_mono_ms();

	metric_inc(w->owner->m_errors);
	if (w->complained_ms != 0 && now - w->complained_ms < COMPLAINT_MS) {
		return;
	}
	w->complained_ms = now;
	log_warn("sentinel_refused", "sentinel=%s:%d reason=\"%s\" "
	    "remedy=\"check the master's name in redis_url\"",
	    w->address.host, w->address.port, reason);
}

/* [host, port], or nil where it knows no such master. */
static void
on_where(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct watch *w = privdata;
	const redisReply *r = reply;

	(void)ac;
	free(w->asked_host);
	w->asked_host = NULL;
	if (r == NULL || r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
	    r->element[0]->type != REDIS_REPLY_STRING ||
	    r->element[1]->type != REDIS_REPLY_STRING) {
		return;
	}
	w->asked_host = mem_strdup(r->element[0]->str);
	w->asked_port = atoi(r->element[1]->str);
}

/* Names and values by turns. */
static bool
read_epoch(const redisReply *r, uint64_t *epoch_r)
{
	for (size_t i = 0; r->type == REDIS_REPLY_ARRAY && i + 1 < r->elements;
	    i += 2) {
		const redisReply *name = r->element[i];
		const redisReply *value = r->element[i + 1];

		if (name->type == REDIS_REPLY_STRING &&
		    value->type == REDIS_REPLY_STRING &&
		    strcmp(name->str, "config-epoch") == 0) {
			*epoch_r = strtoull(value->str, NULL, 10);
			return true;
		}
	}
	return false;
}

static void
on_epoch(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct watch *w = privdata;
	const redisReply *r = reply;
	uint64_t epoch;

	(void)ac;
	if (r == NULL) {
		return;
	}
	bus_link_alive(w->link);
	if (r->type == REDIS_REPLY_ERROR) {
		complain(w, r->str);
		return;
	}
	if (w->asked_host == NULL || w->asked_port < 1 ||
	    w->asked_port > 65535 || !read_epoch(r, &epoch)) {
		complain(w, "its answer is not to be understood");
		return;
	}
	free(w->host);
	w->host = w->asked_host;
	w->asked_host = NULL;
	w->port = w->asked_port;
	w->epoch = epoch;
	judge(w->owner);
}

static void
ask(struct watch *w)
{
	redisAsyncContext *ac = bus_link_context(w->link);

	if (ac != NULL) {
		(void)redisAsyncCommand(ac, on_where, w,
		    "SENTINEL get-master-addr-by-name %s", w->owner->master);
		(void)redisAsyncCommand(ac, on_epoch, w, "SENTINEL MASTER %s",
		    w->owner->master);
	}
}

static void
on_link(void *arg, bool up)
{
	if (up) {
		ask(arg);
	}
}

static void
on_timer(uv_timer_t *timer)
{
	struct bus_sentinel *s = timer->data;

	for (unsigned i = 0; i < s->count; i++) {
		struct watch *w = &s->watches[i];

		if (bus_link_context(w->link) != NULL &&
		    bus_link_silent_ms(w->link) > SILENT_MS) {
			bus_link_reset(w->link);
		}
		ask(w);
	}
}

/* ---- life --------------------------------------------------------------- */

unsigned
bus_sentinel_connected(const struct bus_sentinel *s)
{
	unsigned up = 0;

	for (unsigned i = 0; i < s->count; i++) {
		up += bus_link_context(s->watches[i].link) != NULL;
	}
	return up;
}

static char *
copy(const char *text)
{
	return text != NULL ? mem_strdup(text) : NULL;
}

struct bus_sentinel *
bus_sentinel_new(uv_loop_t *loop, const struct bus_address *a,
    const char *name, bus_master_fn *fn, void *arg)
{
	struct bus_sentinel *s = mem_zalloc(sizeof(*s));

	s->master = mem_strdup(a->master);
	s->fn = fn;
	s->arg = arg;
	s->count = a->sentinel_count;
	s->m_errors = metric_counter("parley_bus_errors_total", NULL, NULL);
	for (unsigned i = 0; i < s->count; i++) {
		struct watch *w = &s->watches[i];

		w->owner = s;
		w->address = (struct bus_address){
			.host = mem_strdup(a->sentinels[i].host),
			.port = a->sentinels[i].port, .user = copy(a->user),
			.password = copy(a->password), .tls = a->tls };
		w->link = bus_link_new(loop, &w->address, name, false,
		    on_link, w);
	}
	uv_timer_init(loop, &s->timer);
	s->timer.data = s;
	uv_timer_start(&s->timer, on_timer, ASK_MS, ASK_MS);
	return s;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
bus_sentinel_free(struct bus_sentinel **sp)
{
	struct bus_sentinel *s = *sp;

	if (s == NULL) {
		return;
	}
	*sp = NULL;
	for (unsigned i = 0; i < s->count; i++) {
		struct watch *w = &s->watches[i];

		bus_link_free(&w->link);
		bus_address_fini(&w->address);
		free(w->host);
		free(w->asked_host);
	}
	free(s->master);
	free(s->host);
	uv_close((uv_handle_t *)&s->timer, on_timer_closed);
}
