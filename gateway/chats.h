/*
 * The chats one session knows, and what of each was written to it. Starts as
 * the marks of the session's user_info.
 *
 *   at rest [id, upto, version] --chats_get, chats_wake--> awake session_chat
 *           ^------------------------chats_rest----------------'
 *
 * Most sessions say nothing most of the time, and of most of their chats nothing
 * is to be said but how far they go: a chat at rest takes 28 bytes, one that is
 * awake 150. Embedded in a connection; main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_CHATS_H
#define GATEWAY_CHATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/map.h"
#include "common/uuid.h"
#include "gateway/seqtrack.h"

enum chat_want {
	WANT_NOTHING,
	WANT_HOLES,  /* ask chatd, if there are holes when its turn comes */
	WANT_SURELY, /* ask in any case */
};

struct session_chat {
	struct uuid id;
	struct seqtrack track;
	uint64_t seen;   /* a chat_info showed the chat up to here */
	uint64_t noted;  /* reported as delivered up to here */
	uint64_t heard;  /* a receipt told of messages up to here */
	/* Changes of the group, counted from 1. */
	uint32_t version;       /* all up to here were told */
	uint32_t version_heard; /* the highest one heard of */
	/* For catchup.c. */
	enum chat_want want;
	uint64_t hole_after;      /* what was told when its hole was noted: the */
	uint32_t hole_version;    /* track's frontier, and the version */
	bool in_flight;  /* is being asked of chatd */
	uint64_t asked;  /* the highest known of when it was asked */
	uint32_t asked_version; /* version_heard when it was asked */
};

enum change_verdict {
	CHANGE_NEXT,  /* tell it */
	CHANGE_OLD,   /* told, or overtaken by what was told */
	CHANGE_AHEAD, /* one before it is missing */
};

/* Written up to `upto`, reported as delivered, and no more to say. Packed, since
 * a gateway has hundreds of thousands. */
struct chat_at_rest {
	struct uuid id;
	uint64_t upto;
	uint32_t version;
} __attribute__((packed, aligned(4)));

struct chats {
	struct map awake;          /* owns the session_chats */
	struct chat_at_rest *rest; /* owned; by id once they are all there */
	size_t rest_len;
};

void chats_init(struct chats *c);
void chats_fini(struct chats *c);
/* For chats that know none: room for `count` of a snapshot, which are filled in
 * any order, and then sorted. */
struct chat_at_rest *chats_expect(struct chats *c, size_t count);
void chats_sort(struct chats *c);
/* The chat, awake from now on; NULL: not known. Valid until it is deleted or the
 * chats rest. */
struct session_chat *chats_get(struct chats *c, const struct uuid *id);
/* How many are known. */
size_t chats_count(const struct chats *c);
/* All are awake from now on. */
void chats_wake(struct chats *c);
/* All of which there is no more to say go to rest. */
void chats_rest(struct chats *c);
/* A chat the session knows from now on, written up to `base`. If it was known
 * already, it stays as it is. */
struct session_chat *chats_add(struct chats *c, const struct uuid *id,
    uint64_t base);
/* A change of the group was heard of; NEXT counts as told. */
MUST_CHECK enum change_verdict chat_hear_change(struct session_chat *chat,
    uint32_t version);
/* The group was told as it is at this version. */
void chat_told_version(struct session_chat *chat, uint32_t version);
/* Whether messages are missing that a receipt has told of. */
bool chat_awaits_heard(const struct session_chat *chat);
/* Whether a message or a change is missing. */
bool chat_has_hole(const struct session_chat *chat);
/* There is a hole now. */
void chat_note_hole(struct session_chat *chat);
/* Whether the hole that was noted is still there, and not a newer one. */
bool chat_hole_lasts(const struct session_chat *chat);
void chats_del(struct chats *c, const struct uuid *id);
/* Walks those that are awake: start with *cursor 0; NULL at the end. */
struct session_chat *chats_next(const struct chats *c, size_t *cursor);

#endif
