/*
 * The envelope between our processes: one NNG message is a batch of frames.
 * Network byte order throughout; every byte is checked on receipt.
 *
 *   batch  'P' 'R' 'L' 'Y' | u16 version | u16 count | count frames
 *   frame  u32 body length | u16 kind | u16 status | u64 id | u64 deadline
 *          | u64 trace | u64 seq | 16 user | 16 session | 16 token | 16 chat
 *          | body
 *
 * kind and status are rows of contract.def and err.def. A reply carries its
 * request's id and kind. A batch whose version differs is refused whole.
 *
 * Pure; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_ENVELOPE_H
#define COMMON_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/uuid.h"

/* Raised whenever the layout of a frame or of a call's body changes. */
#define ENVELOPE_VERSION 1
#define ENVELOPE_FRAMES_MAX 64
#define ENVELOPE_HEADER_LEN 8
#define ENVELOPE_FRAME_LEN 104

struct frame {
	uint16_t kind;
	uint16_t status;        /* replies: enum err */
	uint64_t id;            /* the caller's; comes back in the reply */
	uint64_t deadline_ms;   /* callee's monotonic clock; 0: none */
	uint64_t trace;         /* the request id in all logs */
	uint64_t seq;           /* meaning by kind, see calls.h */
	struct uuid user;       /* stamped by the gateway */
	struct uuid session;    /* one WebSocket connection; see calls.h */
	struct uuid token;      /* the token's row id, not the secret */
	struct uuid chat;
	const uint8_t *body;    /* borrowed */
	size_t body_len;
};

/* Starts a batch of no frames in `b` (which is reset). */
void envelope_begin(struct buf *b);
/* Appends one frame and counts it. */
void envelope_add(struct buf *b, const struct frame *f);
unsigned envelope_count(const struct buf *b);

/*
 * Opens a received batch. ERR_PROTOCOL: not an envelope. ERR_VERSION: another
 * version, which is in *version_r. ERR_OK: *r stands before the first frame and
 * *count_r is 1..ENVELOPE_FRAMES_MAX (0 only in the refusal a server sends).
 */
MUST_CHECK enum err envelope_open(const void *data, size_t len, struct rd *r,
    unsigned *count_r, unsigned *version_r);
/* Reads the next frame, its body borrowed from the batch. */
MUST_CHECK enum err envelope_next(struct rd *r, struct frame *frame_r);

#endif
