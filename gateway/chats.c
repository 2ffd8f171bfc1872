/*
 * A map of small heap objects: their addresses stay while the map grows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/chats.h"

#include <stdlib.h>

#include "common/mem.h"

void
chats_init(struct chats *c)
{
	map_init(&c->map);
}

static void
chat_free(struct session_chat *chat)
{
	seqtrack_fini(&chat->track);
	free(chat);
}

void
chats_fini(struct chats *c)
{
	struct session_chat *chat;
	size_t cursor = 0;

	while ((chat = map_next(&c->map, &cursor, NULL)) != NULL) {
		chat_free(chat);
	}
	map_fini(&c->map);
}

struct session_chat *
chats_get(const struct chats *c, const struct uuid *id)
{
	return map_get(&c->map, id);
}

struct session_chat *
chats_add(struct chats *c, const struct uuid *id, uint64_t base)
{
	struct session_chat *chat = map_get(&c->map, id);

	if (chat != NULL) {
		return chat;
	}
	chat = mem_zalloc(sizeof(*chat));
	chat->id = *id;
	seqtrack_init(&chat->track, base);
	map_put(&c->map, id, chat);
	return chat;
}

void
chats_del(struct chats *c, const struct uuid *id)
{
	struct session_chat *chat = map_del(&c->map, id);

	if (chat != NULL) {
		chat_free(chat);
	}
}

struct session_chat *
chats_next(const struct chats *c, size_t *cursor)
{
	return map_next(&c->map, cursor, NULL);
}
