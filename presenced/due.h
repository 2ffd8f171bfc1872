/*
 * due: the grace period. A user whose last session ended stays online until the
 * grace is over; a session that comes back in time cancels it without a word.
 *
 * Loop's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PRESENCED_DUE_H
#define PRESENCED_DUE_H

#include <stdint.h>

#include "common/attr.h"

struct due;
struct report;
struct store;
struct store_tick;

/* Borrows both. */
MUST_CHECK struct due *due_new(struct store *s, struct report *r,
    int64_t lease_ms, int64_t grace_ms);
/* After the store was freed. */
void due_free(struct due **d);
/* `held_ms`: for how long the contact with Redis has been unbroken. */
void due_tick(struct due *d, const struct store_tick *t, int64_t held_ms);

#endif
