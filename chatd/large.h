/*
 * large: the chats whose sends are stored in batches of their own (writer.h).
 *
 * How many members a chat has is known from the last message that was stored
 * there; a chat counts as small until then. At most LARGE_CHATS_MAX are
 * remembered; beyond, others that turn out large go with the small ones, until
 * all are forgotten (large_forget_full) and learned anew.
 *
 * Pure. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_LARGE_H
#define CHATD_LARGE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/map.h"
#include "common/uuid.h"

/* So many members make a chat large: from here on reading them for each message
 * costs more than all else about it. */
#define LARGE_MEMBERS 64
#define LARGE_CHATS_MAX 10000

struct large {
	struct map chats;
};

void large_init(struct large *l);
void large_fini(struct large *l);
bool large_has(const struct large *l, const struct uuid *chat);
/* A message was stored, in a chat of so many members. */
void large_note(struct large *l, const struct uuid *chat, size_t members);
/* Forgets all when there is room for no more. */
void large_forget_full(struct large *l);

#endif
