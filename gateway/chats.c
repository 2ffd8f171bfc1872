/*
 * A map of small heap objects, whose addresses stay while the map grows, for the
 * chats that are awake, and a sorted array for those at rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/chats.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

void
chats_init(struct chats *c)
{
	map_init(&c->awake);
	c->rest = NULL;
	c->rest_len = 0;
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

	while ((chat = map_next(&c->awake, &cursor, NULL)) != NULL) {
		chat_free(chat);
	}
	map_fini(&c->awake);
	free(c->rest);
	c->rest = NULL;
	c->rest_len = 0;
}

/* ---- at rest ------------------------------------------------------------ */

static int
by_id(const void *a, const void *b)
{
	const struct chat_at_rest *x = a, *y = b;

	return uuid_cmp(&x->id, &y->id);
}

struct chat_at_rest *
chats_expect(struct chats *c, size_t count)
{
	free(c->rest);
	c->rest = count > 0 ? mem_zalloc(count * sizeof(*c->rest)) : NULL;
	c->rest_len = count;
	return c->rest;
}

void
chats_sort(struct chats *c)
{
	if (c->rest_len > 1) {
		qsort(c->rest, c->rest_len, sizeof(*c->rest), by_id);
	}
}

static struct chat_at_rest *
find_at_rest(const struct chats *c, const struct uuid *id)
{
	const struct chat_at_rest key = { .id = *id };

	return c->rest_len == 0 ? NULL :
	    bsearch(&key, c->rest, c->rest_len, sizeof(*c->rest), by_id);
}

static void
rest_remove(struct chats *c, struct chat_at_rest *r)
{
	size_t behind = c->rest_len - (size_t)(r - c->rest) - 1;

	memmove(r, r + 1, behind * sizeof(*r));
	c->rest_len--;
}

static struct session_chat *
chat_new(struct chats *c, const struct uuid *id, uint64_t base)
{
	struct session_chat *chat = mem_zalloc(sizeof(*chat));

	chat->id = *id;
	seqtrack_init(&chat->track, base);
	map_put(&c->awake, id, chat);
	return chat;
}

static struct session_chat *
wake(struct chats *c, const struct chat_at_rest *r)
{
	struct session_chat *chat = chat_new(c, &r->id, r->upto);

	chat->noted = r->upto;
	chat_told_version(chat, r->version);
	return chat;
}

/* Whether nothing of it would be lost by its rest. */
static bool
may_rest(const struct session_chat *chat)
{
	return !chat_has_hole(chat) && chat->want == WANT_NOTHING &&
	    !chat->in_flight && chat->noted == chat->track.frontier &&
	    chat->seen <= chat->track.frontier;
}

void
chats_wake(struct chats *c)
{
	for (size_t i = 0; i < c->rest_len; i++) {
		(void)wake(c, &c->rest[i]);
	}
	free(c->rest);
	c->rest = NULL;
	c->rest_len = 0;
}

void
chats_rest(struct chats *c)
{
	struct map was = c->awake;
	struct session_chat *chat;
	size_t cursor = 0;

	map_init(&c->awake);
	c->rest = mem_realloc(c->rest, (c->rest_len + was.len + 1) *
	    sizeof(*c->rest));
	while ((chat = map_next(&was, &cursor, NULL)) != NULL) {
		if (may_rest(chat)) {
			c->rest[c->rest_len++] = (struct chat_at_rest){
				chat->id, chat->track.frontier,
				chat->version };
			chat_free(chat);
		} else {
			map_put(&c->awake, &chat->id, chat);
		}
	}
	map_fini(&was);
	c->rest = mem_realloc(c->rest, (c->rest_len + 1) * sizeof(*c->rest));
	chats_sort(c);
}

/* ---- chats -------------------------------------------------------------- */

size_t
chats_count(const struct chats *c)
{
	return c->awake.len + c->rest_len;
}

struct session_chat *
chats_get(struct chats *c, const struct uuid *id)
{
	struct session_chat *chat = c->awake.len == 0 ? NULL
	    : map_get(&c->awake, id);
	struct chat_at_rest *r;

	if (chat != NULL) {
		return chat;
	}
	r = find_at_rest(c, id);
	if (r != NULL) {
		chat = wake(c, r);
		rest_remove(c, r);
	}
	return chat;
}

struct session_chat *
chats_add(struct chats *c, const struct uuid *id, uint64_t base)
{
	struct session_chat *chat = chats_get(c, id);

	return chat != NULL ? chat : chat_new(c, id, base);
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

static bool
lacks_message(const struct session_chat *chat)
{
	return seqtrack_has_hole(&chat->track) || chat_awaits_heard(chat);
}

static bool
lacks_change(const struct session_chat *chat)
{
	return chat->version < chat->version_heard;
}

bool
chat_has_hole(const struct session_chat *chat)
{
	return lacks_message(chat) || lacks_change(chat);
}

void
chat_note_hole(struct session_chat *chat)
{
	chat->hole_after = chat->track.frontier;
	chat->hole_version = chat->version;
}

bool
chat_hole_lasts(const struct session_chat *chat)
{
	return (lacks_message(chat) &&
	    chat->hole_after == chat->track.frontier) ||
	    (lacks_change(chat) && chat->hole_version == chat->version);
}

void
chats_del(struct chats *c, const struct uuid *id)
{
	struct session_chat *chat = map_del(&c->awake, id);
	struct chat_at_rest *r = find_at_rest(c, id);

	if (chat != NULL) {
		chat_free(chat);
	}
	if (r != NULL) {
		rest_remove(c, r);
	}
}

struct session_chat *
chats_next(const struct chats *c, size_t *cursor)
{
	return map_next(&c->awake, cursor, NULL);
}
