/*
 * Writing goes straight to the kernel whenever the library holds nothing back;
 * outside its WRITEABLE callback that is allowed on the service thread. What
 * the kernel refuses the library copies and keeps (lws_partial_buffered), and
 * only when that is gone were the bytes really sent.
 *
 * Several frames are put into one buffer with their headers (RFC 6455, 5.2: a
 * server's are not masked) and handed over as they are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/conn_io.h"

#include <libwebsockets.h>
#include <string.h>

#include "common/calls.h"
#include "gateway/conn.h"
#include "gateway/receipts.h"
#include "gateway/stats.h"

#define FRAME_HEAD_MAX 10
#define FRAME_TEXT 0x81 /* FIN, text */

/* The header of a text frame of `len` bytes; returns its length. */
static size_t
put_head(unsigned char *to, size_t len)
{
	size_t width = len < 126 ? 0 : len <= UINT16_MAX ? 2 : 8;

	to[0] = FRAME_TEXT;
	to[1] = (unsigned char)(width == 0 ? len : width == 2 ? 126 : 127);
	for (size_t i = 0; i < width; i++) {
		to[2 + i] = (unsigned char)(len >> (8 * (width - 1 - i)));
	}
	return 2 + width;
}

static int
write_several(struct conn *c, struct out_frame *const *frames, size_t n)
{
	static unsigned char room[LWS_PRE + OUT_WRITE_BYTES +
	    OUT_WRITE_FRAMES * FRAME_HEAD_MAX];
	unsigned char *const start = &room[LWS_PRE];
	unsigned char *at = start;

	for (size_t i = 0; i < n; i++) {
		at += put_head(at, frames[i]->len);
		memcpy(at, frames[i]->data, frames[i]->len);
		at += frames[i]->len;
	}
	return lws_write(c->wsi, start, (size_t)(at - start), LWS_WRITE_RAW);
}

static enum out_result
io_write(void *arg, struct out_frame *const *frames, size_t n)
{
	struct conn *c = arg;
	int rv = n > 1 ? write_several(c, frames, n) :
	    lws_write(c->wsi, frames[0]->data, frames[0]->len,
	    LWS_WRITE_TEXT);

	if (rv < 0) {
		return OUT_DEAD;
	}
	return lws_partial_buffered(c->wsi) ? OUT_HELD : OUT_SENT;
}

static bool
io_held(void *arg)
{
	struct conn *c = arg;

	return lws_partial_buffered(c->wsi) != 0;
}

static void
io_want_flush(void *arg, enum flush_when when)
{
	struct conn *c = arg;

	conns_flush_later(c->gw->conns, c, when);
}

static void
io_want_writable(void *arg)
{
	struct conn *c = arg;

	lws_callback_on_writable(c->wsi);
}

/* user_info has reached the kernel: all it covered is delivered. */
static void
snapshot_sent(struct conn *c)
{
	struct rd r;

	rd_init(&r, c->snapshot.data, c->snapshot.len);
	while (rd_left(&r) > 0) {
		struct uuid chat = rd_uuid(&r);
		uint64_t upto = rd_u64(&r);

		receipts_note(c->gw->receipts, &c->user, &chat, upto);
	}
	buf_fini(&c->snapshot);
}

static void
io_sent(void *arg, const struct out_note *note)
{
	struct conn *c = arg;

	switch (note->kind) {
	case NOTE_NONE:
	case NOTE_ANSWER:
		break;
	case NOTE_CHAT:
		receipts_note(c->gw->receipts, &c->user, &note->chat,
		    note->upto);
		break;
	case NOTE_SNAPSHOT:
		snapshot_sent(c);
		break;
	}
}

/* A control frame carries 125 bytes. */
#define CLOSE_REASON_MAX 123

/* Not empty: the library keeps the pong to an empty ping to itself. */
static const char ping_text[] = "parley";

void
conn_ping(struct conn *c)
{
	unsigned char room[LWS_PRE + sizeof(ping_text)];

	/* Not into the middle of a frame: conn_writable comes back here. */
	if (lws_partial_buffered(c->wsi)) {
		if (!c->ping_due) {
			metric_inc(stats.pings_delayed);
		}
		c->ping_due = true;
		return;
	}
	c->ping_due = false;
	memcpy(&room[LWS_PRE], ping_text, sizeof(ping_text));
	if (lws_write(c->wsi, &room[LWS_PRE], sizeof(ping_text) - 1,
	    LWS_WRITE_PING) < 0) {
		conn_kill(c, "write failed");
	}
}

void
conn_write_close(struct conn *c, int code, const char *why)
{
	unsigned char room[LWS_PRE + 4 + CLOSE_REASON_MAX] = { 0 };
	unsigned char *frame = &room[LWS_PRE];
	size_t len = code != 0 ? strnlen(why, CLOSE_REASON_MAX) : 0;

	frame[0] = 0x88;
	frame[1] = (unsigned char)(code != 0 ? 2 + len : 0);
	frame[2] = (unsigned char)(code >> 8);
	frame[3] = (unsigned char)code;
	memcpy(frame + 4, why, len);
	(void)lws_write(c->wsi, frame, 2u + frame[1], LWS_WRITE_RAW);
}

const struct outbox_io conn_io = {
	.write = io_write,
	.held = io_held,
	.want_flush = io_want_flush,
	.want_writable = io_want_writable,
	.sent = io_sent,
};
