/*
 * A queue and a count; see admission.h for why.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/admission.h"

#include "common/clock.h"
#include "common/list.h"
#include "common/metrics.h"
#include "gateway/conn.h"
#include "gateway/opening.h"
#include "gateway/settings.h"
#include "gateway/stats.h"

static double
gauge_open(void *arg)
{
	return (double)((struct conns *)arg)->admitted;
}

static double
gauge_waiting(void *arg)
{
	return (double)((struct conns *)arg)->waiting_len;
}

void
admission_init(struct conns *conns)
{
	list_init(&conns->waiting);
	metric_gauge_fn("parley_gateway_openings", NULL,
	    "Connections on the way to their user_info", gauge_open, conns);
	metric_gauge_fn("parley_gateway_openings_waiting", NULL,
	    "Connections that wait for their turn", gauge_waiting, conns);
}

static void
unwait(struct conn *c)
{
	if (list_linked(&c->turn)) {
		list_del(&c->turn);
		c->gw->conns->waiting_len--;
	}
}

static void
admit(struct conn *c)
{
	c->admitted = true;
	c->gw->conns->admitted++;
	opening_begin(c);
}

void
admission_enter(struct conn *c)
{
	struct conns *conns = c->gw->conns;

	if (conns->admitted < (size_t)settings.openings_max &&
	    list_empty(&conns->waiting)) {
		admit(c);
		return;
	}
	list_push_back(&conns->waiting, &c->turn);
	conns->waiting_len++;
	metric_inc(stats.openings_delayed);
}

void
admission_leave(struct conn *c)
{
	struct conns *conns = c->gw->conns;

	unwait(c);
	if (!c->admitted) {
		return;
	}
	c->admitted = false;
	conns->admitted--;
	while (conns->admitted < (size_t)settings.openings_max &&
	    !list_empty(&conns->waiting)) {
		struct conn *next = LIST_ENTRY(conns->waiting.next,
		    struct conn, turn);

		unwait(next);
		admit(next);
	}
}

void
admission_expire(struct conns *conns)
{
	uint64_t now = clock_mono_ms();

	while (!list_empty(&conns->waiting)) {
		struct conn *c = LIST_ENTRY(conns->waiting.next, struct conn,
		    turn);

		if (now - c->opened_ms < (uint64_t)settings.opening_wait) {
			return;
		}
		metric_inc(stats.openings_expired);
		conn_close(c, 1013, "Over capacity"); /* leaves the list */
	}
}
