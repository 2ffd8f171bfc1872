/*
 * memory: who is online, as this process remembers it, for the day when Redis
 * forgets. It learns the book by one scan and from then on by the log of
 * transitions. When the book turns out to be a new one, what was remembered is
 * kept until everyone had a lease's time to be registered again, and then
 * settled: who is still missing is reported Offline, as of the last moment the
 * old book was seen.
 *
 *   EMPTY -> tick -> SCANNING -> all read -> CURRENT (following the log)
 *               ^                                | gap in the log
 *               +--------------------------------+
 *   another epoch, from any state: all remembered moves to `before`; SCANNING
 *
 * Bounded: MEMORY_USERS_MAX; users beyond are not remembered. Loop's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PRESENCED_MEMORY_H
#define PRESENCED_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/uuid.h"

struct memory;
struct report;
struct store;
struct store_tick;

#define MEMORY_USERS_MAX 1000000

/* Borrows both. */
MUST_CHECK struct memory *memory_new(struct store *s, struct report *r,
    int64_t lease_ms);
/* After the store was freed. */
void memory_free(struct memory **m);
/* `may_judge`: the contact with Redis has lasted a full lease. */
void memory_tick(struct memory *m, const struct store_tick *t, bool may_judge);
/* Whether we remember the user as online, now or before the loss. */
bool memory_knows(const struct memory *m, const struct uuid *user);
size_t memory_users(const struct memory *m);
/* Those from before a loss that are not settled yet. */
size_t memory_unsettled(const struct memory *m);

#endif
