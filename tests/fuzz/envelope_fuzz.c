/*
 * What arrives between our processes: batches, the bodies of calls, events of
 * the bus. Every byte is foreign until it was checked. The first byte of an
 * input says which reader gets the rest.
 *
 * Beyond not crashing: what was read and is written again reads the same, and
 * a second writing gives the same bytes as the first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "common/buf.h"
#include "common/calls.h"
#include "common/envelope.h"

static volatile unsigned sink;

/* Reads all of it, so that a sanitizer sees where it lies. */
static void
touch(const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++) {
		sink += p[i];
	}
}

/* ---- batches ------------------------------------------------------------ */

static void
read_batch(const uint8_t *data, size_t len)
{
	struct buf again = BUF_INIT;
	unsigned count, version, n = 0;
	struct frame frame;
	struct rd r;

	if (envelope_open(data, len, &r, &count, &version) != ERR_OK) {
		return;
	}
	CHECK(count <= ENVELOPE_FRAMES_MAX);
	envelope_begin(&again);
	while (n < count && envelope_next(&r, &frame) == ERR_OK) {
		CHECK(frame.body_len <= len);
		touch(frame.body, frame.body_len);
		envelope_add(&again, &frame);
		n++;
	}
	CHECK(envelope_count(&again) == n);
	/* A batch has one writing only. */
	CHECK(again.len <= len);
	CHECK(memcmp(again.data + ENVELOPE_HEADER_LEN,
	    data + ENVELOPE_HEADER_LEN, again.len - ENVELOPE_HEADER_LEN) == 0);
	buf_fini(&again);
}

/* ---- events ------------------------------------------------------------- */

static bool
same_bytes(const void *a, size_t a_len, const void *b, size_t b_len)
{
	return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static void
read_event(const uint8_t *data, size_t len)
{
	struct buf b = BUF_INIT;
	struct event e, again;

	if (!get_event(data, len, &e)) {
		return;
	}
	CHECK(e.json_len <= len && e.spread_len <= len);
	touch(e.json, e.json_len);
	touch(e.spread, e.spread_len);
	put_event(&b, &e);
	CHECK(same_bytes(b.data, b.len, data, len));
	CHECK(get_event(b.data, b.len, &again));
	CHECK(again.kind == e.kind && again.seq == e.seq &&
	    again.trace == e.trace && uuid_eq(&again.chat, &e.chat) &&
	    uuid_eq(&again.skip_session, &e.skip_session) &&
	    uuid_eq(&again.token, &e.token));
	CHECK(same_bytes(again.json, again.json_len, e.json, e.json_len));
	buf_fini(&b);
}

/* ---- bodies of calls ----------------------------------------------------- */

/* Reads one of kind `what` and writes it; false: there was none. Truth values
 * come as any byte and leave as 0 or 1, so only what was written is compared. */
static bool
copy_body(unsigned what, struct rd *r, struct buf *b)
{
	union {
		struct catch_up_part part;
		struct catch_up_head head;
		struct chat_known known;
		struct presence_change presence;
		struct session_change change;
		struct session_head session;
		struct delivered_mark delivered;
		struct chat_mark mark;
		struct spread_to to;
		struct splice splice;
	} v;

#define COPY(name, member) \
	do { \
		get_##name(r, &v.member); \
		if (rd_ok(r)) { \
			put_##name(b, &v.member); \
		} \
	} while (0)
	memset(&v, 0, sizeof(v));
	switch (what % 10) {
	case 0:
		COPY(chat_mark, mark);
		break;
	case 1:
		COPY(chat_known, known);
		break;
	case 2:
		COPY(session_change, change);
		break;
	case 3:
		COPY(presence_change, presence);
		break;
	case 4:
		COPY(catch_up_part, part);
		break;
	case 5:
		COPY(catch_up_head, head);
		break;
	case 6:
		COPY(session_head, session);
		break;
	case 7:
		COPY(delivered_mark, delivered);
		break;
	case 8:
		COPY(spread_to, to);
		break;
	default:
		COPY(splice, splice);
		break;
	}
#undef COPY
	return rd_ok(r);
}

/* All that is there of one kind, into *b. */
static void
copy_all(unsigned what, const void *data, size_t len, struct buf *b)
{
	struct rd r;

	rd_init(&r, data, len);
	while (rd_left(&r) > 0 && copy_body(what, &r, b)) {
		CHECK(b->len <= len);
	}
}

static void
read_bodies(const uint8_t *data, size_t len)
{
	for (unsigned what = 0; what < 10; what++) {
		struct buf first = BUF_INIT, second = BUF_INIT;

		copy_all(what, data, len, &first);
		copy_all(what, first.data, first.len, &second);
		CHECK(same_bytes(first.data, first.len, second.data,
		    second.len));
		buf_fini(&first);
		buf_fini(&second);
	}
}

/* Kinds by turns, as a body of several parts has them. */
static void
read_mixed(const uint8_t *data, size_t len)
{
	struct buf b = BUF_INIT;
	struct rd r;

	rd_init(&r, data, len);
	while (rd_left(&r) > 0) {
		unsigned what = rd_u8(&r);

		if (!copy_body(what, &r, &b)) {
			break;
		}
		buf_reset(&b);
	}
	buf_fini(&b);
}

static void
read_topic(const uint8_t *data, size_t len)
{
	char topic[EVENT_TOPIC_USER_LEN + 1];
	struct uuid user, again;

	if (!event_topic_parse((const char *)data, len, &user)) {
		return;
	}
	CHECK(len == EVENT_TOPIC_USER_LEN);
	event_topic_user(&user, topic);
	CHECK(event_topic_parse(topic, strlen(topic), &again));
	CHECK(uuid_eq(&user, &again));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0) {
		return 0;
	}
	switch (data[0] & 7) {
	case 0:
		read_batch(data + 1, len - 1);
		break;
	case 1:
		read_event(data + 1, len - 1);
		break;
	case 2:
		read_bodies(data + 1, len - 1);
		break;
	case 3:
		read_topic(data + 1, len - 1);
		break;
	default:
		read_mixed(data + 1, len - 1);
		break;
	}
	return 0;
}
