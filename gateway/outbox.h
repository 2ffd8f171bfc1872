/*
 * outbox: what waits to be written to one connection, bounded in bytes.
 *
 *   push -> [ queue ] -- end of the turn --> io.write -> kernel
 *                ^                              `-> (library holds the rest)
 *                `--- socket writable again ---------'
 *
 * What one turn of the loop has for a connection leaves in one write: a system
 * call, and the waking of the reader, cost more than all else about a frame.
 *
 * An item may carry a note: what the session holds once the kernel has taken
 * the item's last byte. io.sent is told then and not before, so that
 * `delivered` never comes from a guess.
 *
 * The rule at the bound: a push that finds more than bytes_max waiting is refused,
 * and the caller closes the slow reader. What the client has asked for does not
 * count: he gets one answer at a time, or one part, and the next when he has read
 * most of it (backend.c). Else a long answer on a slow line, and an event behind
 * it, would make a slow reader of him.
 *
 * Embedded in a connection; main thread only. Knows nothing of libwebsockets,
 * so that tests can stand in for it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_OUTBOX_H
#define GATEWAY_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/list.h"
#include "common/uuid.h"
#include "gateway/flush.h"
#include "gateway/out_frame.h"

enum note_kind {
	NOTE_NONE,
	NOTE_CHAT,     /* the session holds `chat` up to `upto` */
	NOTE_SNAPSHOT, /* the session holds all marks of its user_info */
	NOTE_ANSWER,   /* as the snapshot asked for by the client */
};

struct out_note {
	enum note_kind kind;
	struct uuid chat;
	uint64_t upto;
};

enum out_result {
	OUT_SENT, /* the kernel has all of it */
	OUT_HELD, /* taken; the library holds a rest: wait for writable */
	OUT_DEAD, /* the connection is broken */
};

/* Frames of one write at most, and their bytes if there are several. */
#define OUT_WRITE_FRAMES 32
#define OUT_WRITE_BYTES ((size_t)16 * 1024)

struct outbox_io {
	enum out_result (*write)(void *arg, struct out_frame *const *frames,
	    size_t n);
	/* Whether the library still holds bytes of an earlier write. */
	bool (*held)(void *arg);
	/* Asks for outbox_flush to be called at the end of the turn, or of
	 * one of the next. */
	void (*want_flush)(void *arg, enum flush_when when);
	/* ... when the socket takes more. */
	void (*want_writable)(void *arg);
	void (*sent)(void *arg, const struct out_note *note);
};

struct outbox {
	const struct outbox_io *io;
	void *arg;
	struct list items;   /* queued */
	struct list held;    /* given to the library, not yet sent */
	size_t bytes;        /* of both */
	size_t asked;        /* of these: the client asked for */
	size_t bytes_max;
};

void outbox_init(struct outbox *o, const struct outbox_io *io, void *arg,
    size_t bytes_max);
/* Drops what waits. */
void outbox_fini(struct outbox *o);
void outbox_drop(struct outbox *o);

enum push_result {
	PUSH_OK,
	PUSH_FULL, /* refused: the reader is too slow */
	PUSH_DEAD,
};

/* Takes its own reference to `f`. `note` may be NULL. */
MUST_CHECK enum push_result outbox_push(struct outbox *o, struct out_frame *f,
    const struct out_note *note, enum flush_when when);
/* Writes what is queued, unless the library still holds something. False:
 * broken. */
MUST_CHECK bool outbox_flush(struct outbox *o);
/* Nothing queued and nothing held. */
bool outbox_idle(const struct outbox *o);

#endif
