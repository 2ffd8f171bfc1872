/*
 * buf and rd: bytes out and bytes in, in network byte order. A buf doubles when
 * it is full, so appending costs O(1) on average; it never shrinks by itself,
 * because most are reset and filled again at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define BUF_CAP_MIN 64

void
buf_init(struct buf *b)
{
	b->data = NULL;
	b->len = 0;
	b->cap = 0;
}

void
buf_fini(struct buf *b)
{
	free(b->data);
	buf_init(b);
}

void
buf_reset(struct buf *b)
{
	b->len = 0;
}

static void
grow(struct buf *b, size_t need)
{
	size_t cap = b->cap > 0 ? b->cap : BUF_CAP_MIN;

	while (cap < need) {
		assert(cap <= SIZE_MAX / 2);
		cap *= 2;
	}
	b->data = mem_realloc(b->data, cap);
	b->cap = cap;
}

uint8_t *
buf_reserve(struct buf *b, size_t more)
{
	if (b->cap - b->len < more || b->data == NULL) {
		assert(more <= SIZE_MAX / 4);
		grow(b, b->len + more);
	}
	return b->data + b->len;
}

uint8_t *
buf_steal(struct buf *b, size_t *len_r)
{
	uint8_t *data = b->data;

	*len_r = b->len;
	buf_init(b);
	return data;
}

void
buf_consume(struct buf *b, size_t n)
{
	assert(n <= b->len);
	b->len -= n;
	if (b->len > 0 && n > 0) {
		memmove(b->data, b->data + n, b->len);
	}
}

void
buf_put(struct buf *b, const void *data, size_t len)
{
	if (len > 0) {
		memcpy(buf_reserve(b, len), data, len);
		b->len += len;
	}
}

void
buf_puts(struct buf *b, const char *text)
{
	buf_put(b, text, strlen(text));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	int len;

	buf_reserve(b, BUF_CAP_MIN);
	room = b->cap - b->len;
	va_start(ap, fmt);
	len = vsnprintf((char *)b->data + b->len, room, fmt, ap);
	va_end(ap);
	assert(len >= 0);
	if ((size_t)len >= room) {
		buf_reserve(b, (size_t)len + 1);
		va_start(ap, fmt);
		len = vsnprintf((char *)b->data + b->len, (size_t)len + 1, fmt,
		    ap);
		va_end(ap);
	}
	b->len += (size_t)len;
}

void
buf_put_u8(struct buf *b, uint8_t v)
{
	*buf_reserve(b, 1) = v;
	b->len += 1;
}

static void
store_u16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
store_u32(uint8_t *p, uint32_t v)
{
	store_u16(p, (uint16_t)(v >> 16));
	store_u16(p + 2, (uint16_t)v);
}

void
buf_put_u16(struct buf *b, uint16_t v)
{
	store_u16(buf_reserve(b, 2), v);
	b->len += 2;
}

void
buf_put_u32(struct buf *b, uint32_t v)
{
	store_u32(buf_reserve(b, 4), v);
	b->len += 4;
}

void
buf_put_u64(struct buf *b, uint64_t v)
{
	uint8_t *p = buf_reserve(b, 8);

	store_u32(p, (uint32_t)(v >> 32));
	store_u32(p + 4, (uint32_t)v);
	b->len += 8;
}

void
buf_put_uuid(struct buf *b, const struct uuid *id)
{
	buf_put(b, id->b, sizeof(id->b));
}

void
buf_put_blob(struct buf *b, const void *data, size_t len)
{
	assert(len <= UINT32_MAX);
	buf_put_u32(b, (uint32_t)len);
	buf_put(b, data, len);
}

void
buf_set_u16(struct buf *b, size_t at, uint16_t v)
{
	assert(b->len >= 2 && at <= b->len - 2);
	store_u16(b->data + at, v);
}

void
buf_set_u32(struct buf *b, size_t at, uint32_t v)
{
	assert(b->len >= 4 && at <= b->len - 4);
	store_u32(b->data + at, v);
}

/* ---- reading ------------------------------------------------------------ */

void
rd_init(struct rd *r, const void *data, size_t len)
{
	/* An empty text of our own keeps p and end comparable for NULL, 0. */
	static const uint8_t nothing[1];

	r->p = data != NULL ? data : nothing;
	r->end = r->p + (data != NULL ? len : 0);
	r->bad = false;
}

bool
rd_ok(const struct rd *r)
{
	return !r->bad;
}

bool
rd_done(const struct rd *r)
{
	return !r->bad && r->p == r->end;
}

size_t
rd_left(const struct rd *r)
{
	return (size_t)(r->end - r->p);
}

const uint8_t *
rd_bytes(struct rd *r, size_t len)
{
	const uint8_t *p = r->p;

	if (r->bad || rd_left(r) < len) {
		r->bad = true;
		r->p = r->end; /* loops on rd_left must end */
		return NULL;
	}
	r->p += len;
	return p;
}

static uint64_t
rd_number(struct rd *r, size_t len)
{
	const uint8_t *p = rd_bytes(r, len);
	uint64_t v = 0;

	for (size_t i = 0; p != NULL && i < len; i++) {
		v = v << 8 | p[i];
	}
	return v;
}

uint8_t
rd_u8(struct rd *r)
{
	return (uint8_t)rd_number(r, 1);
}

uint16_t
rd_u16(struct rd *r)
{
	return (uint16_t)rd_number(r, 2);
}

uint32_t
rd_u32(struct rd *r)
{
	return (uint32_t)rd_number(r, 4);
}

uint64_t
rd_u64(struct rd *r)
{
	return rd_number(r, 8);
}

struct uuid
rd_uuid(struct rd *r)
{
	struct uuid id = { { 0 } };
	const uint8_t *p = rd_bytes(r, sizeof(id.b));

	if (p != NULL) {
		memcpy(id.b, p, sizeof(id.b));
	}
	return id;
}

const uint8_t *
rd_blob(struct rd *r, size_t *len_r)
{
	size_t len = rd_u32(r);
	const uint8_t *p = rd_bytes(r, len);

	*len_r = p != NULL ? len : 0;
	return p;
}
