/*
 * What arrives between our processes: batches, the bodies of calls, events of
 * the bus. Every byte is foreign until it was checked. The first byte of an
 * input says which reader gets the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz/fuzz.h"

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

static void
read_batch(const uint8_t *data, size_t len)
{
	unsigned count, version;
	struct frame frame;
	struct rd r;

	if (envelope_open(data, len, &r, &count, &version) != ERR_OK) {
		return;
	}
	CHECK(count <= ENVELOPE_FRAMES_MAX);
	while (count-- > 0 && envelope_next(&r, &frame) == ERR_OK) {
		CHECK(frame.body_len <= len);
		touch(frame.body, frame.body_len);
	}
}

static void
read_event(const uint8_t *data, size_t len)
{
	struct event e;

	if (get_event(data, len, &e)) {
		CHECK(e.json_len <= len);
		touch(e.json, e.json_len);
	}
}

static void
read_bodies(const uint8_t *data, size_t len)
{
	struct catch_up_part part;
	struct catch_up_head head;
	struct chat_known known;
	struct presence_change presence;
	struct session_change change;
	struct chat_mark mark;
	struct rd r;

	rd_init(&r, data, len);
	get_catch_up_head(&r, &head);
	while (rd_left(&r) > 0) {
		get_chat_mark(&r, &mark);
		get_chat_known(&r, &known);
		get_session_change(&r, &change);
		get_presence_change(&r, &presence);
		get_catch_up_part(&r, &part);
		if (rd_ok(&r)) {
			CHECK(part.json_len <= len);
			touch(part.json, part.json_len);
		}
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct uuid user;

	if (len == 0) {
		return 0;
	}
	switch (data[0] % 4) {
	case 0:
		read_batch(data + 1, len - 1);
		break;
	case 1:
		read_event(data + 1, len - 1);
		break;
	case 2:
		read_bodies(data + 1, len - 1);
		break;
	default:
		if (event_topic_parse((const char *)data + 1, len - 1, &user)) {
			CHECK(len - 1 == EVENT_TOPIC_USER_LEN);
		}
		break;
	}
	return 0;
}
