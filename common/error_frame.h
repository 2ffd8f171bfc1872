/*
 * The contract's `error` and `chat_forbidden` frames, built in one place for
 * gateway and chatd. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_ERROR_FRAME_H
#define COMMON_ERROR_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct buf;
struct uuid;

struct error_frame {
	const char *request;             /* type name; NULL: null */
	enum err reason;
	const char *field;               /* NULL: null */
	const struct uuid *chat_id;      /* NULL, or the nil id: null */
	const struct uuid *front_msg_id; /* the same */
	const char *request_id;          /* NULL: key left out */
	int64_t retry_after_ms;          /* rate_limited only; else 0 */
};

/* Appends {"type":"error",...}. */
void error_frame_put(struct buf *b, const struct error_frame *e);
/* Appends {"type":"chat_forbidden","chat_id":..}; front_msg_id and request_id
 * where not NULL. */
void chat_forbidden_put(struct buf *b, const struct uuid *chat_id,
    const struct uuid *front_msg_id, const char *request_id);

#endif
