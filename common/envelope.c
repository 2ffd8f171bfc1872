/*
 * The envelope: batches of frames, packed and checked. Nothing here trusts a
 * length that came from outside; see envelope.h for the layout.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "common/envelope.h"

static const uint8_t magic[4] = { 'P', 'R', 'L', 'Y' };

#define VERSION_AT 4
#define COUNT_AT 6

void
envelope_begin(struct buf *b)
{
	buf_reset(b);
	buf_put(b, magic, sizeof(magic));
	buf_put_u16(b, ENVELOPE_VERSION);
	buf_put_u16(b, 0);
}

unsigned
envelope_count(const struct buf *b)
{
	if (b->len < ENVELOPE_HEADER_LEN) {
		return 0;
	}
	return ((unsigned)b->data[COUNT_AT] << 8) | b->data[COUNT_AT + 1];
}

void
envelope_add(struct buf *b, const struct frame *f)
{
	buf_put_u32(b, (uint32_t)f->body_len);
	buf_put_u16(b, f->kind);
	buf_put_u16(b, f->status);
	buf_put_u64(b, f->id);
	buf_put_u64(b, f->deadline_ms);
	buf_put_u64(b, f->trace);
	buf_put_u64(b, f->seq);
	buf_put_uuid(b, &f->user);
	buf_put_uuid(b, &f->session);
	buf_put_uuid(b, &f->token);
	buf_put_uuid(b, &f->chat);
	if (f->body_len > 0) {
		buf_put(b, f->body, f->body_len);
	}
	buf_set_u16(b, COUNT_AT, (uint16_t)(envelope_count(b) + 1));
}

enum err
envelope_open(const void *data, size_t len, struct rd *r, unsigned *count_r,
    unsigned *version_r)
{
	const uint8_t *m;

	*count_r = 0;
	*version_r = 0;
	rd_init(r, data, len);
	m = rd_bytes(r, sizeof(magic));
	if (m == NULL || memcmp(m, magic, sizeof(magic)) != 0) {
		return ERR_PROTOCOL;
	}
	*version_r = rd_u16(r);
	*count_r = rd_u16(r);
	if (!rd_ok(r)) {
		return ERR_PROTOCOL;
	}
	if (*version_r != ENVELOPE_VERSION) {
		return ERR_VERSION;
	}
	if (*count_r > ENVELOPE_FRAMES_MAX) {
		return ERR_PROTOCOL;
	}
	return ERR_OK;
}

enum err
envelope_next(struct rd *r, struct frame *frame_r)
{
	size_t body_len = rd_u32(r);

	frame_r->kind = rd_u16(r);
	frame_r->status = rd_u16(r);
	frame_r->id = rd_u64(r);
	frame_r->deadline_ms = rd_u64(r);
	frame_r->trace = rd_u64(r);
	frame_r->seq = rd_u64(r);
	frame_r->user = rd_uuid(r);
	frame_r->session = rd_uuid(r);
	frame_r->token = rd_uuid(r);
	frame_r->chat = rd_uuid(r);
	frame_r->body = rd_bytes(r, body_len);
	frame_r->body_len = body_len;
	return rd_ok(r) ? ERR_OK : ERR_PROTOCOL;
}
