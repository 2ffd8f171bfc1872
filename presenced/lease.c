/*
 * lease: see lease.h.
 *
 * The cutoff is taken from the time that the tick brought, not from the clock
 * at the moment the script runs: heartbeats made before the tick are in the
 * book by then, however long Redis may stand still in between.
 *
 * SPDX-License-Identifier: MIT
 */
#include "presenced/lease.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "presenced/contact.h"
#include "presenced/due.h"
#include "presenced/memory.h"
#include "presenced/report.h"
#include "presenced/store.h"

#define TICK_MIN_MS 20
#define TICK_MAX_MS 250

struct lease {
	struct lease_conf conf;
	uv_timer_t timer;
	struct contact contact;
	bool ticking;        /* a tick is out */
	bool sweeping;       /* a sweep is out */
	int64_t cutoff_ms;   /* of the sweep */
	int64_t judged_ms;
	struct metric *m_stalls;
	struct metric *m_expired;
	struct metric *m_ended;
	struct metric *m_online;
	struct metric *m_gateways;
	struct metric *m_reports;
	struct metric *m_due;
};

static void
on_expired(void *arg, enum err e, const struct store_swept *w)
{
	struct lease *l = arg;

	l->sweeping = false;
	if (e != ERR_OK) {
		return;
	}
	metric_add(l->m_expired, w->gateways);
	metric_add(l->m_ended, w->sessions);
	if (w->gateways > 0) {
		log_warn("gateways_expired", "count=%u cause=\"no heartbeat for"
		    " a lease\"", w->gateways);
	}
	if (w->transitions > 0) {
		report_kick(l->conf.report);
	}
	if (w->more) {
		l->sweeping = true;
		store_expire(l->conf.store, l->cutoff_ms, l->judged_ms,
		    on_expired, l);
	}
}

static void
sweep(struct lease *l, const struct store_tick *t)
{
	if (l->sweeping || (t->gateways == 0 && t->dying == 0)) {
		return;
	}
	l->sweeping = true;
	l->cutoff_ms = t->now_ms - l->conf.lease_ms;
	l->judged_ms = t->now_ms;
	store_expire(l->conf.store, l->cutoff_ms, l->judged_ms, on_expired, l);
}

static void
set_gauges(struct lease *l, const struct store_tick *t)
{
	metric_set(l->m_online, (double)t->online);
	metric_set(l->m_gateways, (double)t->gateways);
	metric_set(l->m_reports, (double)t->reports);
	metric_set(l->m_due, (double)t->due);
}

static void
on_tick(void *arg, enum err e, const struct store_tick *t)
{
	struct lease *l = arg;
	int64_t held;

	l->ticking = false;
	if (e != ERR_OK) {
		contact_lost(&l->contact);
		return;
	}
	if (!contact_heard(&l->contact, clock_mono_ms(), t->now_ms)) {
		metric_inc(l->m_stalls);
		log_warn("contact_gap", "cause=\"this process or Redis stood "
		    "still, or Redis's clock jumped\"; leases are judged anew "
		    "after ms=%" PRId64, l->conf.lease_ms);
	}
	held = contact_held_ms(&l->contact);
	set_gauges(l, t);
	if (held >= l->conf.lease_ms) {
		sweep(l, t);
	}
	due_tick(l->conf.due, t, held);
	memory_tick(l->conf.memory, t, held >= l->conf.lease_ms);
	if (t->reports > 0) {
		report_kick(l->conf.report);
	}
}

static void
on_timer(uv_timer_t *timer)
{
	struct lease *l = timer->data;

	if (!l->ticking && store_ready(l->conf.store)) {
		l->ticking = true;
		store_tick(l->conf.store, REPORT_CLAIM_MS, on_tick, l);
	}
}

static uint64_t
tick_period(const struct lease_conf *conf)
{
	int64_t ms = conf->lease_ms;

	if (conf->grace_ms > 0 && conf->grace_ms < ms) {
		ms = conf->grace_ms;
	}
	ms /= 10;
	return (uint64_t)(ms < TICK_MIN_MS ? TICK_MIN_MS
	    : ms > TICK_MAX_MS ? TICK_MAX_MS : ms);
}

static void
metrics_open(struct lease *l)
{
	l->m_stalls = metric_counter("parley_presence_stalls_total", NULL,
	    "Gaps in the contact with Redis after which leases are judged "
	    "anew");
	l->m_expired = metric_counter("parley_presence_leases_expired_total",
	    NULL, "Gateways whose lease ran out");
	l->m_ended = metric_counter("parley_presence_sessions_expired_total",
	    NULL, "Sessions ended because their gateway's lease ran out");
	l->m_online = metric_gauge("parley_presence_users_online", NULL,
	    "Users counted as online, in all presenceds");
	l->m_gateways = metric_gauge("parley_presence_gateways", NULL,
	    "Gateways that hold a lease");
	l->m_reports = metric_gauge("parley_presence_reports_pending", NULL,
	    "Transitions that chatd has not acknowledged");
	l->m_due = metric_gauge("parley_presence_users_in_grace", NULL,
	    "Users without a session whose grace period runs");
}

struct lease *
lease_new(uv_loop_t *loop, const struct lease_conf *conf)
{
	struct lease *l = mem_zalloc(sizeof(*l));
	uint64_t period = tick_period(conf);

	l->conf = *conf;
	contact_init(&l->contact, conf->lease_ms / 2);
	metrics_open(l);
	uv_timer_init(loop, &l->timer);
	l->timer.data = l;
	uv_timer_start(&l->timer, on_timer, period, period);
	return l;
}

static void
on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
lease_free(struct lease **lp)
{
	struct lease *l = *lp;

	if (l == NULL) {
		return;
	}
	*lp = NULL;
	uv_close((uv_handle_t *)&l->timer, on_closed);
}

void
lease_link_lost(struct lease *l)
{
	contact_lost(&l->contact);
}

int64_t
lease_contact_ms(const struct lease *l)
{
	return contact_held_ms(&l->contact);
}
