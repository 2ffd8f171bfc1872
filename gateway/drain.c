/*
 *   CLOSING: a share of the connections each tick
 *   LEAVING: all are told; their sockets go, marks and changes are taken
 *
 * The skeleton ends the process after drain_timeout in any case.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/drain.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/conn.h"
#include "gateway/presence.h"
#include "gateway/receipts.h"
#include "gateway/server.h"
#include "gateway/settings.h"

#define TICK_MS 50
/* For the sockets to go, requests to come on those that were taken last, and the
 * last reports to be taken. */
#define LEAVE_TIME_MS 1500

struct drain {
	struct gateway *gw;   /* borrowed */
	void (*done)(void);
	uv_timer_t timer;
	uint64_t started_ms;
	uint64_t told_ms;     /* all were told; 0: not yet */
};

static struct drain *drain;

/* Ends the session now, or when its request has been answered. */
static void
tell(struct conn *c)
{
	if (conn_asks(c)) {
		c->drain_due = true;
	} else {
		conn_close(c, 1012, "Gateway restarting");
	}
}

/* Tells so many of those not told that the rest fits the remaining time. */
static void
tell_share(struct drain *d)
{
	uint64_t passed = clock_mono_ms() - d->started_ms;
	uint64_t spread = (uint64_t)settings.drain_spread;
	size_t left = 0;
	size_t share;

	LIST_FOREACH(link, &d->gw->conns->all) {
		struct conn *c = LIST_ENTRY(link, struct conn, link);

		left += conn_is_open(c) && !c->drain_due;
	}
	if (left == 0) {
		d->told_ms = clock_mono_ms();
		return;
	}
	share = passed + TICK_MS >= spread ? left
	    : (size_t)(left * TICK_MS / (spread - passed)) + 1;
	LIST_FOREACH_SAFE(link, next, &d->gw->conns->all) {
		struct conn *c = LIST_ENTRY(link, struct conn, link);

		if (share > 0 && conn_is_open(c) && !c->drain_due) {
			share--;
			tell(c);
		}
	}
}

static bool
nothing_left(const struct drain *d)
{
	return !server_listens(d->gw->server) &&
	    server_sockets(d->gw->server) == 0 &&
	    d->gw->conns->count == 0 &&
	    presence_pending(d->gw->presence) == 0 &&
	    receipts_pending(d->gw->receipts) == 0;
}

static bool
any_open(const struct drain *d)
{
	LIST_FOREACH(link, &d->gw->conns->all) {
		if (conn_is_open(LIST_ENTRY(link, struct conn, link))) {
			return true;
		}
	}
	return false;
}

static void
on_tick(uv_timer_t *timer)
{
	struct drain *d = timer->data;

	if (d->told_ms == 0) {
		tell_share(d);
		return;
	}
	if (any_open(d) || d->gw->requests > 0) {
		/* Some still wait for an answer, which has its own timeout. */
		d->told_ms = clock_mono_ms();
		return;
	}
	if (nothing_left(d) ||
	    clock_mono_ms() - d->told_ms > LEAVE_TIME_MS) {
		uv_timer_stop(timer);
		d->done();
	}
}

void
drain_start(struct gateway *gw, void (*done)(void))
{
	if (drain != NULL) {
		return;
	}
	drain = mem_zalloc(sizeof(*drain));
	drain->gw = gw;
	drain->done = done;
	drain->started_ms = clock_mono_ms();
	gw->draining = true;
	server_stop_listening(gw->server);
	log_info("drain", "connections=%zu", gw->conns->count);
	uv_timer_init(gw->loop, &drain->timer);
	drain->timer.data = drain;
	uv_timer_start(&drain->timer, on_tick, 0, TICK_MS);
}

static void
on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
drain_free(void)
{
	if (drain != NULL) {
		uv_close((uv_handle_t *)&drain->timer, on_closed);
		drain = NULL;
	}
}
