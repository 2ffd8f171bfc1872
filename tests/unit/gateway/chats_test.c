/*
 * What a session knows of its chats: at rest and awake, there and back.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/chats.h"

#define COUNT 20

static struct uuid
numbered(unsigned n)
{
	struct uuid id = { { 1 } };

	/* Not in the order of the numbers. */
	id.b[3] = (uint8_t)(n * 37);
	id.b[15] = (uint8_t)n;
	return id;
}

/* Chat n is written up to 10 n and has heard of n changes. */
static void
load(struct chats *c)
{
	struct chat_at_rest *rest;

	chats_init(c);
	rest = chats_expect(c, COUNT);
	for (unsigned n = 0; n < COUNT; n++) {
		rest[n] = (struct chat_at_rest){ numbered(n), 10 * n, n };
	}
	chats_sort(c);
}

static unsigned
awake(struct chats *c)
{
	unsigned count = 0;
	size_t cursor = 0;

	while (chats_next(c, &cursor) != NULL) {
		count++;
	}
	return count;
}

static void
check(struct chats *c, unsigned n)
{
	const struct uuid id = numbered(n);
	const struct session_chat *chat = chats_get(c, &id);

	assert_non_null(chat);
	assert_true(uuid_eq(&chat->id, &id));
	assert_int_equal(chat->track.frontier, 10 * n);
	assert_int_equal(chat->track.live, 10 * n);
	assert_int_equal(chat->noted, 10 * n);
	assert_int_equal(chat->version, n);
	assert_int_equal(chat->version_heard, n);
	assert_false(chat_has_hole(chat));
}

static void
each_is_found_and_wakes_alone(void **state)
{
	const struct uuid nobody = numbered(COUNT);
	struct chats c;

	(void)state;
	load(&c);
	assert_null(chats_get(&c, &nobody));
	assert_int_equal(awake(&c), 0);
	for (unsigned n = 0; n < COUNT; n++) {
		check(&c, n);
		assert_int_equal(awake(&c), n + 1);
		assert_int_equal(chats_count(&c), COUNT);
	}
	for (unsigned n = 0; n < COUNT; n++) {
		check(&c, n);
	}
	chats_fini(&c);
}

static void
all_wake_and_go_to_rest(void **state)
{
	struct chats c;

	(void)state;
	load(&c);
	check(&c, 3);
	chats_wake(&c);
	assert_int_equal(awake(&c), COUNT);
	chats_rest(&c);
	assert_int_equal(awake(&c), 0);
	assert_int_equal(chats_count(&c), COUNT);
	for (unsigned n = 0; n < COUNT; n++) {
		check(&c, n);
	}
	chats_fini(&c);
}

/* Each of these would be forgotten. */
static void
who_has_something_to_say_stays_awake(void **state)
{
	struct session_chat *chats[8];
	struct chats c;

	(void)state;
	load(&c);
	for (unsigned n = 0; n < 8; n++) {
		const struct uuid id = numbered(n);

		chats[n] = chats_get(&c, &id);
	}
	assert_int_equal(seqtrack_mark(&chats[0]->track, 2, SEQ_FROM_LIVE),
	    SEQ_NEW); /* 1 is missing */
	chats[1]->want = WANT_HOLES;
	chats[2]->in_flight = true;
	chats[3]->heard = 31;
	chats[4]->seen = 41;
	chats[5]->noted = 49;
	assert_int_equal(chat_hear_change(chats[6], 8), CHANGE_AHEAD);
	assert_int_equal(seqtrack_mark(&chats[7]->track, 71, SEQ_FROM_LIVE),
	    SEQ_NEW);
	chats[7]->noted = 71;
	chats_rest(&c);
	assert_int_equal(awake(&c), 7);
	assert_int_equal(chats_count(&c), COUNT);
	for (unsigned n = 0; n < 7; n++) {
		const struct uuid id = numbered(n);

		assert_ptr_equal(chats_get(&c, &id), chats[n]);
	}
	{
		const struct uuid id = numbered(7);

		assert_int_equal(chats_get(&c, &id)->track.frontier, 71);
	}
	chats_fini(&c);
}

/* As in a busy chat, where one hole after another opens and closes. */
static void
a_hole_lasts_while_nothing_closes_it(void **state)
{
	const struct uuid id = numbered(1);
	struct session_chat *chat;
	struct chats c;

	(void)state;
	load(&c);
	chat = chats_get(&c, &id);
	assert_int_equal(seqtrack_mark(&chat->track, 12, SEQ_FROM_LIVE),
	    SEQ_NEW); /* 11 is missing */
	chat_note_hole(chat);
	assert_true(chat_hole_lasts(chat));
	assert_int_equal(seqtrack_mark(&chat->track, 14, SEQ_FROM_LIVE),
	    SEQ_NEW);
	assert_true(chat_hole_lasts(chat));
	assert_int_equal(seqtrack_mark(&chat->track, 11, SEQ_FROM_LIVE),
	    SEQ_LATE); /* now it is 13 */
	assert_true(chat_has_hole(chat));
	assert_false(chat_hole_lasts(chat));
	chat_note_hole(chat);
	assert_true(chat_hole_lasts(chat));
	assert_int_equal(seqtrack_mark(&chat->track, 13, SEQ_FROM_LIVE),
	    SEQ_LATE);
	assert_false(chat_hole_lasts(chat));
	chats_fini(&c);
}

/* Nor does a message hide that a change is missing, or the other way round. */
static void
a_missing_change_lasts_by_itself(void **state)
{
	const struct uuid id = numbered(2);
	struct session_chat *chat;
	struct chats c;

	(void)state;
	load(&c);
	chat = chats_get(&c, &id);
	assert_int_equal(chat_hear_change(chat, 4), CHANGE_AHEAD);
	chat_note_hole(chat);
	assert_int_equal(seqtrack_mark(&chat->track, 21, SEQ_FROM_LIVE),
	    SEQ_NEW);
	assert_true(chat_hole_lasts(chat));
	chat_told_version(chat, 3);
	assert_true(chat_has_hole(chat));
	assert_false(chat_hole_lasts(chat));
	chats_fini(&c);
}

static void
what_is_known_is_not_added_again_and_can_go(void **state)
{
	const struct uuid known = numbered(5), gone = numbered(6),
	    added = numbered(COUNT);
	struct chats c;

	(void)state;
	load(&c);
	assert_int_equal(chats_add(&c, &known, 7)->track.frontier, 50);
	chats_del(&c, &known);
	assert_null(chats_get(&c, &known));
	chats_del(&c, &gone);
	assert_null(chats_get(&c, &gone));
	assert_int_equal(chats_count(&c), COUNT - 2);
	assert_int_equal(chats_add(&c, &added, 7)->track.frontier, 7);
	assert_int_equal(chats_count(&c), COUNT - 1);
	chats_fini(&c);
}

static void
a_session_may_know_none(void **state)
{
	const struct uuid id = numbered(1);
	struct chats c;

	(void)state;
	chats_init(&c);
	assert_null(chats_expect(&c, 0));
	chats_sort(&c);
	chats_wake(&c);
	assert_null(chats_get(&c, &id));
	chats_del(&c, &id);
	chats_rest(&c);
	assert_int_equal(chats_count(&c), 0);
	chats_fini(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_found_and_wakes_alone),
		cmocka_unit_test(all_wake_and_go_to_rest),
		cmocka_unit_test(who_has_something_to_say_stays_awake),
		cmocka_unit_test(a_hole_lasts_while_nothing_closes_it),
		cmocka_unit_test(a_missing_change_lasts_by_itself),
		cmocka_unit_test(what_is_known_is_not_added_again_and_can_go),
		cmocka_unit_test(a_session_may_know_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
