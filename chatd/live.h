/*
 * live: what the gateways hold at this moment, asked of them over the bus. Redis's
 * own table of subscriptions says who is to be asked, and the answer to the
 * PUBLISH how many that were, so no list of gateways is kept anywhere.
 *
 *   live_ask -> [subscribe answers:<us>, the first time] -> PUBLISH EVENT_ASK
 *     gateways -> PUBLISH answers:<us> ... all here, or LIVE_WAIT_MS over -> fn
 *
 * For operators alone: nothing that people do waits for it. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_LIVE_H
#define CHATD_LIVE_H

#include <stddef.h>
#include <uv.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/uuid.h"

/* Questions at a time; beyond: ERR_OVERLOADED. */
#define LIVE_QUESTIONS_MAX 16
#define LIVE_WAIT_MS 1000
/* Bytes of answers to one question; what comes beyond counts as not come. */
#define LIVE_BYTES_MAX ((size_t)1 << 20)

struct events;
struct live;

/* `list`: `answers` blobs, each a JSON object (gateway/census.h); `missing`
 * gateways did not answer in time. Both nothing unless err is ERR_OK;
 * ERR_UNAVAILABLE: Redis is away. Borrowed for the call. */
typedef void live_fn(void *arg, enum err err, const struct buf *list,
    size_t answers, size_t missing);

struct live *live_new(uv_loop_t *loop, struct events *events);
/* Questions are answered ERR_UNAVAILABLE. Before the events. */
void live_free(struct live **l);

/* `user` NULL: all gateways, what each holds in all. May call back from
 * within. */
void live_ask(struct live *l, const struct uuid *user, live_fn *fn, void *arg);

#endif
