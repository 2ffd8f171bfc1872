/*
 * One question a second, and what its answers mean.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/reach.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus.h"
#include "common/calls.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"

#define ASK_MS 1000
/* What was on its way when the last good answer was given. */
#define SINCE_MARGIN_MS 2000

struct reach {
	struct bus *bus;        /* borrowed; NULL: ended */
	uv_timer_t timer;
	bool asking;            /* Redis owes an answer */
	bool closed;            /* the timer is */
	struct reach_view view;
	bool logged_all;
	reach_lost_fn *lost;
	void *arg;
};

uint64_t
reach_judge(struct reach_view *v, int64_t gateways, int64_t spreads,
    uint64_t now_ms)
{
	uint64_t since = v->sure_ms;
	bool again = v->doubted;

	v->all = spreads >= gateways;
	if (v->all) {
		v->doubted = false;
		v->sure_ms = now_ms;
		return 0;
	}
	v->doubted = true;
	if (!again || since == 0) {
		return 0;
	}
	v->sure_ms = 0;
	return now_ms - since + SINCE_MARGIN_MS;
}

/* ---- asking -------------------------------------------------------------- */

/* When both the timer is closed and Redis owes nothing. */
static void
free_ended(struct reach *r)
{
	if (r->closed && !r->asking) {
		free(r);
	}
}

static int64_t
count_of(const redisReply *reply, const char *topic)
{
	for (size_t i = 0; i + 1 < reply->elements; i += 2) {
		const redisReply *name = reply->element[i];

		if (name->str != NULL && strcmp(name->str, topic) == 0) {
			return reply->element[i + 1]->integer;
		}
	}
	return 0;
}

static void
log_change(struct reach *r)
{
	if (r->view.all != r->logged_all) {
		r->logged_all = r->view.all;
		log_info("message_spreads", "on=%d", r->view.all ? 1 : 0);
	}
}

static void
on_counted(void *arg, redisReply *reply)
{
	struct reach *r = arg;
	uint64_t since;

	r->asking = false;
	if (r->bus == NULL) {
		free_ended(r);
		return;
	}
	if (reply == NULL || reply->type != REDIS_REPLY_ARRAY) {
		r->view.all = false;
		return;
	}
	since = reach_judge(&r->view, count_of(reply, EVENT_TOPIC_GATEWAYS),
	    count_of(reply, EVENT_TOPIC_SPREADS), clock_mono_ms());
	log_change(r);
	if (since > 0) {
		r->lost(r->arg, since);
	}
}

static void
ask(struct reach *r)
{
	const char *argv[] = { "PUBSUB", "NUMSUB", EVENT_TOPIC_GATEWAYS,
		EVENT_TOPIC_SPREADS };
	size_t lens[4];

	if (r->asking || !bus_up(r->bus)) {
		return;
	}
	for (unsigned i = 0; i < 4; i++) {
		lens[i] = strlen(argv[i]);
	}
	r->asking = true;
	bus_command(r->bus, on_counted, r, 4, argv, lens);
}

static void
on_timer(uv_timer_t *timer)
{
	ask(timer->data);
}

void
reach_link(struct reach *r, bool up)
{
	if (up) {
		ask(r);
	} else {
		r->view.all = false;
	}
}

bool
reach_all(const struct reach *r)
{
	return r->view.all;
}

/* ---- life ---------------------------------------------------------------- */

static double
gauge_all(void *arg)
{
	return reach_all(arg) ? 1 : 0;
}

struct reach *
reach_new(uv_loop_t *loop, struct bus *bus, reach_lost_fn *lost, void *arg)
{
	struct reach *r = mem_zalloc(sizeof(*r));

	r->bus = bus;
	r->lost = lost;
	r->arg = arg;
	uv_timer_init(loop, &r->timer);
	r->timer.data = r;
	uv_timer_start(&r->timer, on_timer, ASK_MS, ASK_MS);
	metric_gauge_fn("parley_chatd_message_spreads", NULL,
	    "1 while messages to large groups are told once to all gateways; "
	    "0: to each member, since a gateway may not know of that", gauge_all,
	    r);
	return r;
}

static void
on_closed(uv_handle_t *handle)
{
	struct reach *r = handle->data;

	r->closed = true;
	free_ended(r);
}

void
reach_end(struct reach **rp)
{
	struct reach *r = *rp;

	*rp = NULL;
	if (r != NULL) {
		r->bus = NULL;
		uv_close((uv_handle_t *)&r->timer, on_closed);
	}
}
