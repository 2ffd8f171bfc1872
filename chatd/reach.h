/*
 * reach: whether a message may be told once to all gateways (EVENT_MESSAGE_SPREAD),
 * or must be told to each member's topic, as the release before does it.
 *
 * Gateways that know spreads of messages subscribe to EVENT_TOPIC_SPREADS, all of
 * them to EVENT_TOPIC_GATEWAYS. Redis is asked once a second how many hear each.
 * Until it has answered, and while some gateway hears only the second topic, each
 * member is told by himself: so releases run side by side, in any mix.
 *
 * A gateway of the release before that has just started is noticed within that
 * second. What it missed by then it catches up on: every gateway is told to
 * (events_resync), once the second answer has said the same. The first may have
 * met a gateway between its two subscriptions.
 *
 * Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_REACH_H
#define CHATD_REACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/attr.h"

struct bus;
struct reach;

/* Events of the last since_ms have not reached every gateway. */
typedef void reach_lost_fn(void *arg, uint64_t since_ms);

MUST_CHECK struct reach *reach_new(uv_loop_t *loop, struct bus *bus,
    reach_lost_fn *lost, void *arg);
/* Before the bus is freed. */
void reach_end(struct reach **r);
/* The link to Redis came up (asks at once) or went down (forgets). */
void reach_link(struct reach *r, bool up);
bool reach_all(const struct reach *r);

/* ---- the judgement, without the link: for reach.c and its test ------------- */

struct reach_view {
	bool all;
	bool doubted;      /* the last answer said otherwise, the one before not */
	uint64_t sure_ms;  /* the last answer that said all; 0: none since the
	                    * gateways were last told to catch up */
};

/* Takes an answer of Redis. Returns the ms of events that may be missing at some
 * gateway; 0: none. */
uint64_t reach_judge(struct reach_view *v, int64_t gateways, int64_t spreads,
    uint64_t now_ms);

#endif
