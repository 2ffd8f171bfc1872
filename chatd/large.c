/*
 * A set of chats.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/large.h"

void
large_init(struct large *l)
{
	map_init(&l->chats);
}

void
large_fini(struct large *l)
{
	map_fini(&l->chats);
}

bool
large_has(const struct large *l, const struct uuid *chat)
{
	return map_get(&l->chats, chat) != NULL;
}

void
large_note(struct large *l, const struct uuid *chat, size_t members)
{
	if (members < LARGE_MEMBERS) {
		map_del(&l->chats, chat);
	} else if (l->chats.len < LARGE_CHATS_MAX) {
		map_put(&l->chats, chat, l);
	}
}

void
large_forget_full(struct large *l)
{
	if (l->chats.len >= LARGE_CHATS_MAX) {
		map_fini(&l->chats);
		map_init(&l->chats);
	}
}
