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

enum change_verdict
chat_hear_change(struct session_chat *chat, uint32_t version)
{
	if (version <= chat->version) {
		return CHANGE_OLD;
	}
	if (version > chat->version_heard) {
		chat->version_heard = version;
	}
	if (version > chat->version + 1) {
		return CHANGE_AHEAD;
	}
	chat->version = version;
	return CHANGE_NEXT;
}

void
chat_told_version(struct session_chat *chat, uint32_t version)
{
	if (version > chat->version) {
		chat->version = version;
	}
	if (version > chat->version_heard) {
		chat->version_heard = version;
	}
}

bool
chat_awaits_heard(const struct session_chat *chat)
{
	return chat->heard > chat->track.frontier;
}

bool
chat_has_hole(const struct session_chat *chat)
{
	return seqtrack_has_hole(&chat->track) || chat_awaits_heard(chat) ||
	    chat->version < chat->version_heard;
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
