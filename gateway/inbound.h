/*
 * inbound: what one client has sent and nobody has handled yet. Puts the
 * library's irregular chunks together to whole messages, counts their bytes
 * over all fragments, checks their UTF-8 as it comes, and keeps them in order
 * until their turn.
 *
 * The rule at the bound: inbound_full() says that reading should pause; what
 * has arrived is kept.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_INBOUND_H
#define GATEWAY_INBOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/list.h"
#include "common/utf8.h"

struct inbound_frame {
	struct list link;
	uint64_t arrived_us; /* its last byte; monotonic clock */
	size_t len;
	char data[];
};

enum inbound_result {
	INBOUND_OK,
	INBOUND_TOO_LARGE,
	INBOUND_NOT_UTF8,
};

struct inbound {
	struct buf partial;
	struct utf8_pieces utf8;  /* of the message that is arriving */
	struct list frames;
	size_t count;
	size_t bytes;       /* of the waiting frames */
	size_t message_max;
	size_t count_max;
};

void inbound_init(struct inbound *in, size_t message_max, size_t count_max);
void inbound_fini(struct inbound *in);

/* One chunk; `last` ends the message, `more` are the bytes that its frame still
 * has to bring. What is refused is forgotten; nothing may be added after. */
MUST_CHECK enum inbound_result inbound_add(struct inbound *in,
    const void *data, size_t len, size_t more, bool last);
/* The oldest whole message, borrowed; NULL: none. */
MUST_CHECK struct inbound_frame *inbound_first(const struct inbound *in);
/* It is the caller's from now on (free()). */
void inbound_take(struct inbound *in, struct inbound_frame *f);
bool inbound_full(const struct inbound *in);
/* Few enough wait that reading may go on. */
bool inbound_has_room(const struct inbound *in);

#endif
