/*
 * Only a pong counts as life: a client that merely sends may be the buffer of a
 * dead link's proxy.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/watch.h"

#include "common/clock.h"
#include "common/log.h"
#include "gateway/backend.h"
#include "gateway/admission.h"
#include "gateway/conn.h"
#include "gateway/settings.h"
#include "gateway/stats.h"

#define TICK_MS 100
#define REST_MS 100

static void
move_to(struct conn *c, struct list *list, uint64_t delay_ms)
{
	list_del(&c->watch);
	c->watch_due_ms = clock_mono_ms() + delay_ms;
	list_push_back(list, &c->watch);
}

void
watch_idle(struct conn *c)
{
	move_to(c, &c->gw->conns->idle, (uint64_t)settings.ping_interval);
}

void
watch_closing(struct conn *c, uint64_t patience_ms)
{
	move_to(c, &c->gw->conns->closing, patience_ms);
}

void
watch_rest(struct conn *c)
{
	if (!list_linked(&c->rest)) {
		metric_inc(stats.rests);
		c->rest_due_ms = clock_mono_ms() + REST_MS;
		list_push_back(&c->gw->conns->resting, &c->rest);
	}
}

void
conn_pong(struct conn *c)
{
	if (conn_is_open(c)) {
		watch_idle(c);
	}
}

/* The first connection of a list whose time has come; NULL: none. */
static struct conn *
first_due(struct list *list, uint64_t now)
{
	struct conn *c;

	if (list_empty(list)) {
		return NULL;
	}
	c = LIST_ENTRY(list->next, struct conn, watch);
	return c->watch_due_ms <= now ? c : NULL;
}

/* Those of the resting whose time has come go on. */
static void
wake(struct conns *conns, uint64_t now)
{
	while (!list_empty(&conns->resting)) {
		struct conn *c =
		    LIST_ENTRY(conns->resting.next, struct conn, rest);

		if (c->rest_due_ms > now) {
			break;
		}
		list_del(&c->rest);
		backend_pump(c);
	}
}

static void
on_tick(uv_timer_t *timer)
{
	struct conns *conns = timer->data;
	uint64_t now = clock_mono_ms();
	struct conn *c;

	wake(conns, now);
	admission_expire(conns);

	while ((c = first_due(&conns->idle, now)) != NULL) {
		move_to(c, &conns->pinged, (uint64_t)settings.ping_timeout);
		conn_ping(c);
	}
	while ((c = first_due(&conns->pinged, now)) != NULL) {
		/* Moves to the closing list. */
		conn_kill(c, "no pong");
	}
	while ((c = first_due(&conns->closing, now)) != NULL) {
		list_del(&c->watch);
		conn_kill(c, "closing took too long");
	}
}

void
watch_start(struct conns *conns)
{
	uv_timer_init(conns->gw->loop, &conns->timer);
	conns->timer.data = conns;
	uv_timer_start(&conns->timer, on_tick, TICK_MS, TICK_MS);
}

void
watch_stop(struct conns *conns)
{
	uv_timer_stop(&conns->timer);
}
