/*
 * The common case, a message in one chunk, is copied once, into its queue
 * entry. The memory of `partial` is given back with each message: idle
 * connections are many, fragmented messages few. UTF-8 is checked here and not
 * by the library, which takes the payload of a pong for text, and forgets a
 * character cut before an empty last fragment.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/inbound.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"

/* So many bytes of waiting frames also pause reading (but always let one in).
 *  */
#define BYTES_MAX (256u * 1024)

void
inbound_init(struct inbound *in, size_t message_max, size_t count_max)
{
	memset(in, 0, sizeof(*in));
	buf_init(&in->partial);
	list_init(&in->frames);
	in->message_max = message_max;
	in->count_max = count_max;
}

void
inbound_fini(struct inbound *in)
{
	struct inbound_frame *f;

	while ((f = inbound_first(in)) != NULL) {
		inbound_take(in, f);
		free(f);
	}
	buf_fini(&in->partial);
}

static void
push(struct inbound *in, const void *head, size_t head_len, const void *tail,
    size_t tail_len)
{
	struct inbound_frame *f =
	    mem_alloc(sizeof(*f) + head_len + tail_len + 1);

	f->arrived_us = clock_mono_us();
	f->len = head_len + tail_len;
	if (head_len > 0) {
		memcpy(f->data, head, head_len);
	}
	if (tail_len > 0) {
		memcpy(f->data + head_len, tail, tail_len);
	}
	f->data[f->len] = '\0';
	list_push_back(&in->frames, &f->link);
	in->count++;
	in->bytes += f->len;
}

enum inbound_result
inbound_add(struct inbound *in, const void *data, size_t len, size_t more,
    bool last)
{
	size_t room = in->message_max - in->partial.len;

	if (len > room || more > room - len) {
		buf_fini(&in->partial);
		return INBOUND_TOO_LARGE;
	}
	if (!utf8_pieces_add(&in->utf8, data, len) ||
	    (last && !utf8_pieces_whole(&in->utf8))) {
		buf_fini(&in->partial);
		return INBOUND_NOT_UTF8;
	}
	if (!last) {
		buf_put(&in->partial, data, len);
		return INBOUND_OK;
	}
	push(in, in->partial.data, in->partial.len, data, len);
	buf_fini(&in->partial);
	return INBOUND_OK;
}

struct inbound_frame *
inbound_first(const struct inbound *in)
{
	return list_empty(&in->frames) ? NULL
	    : LIST_ENTRY(in->frames.next, struct inbound_frame, link);
}

void
inbound_take(struct inbound *in, struct inbound_frame *f)
{
	list_del(&f->link);
	in->count--;
	in->bytes -= f->len;
}

bool
inbound_full(const struct inbound *in)
{
	return in->count >= in->count_max || in->bytes >= BYTES_MAX;
}

bool
inbound_has_room(const struct inbound *in)
{
	return in->count <= in->count_max / 2 && in->bytes <= BYTES_MAX / 2;
}
