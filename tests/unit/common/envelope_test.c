/*
 * Tests of the envelope and of the bodies of calls and events: what is put comes
 * back, and no damaged byte is taken for good.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/calls.h"
#include "common/envelope.h"

static struct frame
sample(uint64_t id, const char *body)
{
	struct frame f = { .kind = 7, .status = 3, .id = id, .deadline_ms = 99,
		.trace = 0x1122334455667788ULL, .seq = 42,
		.user = uuid_v4(), .session = uuid_v4(), .token = uuid_v4(),
		.chat = uuid_v4(), .body = (const uint8_t *)body,
		.body_len = strlen(body) };

	return f;
}

static void
frames_come_back_as_they_went(void **state)
{
	struct buf b = BUF_INIT;
	struct frame in[3];
	struct frame out;
	struct rd r;
	unsigned count;
	unsigned version;

	(void)state;
	envelope_begin(&b);
	for (size_t i = 0; i < 3; i++) {
		in[i] = sample(i + 1, i == 1 ? "" : "{\"type\":\"logout\"}");
		envelope_add(&b, &in[i]);
	}
	assert_int_equal(envelope_count(&b), 3);
	assert_int_equal(envelope_open(b.data, b.len, &r, &count, &version),
	    ERR_OK);
	assert_int_equal(count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(envelope_next(&r, &out), ERR_OK);
		assert_int_equal(out.kind, in[i].kind);
		assert_int_equal(out.status, in[i].status);
		assert_true(out.id == in[i].id);
		assert_true(out.deadline_ms == 99 && out.seq == 42);
		assert_true(out.trace == in[i].trace);
		assert_true(uuid_eq(&out.user, &in[i].user));
		assert_true(uuid_eq(&out.session, &in[i].session));
		assert_true(uuid_eq(&out.token, &in[i].token));
		assert_true(uuid_eq(&out.chat, &in[i].chat));
		assert_int_equal(out.body_len, in[i].body_len);
		assert_memory_equal(out.body, in[i].body, out.body_len);
	}
	assert_true(rd_done(&r));
	buf_fini(&b);
}

static void
every_truncation_is_refused(void **state)
{
	struct buf b = BUF_INIT;
	struct frame f = sample(1, "body");
	struct rd r;
	unsigned count;
	unsigned version;

	(void)state;
	envelope_begin(&b);
	envelope_add(&b, &f);
	for (size_t len = 0; len < b.len; len++) {
		enum err e = envelope_open(b.data, len, &r, &count, &version);

		if (e == ERR_OK) {
			e = envelope_next(&r, &f);
		}
		assert_int_equal(e, ERR_PROTOCOL);
	}
	buf_fini(&b);
}

static void
another_version_is_named(void **state)
{
	struct buf b = BUF_INIT;
	struct rd r;
	unsigned count;
	unsigned version;

	(void)state;
	envelope_begin(&b);
	buf_set_u16(&b, 4, ENVELOPE_VERSION + 1);
	assert_int_equal(envelope_open(b.data, b.len, &r, &count, &version),
	    ERR_VERSION);
	assert_int_equal(version, ENVELOPE_VERSION + 1);
	buf_fini(&b);
}

static void
a_body_longer_than_the_batch_is_refused(void **state)
{
	struct buf b = BUF_INIT;
	struct frame f = sample(1, "body");
	struct rd r;
	unsigned count;
	unsigned version;

	(void)state;
	envelope_begin(&b);
	envelope_add(&b, &f);
	buf_set_u32(&b, ENVELOPE_HEADER_LEN, 0xffffffffU);
	assert_int_equal(envelope_open(b.data, b.len, &r, &count, &version),
	    ERR_OK);
	assert_int_equal(envelope_next(&r, &f), ERR_PROTOCOL);
	buf_fini(&b);
}

static void
events_come_back_and_damage_is_refused(void **state)
{
	struct buf b = BUF_INIT;
	struct event in = { .kind = EVENT_MESSAGE, .trace = 5, .seq = 77,
		.version = 6, .chat = uuid_v4(), .skip_session = uuid_v4(),
		.token = uuid_v4(), .json = "{}", .json_len = 2 };
	struct event out;

	(void)state;
	put_event(&b, &in);
	assert_true(get_event(b.data, b.len, &out));
	assert_int_equal(out.kind, EVENT_MESSAGE);
	assert_true(out.seq == 77 && out.trace == 5 && out.version == 6);
	assert_true(uuid_eq(&in.chat, &out.chat));
	assert_true(uuid_eq(&in.skip_session, &out.skip_session));
	assert_memory_equal(out.json, "{}", 2);
	for (size_t len = 0; len < b.len; len++) {
		assert_false(get_event(b.data, len, &out));
	}
	buf_put_u8(&b, 0);
	assert_false(get_event(b.data, b.len, &out));
	b.len--;
	b.data[1] = 0;
	assert_false(get_event(b.data, b.len, &out));
	b.data[1] = EVENT_MESSAGE_SPREAD + 1;
	assert_false(get_event(b.data, b.len, &out));
	buf_fini(&b);
}

static void
spreads_come_back_whole(void **state)
{
	struct buf list = BUF_INIT, b = BUF_INIT;
	struct spread_to to = { .user = uuid_v4(), .splices = 1 }, got;
	struct splice cut = { .at = 3, .len = 4, .text = "\"Ann\"",
		.text_len = 5 }, back;
	struct event in = { .kind = EVENT_SPREAD, .json = "[1,null]",
		.json_len = 8 };
	struct event out;
	struct rd r;

	(void)state;
	buf_put_u32(&list, 1);
	put_spread_to(&list, &to);
	put_splice(&list, &cut);
	in.spread = list.data;
	in.spread_len = list.len;
	put_event(&b, &in);
	for (size_t len = 0; len < b.len; len++) {
		assert_false(get_event(b.data, len, &out));
	}
	assert_true(get_event(b.data, b.len, &out));
	rd_init(&r, out.spread, out.spread_len);
	assert_int_equal(rd_u32(&r), 1);
	get_spread_to(&r, &got);
	get_splice(&r, &back);
	assert_true(rd_done(&r));
	assert_true(uuid_eq(&got.user, &to.user) && got.splices == 1);
	assert_true(back.at == 3 && back.len == 4 && back.text_len == 5);
	assert_memory_equal(back.text, "\"Ann\"", 5);
	buf_fini(&list);
	buf_fini(&b);
}

static void
topics_name_their_user(void **state)
{
	struct uuid user = uuid_v4();
	struct uuid back;
	char topic[EVENT_TOPIC_USER_LEN + 1];

	(void)state;
	event_topic_user(&user, topic);
	assert_true(event_topic_parse(topic, strlen(topic), &back));
	assert_true(uuid_eq(&user, &back));
	assert_false(event_topic_parse("gateways", 8, &back));
	assert_false(event_topic_parse(topic, strlen(topic) - 1, &back));
}

static void
bodies_of_calls_come_back(void **state)
{
	struct buf b = BUF_INIT;
	struct chat_mark mark = { uuid_v4(), 9, 4, 7 }, mark_r;
	struct catch_up_head head = { true, 1234 }, head_r;
	struct chat_known known = { uuid_v4(), 17, 8, true }, known_r;
	struct catch_up_part part = { PART_CHANGE, uuid_v4(), 3, 5, "{}", 2 };
	struct catch_up_part part_r;
	struct delivered_mark dm = { uuid_v4(), 12 }, dm_r;
	struct session_head sh = { uuid_v4(), true }, sh_r;
	struct session_change sc = { SESSION_DOWN, uuid_v4(), uuid_v4() }, sc_r;
	struct presence_change pc = { uuid_v4(), true, 1700000000123, 5 }, pc_r;
	struct rd r;

	(void)state;
	put_chat_mark(&b, &mark);
	put_catch_up_head(&b, &head);
	put_chat_known(&b, &known);
	put_catch_up_part(&b, &part);
	put_delivered_mark(&b, &dm);
	put_session_head(&b, &sh);
	put_session_change(&b, &sc);
	put_presence_change(&b, &pc);
	rd_init(&r, b.data, b.len);
	get_chat_mark(&r, &mark_r);
	get_catch_up_head(&r, &head_r);
	get_chat_known(&r, &known_r);
	get_catch_up_part(&r, &part_r);
	get_delivered_mark(&r, &dm_r);
	get_session_head(&r, &sh_r);
	get_session_change(&r, &sc_r);
	get_presence_change(&r, &pc_r);
	assert_true(rd_done(&r));
	assert_true(uuid_eq(&mark.chat, &mark_r.chat) &&
	    mark_r.last_seq == 9 && mark_r.delivered_seq == 4 &&
	    mark_r.version == 7);
	assert_true(head_r.all_chats && head_r.away_ms == 1234);
	assert_true(known_r.known && known_r.after_seq == 17 &&
	    known_r.version == 8);
	assert_true(part_r.kind == PART_CHANGE && part_r.seq == 3 &&
	    part_r.version == 5 && part_r.json_len == 2);
	assert_true(uuid_eq(&dm.user, &dm_r.user) && dm_r.upto == 12);
	assert_true(sh_r.complete && uuid_eq(&sh.gateway, &sh_r.gateway));
	assert_true(sc_r.op == SESSION_DOWN &&
	    uuid_eq(&sc.session, &sc_r.session));
	assert_true(pc_r.online && pc_r.at_ms == 1700000000123 &&
	    pc_r.version == 5);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_come_back_as_they_went),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(another_version_is_named),
		cmocka_unit_test(a_body_longer_than_the_batch_is_refused),
		cmocka_unit_test(events_come_back_and_damage_is_refused),
		cmocka_unit_test(spreads_come_back_whole),
		cmocka_unit_test(topics_name_their_user),
		cmocka_unit_test(bodies_of_calls_come_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
