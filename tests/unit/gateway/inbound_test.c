/*
 * Chunks to messages: sizes counted over all fragments, UTF-8 checked as it
 * comes, order kept, bounds told.
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

#include "common/json_in.h"
#include "gateway/inbound.h"

static struct inbound_frame *
pop(struct inbound *in)
{
	struct inbound_frame *f = inbound_first(in);

	if (f != NULL) {
		inbound_take(in, f);
	}
	return f;
}

static void
expect(struct inbound *in, const char *text)
{
	struct inbound_frame *f = pop(in);

	assert_non_null(f);
	assert_int_equal(f->len, strlen(text));
	assert_string_equal(f->data, text);
	free(f);
}

static bool
add(struct inbound *in, const char *text, bool last)
{
	return inbound_add(in, text, strlen(text), 0, last) == INBOUND_OK;
}

static void
test_whole_and_fragmented(void **state)
{
	struct inbound in;

	(void)state;
	inbound_init(&in, 100, 8);
	assert_true(add(&in, "one", true));
	assert_true(add(&in, "t", false));
	assert_true(add(&in, "", false));
	assert_true(add(&in, "wo", true));
	assert_true(add(&in, "", true));
	expect(&in, "one");
	expect(&in, "two");
	expect(&in, "");
	assert_null(pop(&in));
	assert_int_equal(in.bytes, 0);
	inbound_fini(&in);
}

static void
test_size_over_fragments(void **state)
{
	struct inbound in;

	(void)state;
	inbound_init(&in, 10, 8);
	assert_true(add(&in, "0123456789", true));
	assert_int_equal(inbound_add(&in, "0123456789a", 11, 0, true),
	    INBOUND_TOO_LARGE);
	assert_true(add(&in, "012345", false));
	assert_true(add(&in, "6789", false));
	assert_int_equal(inbound_add(&in, "a", 1, 0, true),
	    INBOUND_TOO_LARGE);
	expect(&in, "0123456789");
	assert_null(pop(&in));
	inbound_fini(&in);
}

static void
test_size_announced(void **state)
{
	struct inbound in;

	(void)state;
	inbound_init(&in, 10, 8);
	assert_int_equal(inbound_add(&in, "01", 2, 8, false), INBOUND_OK);
	assert_int_equal(inbound_add(&in, "2", 1, 8, false),
	    INBOUND_TOO_LARGE);
	inbound_fini(&in);
	inbound_init(&in, 10, 8);
	assert_int_equal(inbound_add(&in, "", 0, SIZE_MAX, false),
	    INBOUND_TOO_LARGE);
	inbound_fini(&in);
}

/* Every sequence of four of these bytes, cut at every place: taken exactly if it
 * is valid as a whole, and refused no later than it is beyond help. */
static void
test_utf8_in_pieces(void **state)
{
	static const unsigned char bytes[] = {
		0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1,
		0xc2, 0xdf, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf1, 0xf4, 0xf5,
	};
	const size_t n = sizeof(bytes);
	char text[4];

	(void)state;
	for (size_t i = 0; i < n * n * n * n * 5; i++) {
		struct utf8_pieces u = { 0 };
		size_t cut = i % 5;
		size_t k = i / 5;
		bool taken;

		for (size_t j = 0; j < sizeof(text); j++, k /= n) {
			text[j] = (char)bytes[k % n];
		}
		taken = utf8_pieces_add(&u, text, cut) &&
		    utf8_pieces_add(&u, text + cut, sizeof(text) - cut) &&
		    utf8_pieces_whole(&u);
		assert_int_equal(taken, utf8_valid(text, sizeof(text)));
	}
}

static void
test_utf8_of_messages(void **state)
{
	struct inbound in;

	(void)state;
	inbound_init(&in, 100, 8);
	assert_true(add(&in, "all ASCII and longer than a word, \xe2\x98",
	    false));
	assert_true(add(&in, "\x83", true));
	assert_true(add(&in, "\xf0\x9f\x98", false));
	assert_int_equal(inbound_add(&in, "", 0, 0, true), INBOUND_NOT_UTF8);
	inbound_fini(&in);
	inbound_init(&in, 100, 8);
	/* At once, not at the end. */
	assert_int_equal(inbound_add(&in, "\xed\xa0", 2, 10, false),
	    INBOUND_NOT_UTF8);
	inbound_fini(&in);
}

static void
test_bounds(void **state)
{
	struct inbound in;

	(void)state;
	inbound_init(&in, 1024 * 1024, 4);
	for (int i = 0; i < 3; i++) {
		assert_true(add(&in, "x", true));
		assert_false(inbound_full(&in));
	}
	assert_true(add(&in, "x", true));
	assert_true(inbound_full(&in));
	assert_false(inbound_has_room(&in));
	free(pop(&in));
	assert_false(inbound_has_room(&in));
	free(pop(&in));
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
	assert_true(inbound_add(&in, big, 300 * 1024, 0, true) ==
	    INBOUND_OK);
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
		cmocka_unit_test(test_size_announced),
		cmocka_unit_test(test_utf8_in_pieces),
		cmocka_unit_test(test_utf8_of_messages),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_bytes_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
