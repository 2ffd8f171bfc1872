/*
 * buf: a growable run of bytes with typed appends in network byte order.
 * rd: the matching bounded reader, whose failure is sticky: read all fields,
 * then ask rd_ok() once (OpenSMTPD's mproc shape).
 *
 * Not thread safe. A struct buf is embedded; buf_fini releases its memory.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_BUF_H
#define COMMON_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/uuid.h"

struct buf {
	uint8_t *data; /* owned */
	size_t len;
	size_t cap;
};

#define BUF_INIT { NULL, 0, 0 }

void buf_init(struct buf *b);
void buf_fini(struct buf *b);
/* Forgets the content, keeps the memory. */
void buf_reset(struct buf *b);
/* Makes room for `more` bytes and returns where they begin; len stays. */
uint8_t *buf_reserve(struct buf *b, size_t more);
/* Hands the memory to the caller (free() it) and leaves the buf empty. */
MUST_CHECK uint8_t *buf_steal(struct buf *b, size_t *len_r);
/* Drops the first n bytes (n <= len). */
void buf_consume(struct buf *b, size_t n);

void buf_put(struct buf *b, const void *data, size_t len);
void buf_puts(struct buf *b, const char *text); /* without its NUL */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16(struct buf *b, uint16_t v);
void buf_put_u32(struct buf *b, uint32_t v);
void buf_put_u64(struct buf *b, uint64_t v);
void buf_put_uuid(struct buf *b, const struct uuid *id);
/* u32 length, then the bytes. */
void buf_put_blob(struct buf *b, const void *data, size_t len);
/* Overwrites 2 or 4 bytes at `at`, which must lie inside the content. */
void buf_set_u16(struct buf *b, size_t at, uint16_t v);
void buf_set_u32(struct buf *b, size_t at, uint32_t v);

struct rd {
	const uint8_t *p; /* borrowed */
	const uint8_t *end;
	bool bad;
};

void rd_init(struct rd *r, const void *data, size_t len);
/* True while every read so far lay inside the data. */
MUST_CHECK bool rd_ok(const struct rd *r);
/* True when all is read and nothing failed. */
MUST_CHECK bool rd_done(const struct rd *r);
size_t rd_left(const struct rd *r);
/* Past the end the results are zero, NULL or the nil uuid. */
uint8_t rd_u8(struct rd *r);
uint16_t rd_u16(struct rd *r);
uint32_t rd_u32(struct rd *r);
uint64_t rd_u64(struct rd *r);
struct uuid rd_uuid(struct rd *r);
/* A pointer to the next len bytes, borrowed from the data. */
const uint8_t *rd_bytes(struct rd *r, size_t len);
/* u32 length, then the bytes. */
const uint8_t *rd_blob(struct rd *r, size_t *len_r);

#endif
