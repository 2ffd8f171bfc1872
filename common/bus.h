/*
 * The bus: Redis through hiredis on the loop. Up to two links: one for commands
 * and PUBLISH, one for SUBSCRIBE (opened at the first subscription). Each
 * reconnects by itself (50 ms doubling to 2 s, with jitter).
 *
 * A publish is kept until Redis answers and repeated after a reconnect; the
 * backlog is bounded (bytes), and when it overflows the oldest are given up,
 * which on_lost reports once the link is back. Other commands fail with NULL
 * when the link breaks: their callers decide.
 *
 * After a reconnect of the subscribing link all topics are subscribed again;
 * on_subscriptions tells down (at once) and up (when all are confirmed).
 *
 * Commands and publishes are for a master: a replica is refused, and one that is
 * demoted is left within a beat (2 s), or as soon as Sentinels name another;
 * what was published meanwhile counts as given up, and the topics are subscribed
 * anew. Errors about Redis itself
 * (-LOADING, -OOM, ..) are counted by reason in parley_bus_refused_total.
 *
 * Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_BUS_H
#define COMMON_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/attr.h"

struct bus;
struct redisReply;

struct bus_conf {
	/* See bus_address.h. */
	const char *url;
	const char *name;            /* CLIENT SETNAME, for operators */
	size_t backlog_max;          /* bytes of publishes kept while away */
	/* All may be NULL. */
	void (*on_message)(void *arg, const char *topic, size_t topic_len,
	    const uint8_t *data, size_t len);
	/* up false: live events stop now. up true: every subscription is
	 * confirmed again; away_ms is how long events may have been missed. */
	void (*on_subscriptions)(void *arg, bool up, uint64_t away_ms);
	/* The command link came up or went down. */
	void (*on_link)(void *arg, bool up);
	/* Publishes were given up; the earliest was made since_ms ago. */
	void (*on_lost)(void *arg, uint64_t since_ms);
	void *arg;
};

/* `ok` false: given up, or the bus was closed. */
typedef void bus_done_fn(void *arg, bool ok);
/* `reply` NULL: the link broke before an answer, or Redis is away. */
typedef void bus_reply_fn(void *arg, struct redisReply *reply);

/* NULL (and a log_error naming the setting) when the URL is malformed. Connects
 * in the background. */
MUST_CHECK struct bus *bus_new(uv_loop_t *loop, const struct bus_conf *conf);
/* Pending callbacks are called with false or NULL. */
void bus_free(struct bus **b);

/* `done` may be NULL. The data is copied. */
void bus_publish(struct bus *b, const char *topic, const void *data, size_t len,
    bus_done_fn *done, void *arg);
/* Publishes not yet answered by Redis. */
size_t bus_backlog(const struct bus *b);
/* Redis answers, but more waits for it (an eighth of backlog_max) than should be
 * added to. Never when it is away or silent: then nobody is to wait for it. */
bool bus_behind(const struct bus *b);

/* `confirmed` (may be NULL) comes once Redis has confirmed, ok true; when the
 * link is down it comes at once with ok false, the subscription stays wanted.
 * Subscribing a topic twice is an error of the caller. */
void bus_subscribe(struct bus *b, const char *topic, bus_done_fn *confirmed,
    void *arg);
void bus_unsubscribe(struct bus *b, const char *topic);

/* Any command with binary-safe arguments. */
void bus_command(struct bus *b, bus_reply_fn *fn, void *arg, int argc,
    const char **argv, const size_t *argvlen);
bool bus_up(const struct bus *b);
bool bus_subscriptions_up(const struct bus *b);

#endif
