/*
 * What is published to whom. A topic a user: whoever holds sessions of the user
 * is subscribed to it; a publish nobody is subscribed to ends in Redis. The
 * choice of topic is made here and nowhere else in chatd.
 *
 * Publishing never waits and never fails: the bus keeps what Redis has not
 * answered and repeats it; when it had to give something up, or when this
 * process has just started (its predecessor may have died between a commit and
 * its publish), all gateways are told to catch up.
 *
 * Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_EVENTS_H
#define CHATD_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/attr.h"
#include "common/calls.h"

struct bus;
struct events;
struct event_wait;

/* Connects in the background; Redis is declared a need of readiness. NULL (and
 * a log_error) when the URL is malformed. */
MUST_CHECK struct events *events_new(uv_loop_t *loop, const char *redis_url);
/* Waits of event_wait_go end now. */
void events_free(struct events **e);
/* Publishes Redis has not answered yet. */
size_t events_backlog(const struct events *e);
/* Redis is alive, but cannot keep up: what makes further events should wait. */
bool events_behind(const struct events *e);
/* Nothing is to be waited for: all is answered, or Redis is away and the next
 * start makes up for what is lost. */
bool events_settled(const struct events *e);

void events_to_user(struct events *e, const struct uuid *user,
    const struct event *event);
/* The same bytes for several users: put_event them once. */
void events_bytes_to_user(struct events *e, const struct uuid *user,
    const struct buf *bytes);
/* Once for all the users it names, wherever they are: EVENT_SPREAD, or
 * EVENT_MESSAGE_SPREAD while events_reach_all. */
void events_spread(struct events *e, const struct event *event);
/* Whether every gateway knows spreads of messages: see reach.h. */
bool events_reach_all(const struct events *e);
/* What comes for topics that were subscribed (live.c alone does), and whether the
 * subscriptions stand. */
typedef void events_answer_fn(void *arg, const char *topic, size_t topic_len,
    const uint8_t *data, size_t len);
typedef void events_standing_fn(void *arg, bool up);
void events_on_answer(struct events *e, events_answer_fn *fn,
    events_standing_fn *standing, void *arg);
/* The link itself, for questions whose answers come back over it (live.c). */
struct bus *events_bus(struct events *e);
/* Events of the last since_ms may be lost: every gateway catches up. */
void events_resync(struct events *e, uint64_t since_ms);

/* ---- an answer that must come after its causes --------------------------- */

typedef void event_wait_fn(void *arg);

/* Publish with event_wait_to_user, then event_wait_go: `fn` is called when
 * Redis has answered all of it, or after 500 ms, or at once when Redis is away.
 * It is never called from within event_wait_go. */
MUST_CHECK struct event_wait *event_wait_new(struct events *e,
    event_wait_fn *fn, void *arg);
void event_wait_to_user(struct event_wait *w, const struct uuid *user,
    const struct event *event);
/* The same bytes for several users: put_event them once. */
void event_wait_bytes_to_user(struct event_wait *w, const struct uuid *user,
    const struct buf *bytes);
void event_wait_go(struct event_wait *w);

#endif
