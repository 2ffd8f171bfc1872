/*
 * The outbox with a stand-in for the socket that takes, holds or breaks as
 * told: order, bounds, and above all when `sent` is told.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/outbox.h"

struct socket_stub {
	enum out_result next; /* what the next write does */
	bool held;
	unsigned wanted;      /* flushes at the turn's end */
	unsigned wanted_late; /* ... when the socket takes more */
	unsigned writes;
	char written[8192];   /* frames, each followed by a space */
	char sent[256];       /* upto of each note */
};

static enum out_result
stub_write(void *arg, struct out_frame *const *frames, size_t n)
{
	struct socket_stub *s = arg;

	assert_true(n > 0);
	if (s->next == OUT_DEAD) {
		return OUT_DEAD;
	}
	assert_false(s->held);
	s->writes++;
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(s->written);

		snprintf(s->written + len, sizeof(s->written) - len, "%.*s ",
		    (int)frames[i]->len, (const char *)frames[i]->data);
	}
	s->held = s->next == OUT_HELD;
	return s->next;
}

static bool
stub_held(void *arg)
{
	struct socket_stub *s = arg;

	return s->held;
}

static void
stub_want_flush(void *arg, enum flush_when when)
{
	struct socket_stub *s = arg;

	(void)when;
	s->wanted++;
}

static void
stub_want_writable(void *arg)
{
	struct socket_stub *s = arg;

	s->wanted_late++;
}

static void
stub_sent(void *arg, const struct out_note *note)
{
	struct socket_stub *s = arg;
	size_t len = strlen(s->sent);

	snprintf(s->sent + len, sizeof(s->sent) - len, "%u ",
	    (unsigned)note->upto);
}

static const struct outbox_io stub_io = {
	.write = stub_write,
	.held = stub_held,
	.want_flush = stub_want_flush,
	.want_writable = stub_want_writable,
	.sent = stub_sent,
};

static enum push_result
push(struct outbox *o, const char *text, unsigned upto)
{
	const struct out_note note = { .kind = NOTE_CHAT, .upto = upto };
	struct out_frame *f = out_frame_new(text, strlen(text));
	enum push_result r = outbox_push(o, f, upto != 0 ? &note : NULL,
	    FLUSH_SOON);

	out_frame_unref(&f);
	return r;
}

static enum push_result
push_answer(struct outbox *o, const char *text)
{
	const struct out_note note = { .kind = NOTE_ANSWER };
	struct out_frame *f = out_frame_new(text, strlen(text));
	enum push_result r = outbox_push(o, f, &note, FLUSH_SOON);

	out_frame_unref(&f);
	return r;
}

static void
test_written_together(void **state)
{
	struct socket_stub s = { .next = OUT_SENT };
	struct outbox o;

	(void)state;
	outbox_init(&o, &stub_io, &s, 100);
	assert_int_equal(push(&o, "a", 1), PUSH_OK);
	assert_int_equal(push(&o, "b", 0), PUSH_OK);
	assert_string_equal(s.written, "");
	assert_true(s.wanted > 0);
	assert_true(outbox_flush(&o));
	assert_string_equal(s.written, "a b ");
	assert_int_equal(s.writes, 1);
	assert_string_equal(s.sent, "1 ");
	assert_int_equal(s.wanted_late, 0);
	assert_int_equal(o.bytes, 0);
	assert_true(outbox_idle(&o));
	outbox_fini(&o);
}

static void
test_held_is_not_sent(void **state)
{
	struct socket_stub s = { .next = OUT_HELD };
	struct outbox o;

	(void)state;
	outbox_init(&o, &stub_io, &s, 100);
	assert_int_equal(push(&o, "a", 1), PUSH_OK);
	assert_true(outbox_flush(&o));
	assert_int_equal(push(&o, "b", 2), PUSH_OK);
	assert_int_equal(push(&o, "c", 3), PUSH_OK);
	assert_string_equal(s.written, "a ");
	assert_string_equal(s.sent, "");
	assert_int_equal(o.bytes, 3);
	/* Writable, but the library still holds: nothing moves. */
	assert_true(outbox_flush(&o));
	assert_string_equal(s.sent, "");
	/* The rest of a has left; b is taken whole, c is held. */
	s.held = false;
	s.next = OUT_SENT;
	assert_true(outbox_flush(&o));
	assert_string_equal(s.written, "a b c ");
	assert_string_equal(s.sent, "1 2 3 ");
	assert_true(outbox_idle(&o));
	assert_int_equal(o.bytes, 0);
	outbox_fini(&o);
}

static void
test_bound(void **state)
{
	struct socket_stub s = { .next = OUT_HELD };
	struct outbox o;

	(void)state;
	outbox_init(&o, &stub_io, &s, 4);
	/* One frame may be larger than the bound. */
	assert_int_equal(push(&o, "0123456789", 0), PUSH_OK);
	assert_true(outbox_flush(&o));
	assert_int_equal(push(&o, "x", 0), PUSH_FULL);
	s.held = false;
	s.next = OUT_SENT;
	assert_true(outbox_flush(&o));
	assert_int_equal(push(&o, "x", 0), PUSH_OK);
	assert_true(outbox_flush(&o));
	assert_string_equal(s.written, "0123456789 x ");
	outbox_fini(&o);
}

static void
test_answers_do_not_count(void **state)
{
	struct socket_stub s = { .next = OUT_HELD };
	struct outbox o;

	(void)state;
	outbox_init(&o, &stub_io, &s, 4);
	assert_int_equal(push_answer(&o, "0123456789"), PUSH_OK);
	assert_true(outbox_flush(&o));
	/* Neither the rest of an answer nor an event finds it full. */
	assert_int_equal(push_answer(&o, "abcdefghij"), PUSH_OK);
	assert_int_equal(push(&o, "event", 0), PUSH_OK);
	assert_int_equal(o.bytes, 25);
	/* Events do count, for events. */
	assert_int_equal(push(&o, "x", 0), PUSH_FULL);
	assert_int_equal(push_answer(&o, "y"), PUSH_OK);
	assert_int_equal(o.bytes, 26);
	s.held = false;
	s.next = OUT_SENT;
	assert_true(outbox_flush(&o));
	assert_string_equal(s.written, "0123456789 abcdefghij event y ");
	assert_int_equal(o.bytes, 0);
	assert_int_equal(o.asked, 0);
	assert_int_equal(push(&o, "event", 0), PUSH_OK);
	assert_int_equal(push(&o, "x", 0), PUSH_FULL);
	outbox_fini(&o);
	assert_int_equal(o.asked, 0);
}

static void
test_broken(void **state)
{
	struct socket_stub s = { .next = OUT_DEAD };
	struct outbox o;

	(void)state;
	outbox_init(&o, &stub_io, &s, 100);
	assert_int_equal(push(&o, "a", 1), PUSH_OK);
	assert_false(outbox_flush(&o));
	assert_int_equal(o.bytes, 0);
	assert_string_equal(s.sent, "");
	outbox_fini(&o);
}

static void
test_drop(void **state)
{
	struct socket_stub s = { .next = OUT_HELD };
	struct outbox o;

	(void)state;
	outbox_init(&o, &stub_io, &s, 100);
	assert_int_equal(push(&o, "aaaa", 1), PUSH_OK);
	assert_true(outbox_flush(&o));
	assert_int_equal(push(&o, "b", 2), PUSH_OK);
	outbox_drop(&o);
	/* What the library holds is still on its way. */
	assert_int_equal(o.bytes, 4);
	assert_false(outbox_idle(&o));
	outbox_fini(&o);
}

static void
test_late_mark(void **state)
{
	struct out_frame *f = out_frame_new_late("{\"a\":1} ", 8);

	(void)state;
	assert_int_equal(f->len, 23);
	assert_memory_equal(f->data, "{\"a\":1,\"catch_up\":true}", 23);
	out_frame_unref(&f);
	assert_null(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_written_together),
		cmocka_unit_test(test_held_is_not_sent),
		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_answers_do_not_count),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_drop),
		cmocka_unit_test(test_late_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
