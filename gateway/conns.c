/*
 * The register of all connections of the process.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/turn.h"
#include "gateway/admission.h"
#include "gateway/conn.h"
#include "gateway/stats.h"
#include "gateway/watch.h"

static double
gauge_open(void *arg)
{
	const struct conns *conns = arg;

	return (double)conns->count;
}

static double
gauge_live(void *arg)
{
	const struct conns *conns = arg;

	return (double)conns->live;
}

static double
gauge_outbox(void *arg)
{
	const struct conns *conns = arg;
	size_t bytes = 0;

	LIST_FOREACH(link, &conns->all) {
		bytes += LIST_ENTRY(link, struct conn, link)->out.bytes;
	}
	return (double)bytes;
}

static double
gauge_frames(void *arg)
{
	const struct conns *conns = arg;
	size_t frames = 0;

	LIST_FOREACH(link, &conns->all) {
		frames += LIST_ENTRY(link, struct conn, link)->in.count;
	}
	return (double)frames;
}

static double
gauge_in_turn(void *arg)
{
	const struct conns *conns = arg;
	size_t n = 0;

	LIST_FOREACH(link, &conns->flush.in_turn) {
		n++;
	}
	return (double)n;
}

/* ---- writing as a turn ends ---------------------------------------------- */

/* Does nothing: while it runs the loop polls without sleeping. */
static void
on_awake(uv_idle_t *awake)
{
	(void)awake;
}

static void
flush_one(struct list *link)
{
	conn_flush(LIST_ENTRY(link, struct conn, flush));
}

static void
on_turn_end(void *arg)
{
	struct conns *conns = arg;

	if (flush_run(&conns->flush, flush_one)) {
		uv_idle_start(&conns->awake, on_awake);
	} else {
		uv_idle_stop(&conns->awake);
	}
	if (conns->in_turn_us != 0 && list_empty(&conns->flush.in_turn)) {
		metric_observe_us(stats.in_turn, clock_mono_us() -
		    conns->in_turn_us);
		conns->in_turn_us = 0;
	}
}

void
conns_flush_later(struct conns *conns, struct conn *c, enum flush_when when)
{
	if (when == FLUSH_IN_TURN && conns->in_turn_us == 0) {
		conns->in_turn_us = clock_mono_us();
	}
	flush_add(&conns->flush, &c->flush, when);
}

struct conns *
conns_new(struct gateway *gw)
{
	struct conns *conns = mem_zalloc(sizeof(*conns));

	conns->gw = gw;
	list_init(&conns->all);
	list_init(&conns->idle);
	list_init(&conns->pinged);
	list_init(&conns->closing);
	list_init(&conns->resting);
	flush_init(&conns->flush);
	metric_gauge_fn("parley_gateway_connections", NULL,
	    "WebSocket connections open now", gauge_open, conns);
	metric_gauge_fn("parley_gateway_sessions", NULL,
	    "Connections that have their user_info", gauge_live, conns);
	metric_gauge_fn("parley_gateway_outbox_bytes", NULL,
	    "Bytes that wait for clients to read", gauge_outbox, conns);
	metric_gauge_fn("parley_gateway_frames_waiting", NULL,
	    "Frames from clients that wait for those before them",
	    gauge_frames, conns);
	metric_gauge_fn("parley_gateway_in_turn_waiting", NULL,
	    "Connections that wait for their turn to be written what is for "
	    "many", gauge_in_turn, conns);
	uv_idle_init(gw->loop, &conns->awake);
	conns->awake.data = conns;
	conns->handles = 2;
	admission_init(conns);
	watch_start(conns);
	conns->turn = turn_new(gw->loop);
	turn_add(conns->turn, on_turn_end, conns);
	return conns;
}

static void
on_closed(uv_handle_t *handle)
{
	struct conns *conns = handle->data;

	if (--conns->handles == 0) {
		free(conns);
	}
}

void
conns_free(struct conns **c)
{
	struct conns *conns = *c;

	if (conns == NULL) {
		return;
	}
	assert(list_empty(&conns->all));
	*c = NULL;
	turn_free(&conns->turn);
	watch_stop(conns);
	uv_close((uv_handle_t *)&conns->timer, on_closed);
	uv_close((uv_handle_t *)&conns->awake, on_closed);
}
