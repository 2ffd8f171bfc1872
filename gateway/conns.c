/*
 * The register of all connections of the process.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/metrics.h"
#include "common/turn.h"
#include "gateway/admission.h"
#include "gateway/conn.h"
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

static void
on_turn_end(void *arg)
{
	struct conns *conns = arg;
	struct list *link;

	while ((link = list_pop_front(&conns->to_flush)) != NULL) {
		conn_flush(LIST_ENTRY(link, struct conn, flush));
	}
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
	list_init(&conns->to_flush);
	metric_gauge_fn("parley_gateway_connections", NULL,
	    "WebSocket connections open now", gauge_open, conns);
	metric_gauge_fn("parley_gateway_sessions", NULL,
	    "Connections that have their user_info", gauge_live, conns);
	metric_gauge_fn("parley_gateway_outbox_bytes", NULL,
	    "Bytes that wait for clients to read", gauge_outbox, conns);
	metric_gauge_fn("parley_gateway_frames_waiting", NULL,
	    "Frames from clients that wait for those before them",
	    gauge_frames, conns);
	admission_init(conns);
	watch_start(conns);
	conns->turn = turn_new(gw->loop);
	turn_add(conns->turn, on_turn_end, conns);
	return conns;
}

static void
on_closed(uv_handle_t *handle)
{
	free(handle->data);
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
}
