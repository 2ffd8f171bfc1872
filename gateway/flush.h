/*
 * flush: whose outbox is written as a turn of the loop ends, and in which order.
 *
 *   FLUSH_SOON     [ c c ]            all of them, every turn
 *   FLUSH_IN_TURN  [ c c c c c c c ]  a slice every turn, oldest first
 *
 * A message to a large group is for a thousand sockets here at once, at some
 * microseconds each. Written in one go it would stand before every answer and
 * every private message of those milliseconds. So those who hear what is for
 * many wait in turn, and the loop looks up between the slices.
 *
 * A slice is never less than what was written soon in the same turn, so neither
 * kind starves the other. What waits is in the outboxes, which are bounded; a
 * connection stands here once, however much it has. Who gets something for
 * himself alone meanwhile is written soon, with all that waits for him, so that
 * the order of a connection never changes.
 *
 * Pure: lists only. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_FLUSH_H
#define GATEWAY_FLUSH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/list.h"

/* Turns end twice in a round of the loop (common/turn.h). */
#define FLUSH_SLICE 32

enum flush_when {
	FLUSH_SOON,
	FLUSH_IN_TURN,
};

struct flush {
	struct list soon;
	struct list in_turn;
};

/* Writes to the connection of `link`, which is in no list any more. It may add
 * connections, this one as well. */
typedef void flush_fn(struct list *link);

void flush_init(struct flush *f);
/* `link` is the caller's, in no list or in one of these. */
void flush_add(struct flush *f, struct list *link, enum flush_when when);
/* Takes from the queue whom this turn may write to. True: others wait, so the
 * loop must not sleep. */
bool flush_run(struct flush *f, flush_fn *fn);

#endif
