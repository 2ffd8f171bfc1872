/*
 * Which chats are stored apart, and that no more are remembered than may be.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chatd/large.h"

static struct uuid
chat(unsigned n)
{
	struct uuid id = { { 1 } };

	id.b[12] = (uint8_t)(n >> 24);
	id.b[13] = (uint8_t)(n >> 16);
	id.b[14] = (uint8_t)(n >> 8);
	id.b[15] = (uint8_t)n;
	return id;
}

static void
note(struct large *l, unsigned n, size_t members)
{
	struct uuid id = chat(n);

	large_note(l, &id, members);
}

static bool
has(const struct large *l, unsigned n)
{
	struct uuid id = chat(n);

	return large_has(l, &id);
}

static void
test_by_the_last_message(void **state)
{
	struct large l;

	(void)state;
	large_init(&l);
	assert_false(has(&l, 1));
	note(&l, 1, LARGE_MEMBERS - 1);
	assert_false(has(&l, 1));
	note(&l, 1, LARGE_MEMBERS);
	note(&l, 1, LARGE_MEMBERS + 1);
	assert_true(has(&l, 1));
	assert_false(has(&l, 2));
	note(&l, 1, LARGE_MEMBERS - 1);
	assert_false(has(&l, 1));
	assert_int_equal(l.chats.len, 0);
	large_fini(&l);
}

static void
test_bounded(void **state)
{
	struct large l;

	(void)state;
	large_init(&l);
	for (unsigned i = 0; i < LARGE_CHATS_MAX + 10; i++) {
		large_forget_full(&l);
		note(&l, i, LARGE_MEMBERS);
		assert_true(l.chats.len <= LARGE_CHATS_MAX);
		assert_true(has(&l, i));
	}
	assert_int_equal(l.chats.len, 10);
	/* Not while one of them may be in flight: then no more are learned. */
	for (unsigned i = 0; i < 2 * LARGE_CHATS_MAX; i++) {
		note(&l, i, LARGE_MEMBERS);
	}
	assert_int_equal(l.chats.len, LARGE_CHATS_MAX);
	large_fini(&l);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_the_last_message),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
