/*
 * Who is online: asked of presenced, all questions of one turn of the loop in
 * one call. presenced away, or slow beyond presence_timeout: everyone reads
 * Offline. Statuses are never a reason to fail a request.
 *
 * And what was told of it: presenced repeats a change until it is acknowledged,
 * also to a chatd that has published it already.
 *
 * Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_PRESENCE_H
#define CHATD_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/attr.h"
#include "common/uuid.h"

struct presence;
struct turn;

/* `online[i]` belongs to the i-th id asked about. Borrowed for the call. */
typedef void presence_fn(void *arg, const bool *online);

/* NULL (and a log_error) when an address is malformed. */
MUST_CHECK struct presence *presence_new(uv_loop_t *loop, struct turn *turn,
    const char *addresses, int64_t timeout_ms);
/* Questions not yet answered are answered: Offline. */
void presence_close(struct presence *p);
void presence_free(struct presence **p);

/* Never calls back from within, unless closed. The ids are copied. */
void presence_ask(struct presence *p, const struct uuid *ids, size_t n,
    presence_fn *fn, void *arg);
/* In a presence_fn: whether a presenced said so. Else who reads Offline may as
 * well be online. */
bool presence_is_known(const struct presence *p);

/* Whether this process has not yet told this change of the user; from now on it
 * has. What it has told is remembered within a bound: the worst that follows is
 * news told twice. */
MUST_CHECK bool presence_is_news(struct presence *p, const struct uuid *user,
    uint64_t version);

#endif
