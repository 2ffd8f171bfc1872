/*
 * Chunks to messages: sizes counted over all fragments, order kept, bounds
 * told.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/inbound.h"

static void
expect(struct inbound *in, const char *text)
{
	struct inbound_frame *f = inbound_pop(in);

	assert_non_null(f);
	assert_int_equal(f->len, strlen(text));
	assert_string_equal(f->data, text);
	free(f);
}

static void
test_whole_and_fragmented(void **state)
{
	struct inbound in;

	(void)state;
	inbound_init(&in, 100, 8);
	assert_true(inbound_add(&in, "one", 3, true));
	assert_true(inbound_add(&in, "t", 1, false));
	assert_true(inbound_add(&in, "", 0, false));
	assert_true(inbound_add(&in, "wo", 2, true));
	assert_true(inbound_add(&in, "", 0, true));
	expect(&in, "one");
	expect(&in, "two");
	expect(&in, "");
	assert_null(inbound_pop(&in));
	assert_int_equal(in.bytes, 0);
	inbound_fini(&in);
}

static void
test_size_over_fragments(void **state)
{
	struct inbound in;

	(void)state;
	inbound_init(&in, 10, 8);
	assert_true(inbound_add(&in, "0123456789", 10, true));
	assert_false(inbound_add(&in, "0123456789a", 11, true));
	assert_true(inbound_add(&in, "012345", 6, false));
	assert_true(inbound_add(&in, "6789", 4, false));
	assert_false(inbound_add(&in, "a", 1, true));
	expect(&in, "0123456789");
	assert_null(inbound_pop(&in));
	inbound_fini(&in);
}

static void
test_bounds(void **state)
{
	struct inbound in;

	(void)state;
	inbound_init(&in, 1024 * 1024, 4);
	for (int i = 0; i < 3; i++) {
		assert_true(inbound_add(&in, "x", 1, true));
		assert_false(inbound_full(&in));
	}
	assert_true(inbound_add(&in, "x", 1, true));
	assert_true(inbound_full(&in));
	assert_false(inbound_has_room(&in));
	free(inbound_pop(&in));
	assert_false(inbound_has_room(&in));
	free(inbound_pop(&in));
	assert_true(inbound_has_room(&in));
	inbound_fini(&in);
}

static void
test_bytes_bound(void **state)
{
	struct inbound in;
	char *big = calloc(1, 300 * 1024);

	(void)state;
	inbound_init(&in, 1024 * 1024, 100);
	assert_true(inbound_add(&in, big, 300 * 1024, true));
	assert_true(inbound_full(&in));
	inbound_fini(&in);
	free(big);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole_and_fragmented),
		cmocka_unit_test(test_size_over_fragments),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_bytes_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
