/*
 * A list of chats in the order it is shown, however its rows came.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "chatd/store_chats.h"
#include "common/attr.h"

static struct chat_item
item(int64_t active_at, uint8_t id)
{
	struct chat_item c = { .active_at = active_at, .last_seq = id };

	c.id.b[0] = id; /* above 127 as well: not signed */
	return c;
}

static void
expect_order(const struct chat_item *items, const uint8_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(items[i].id.b[0], ids[i]);
		assert_int_equal(items[i].last_seq, ids[i]);
	}
}

static void
test_newest_activity_first_then_the_newer_chat(void **state)
{
	static const uint8_t ids[] = { 3, 200, 100, 7, 1 };
	struct chat_item items[] = { item(5, 100), item(1, 1), item(9, 3),
		item(5, 7), item(5, 200) };

	(void)state;
	store_chat_items_sort(items, ARRAY_LEN(items));
	expect_order(items, ids, ARRAY_LEN(items));
	store_chat_items_sort(items, ARRAY_LEN(items));
	expect_order(items, ids, ARRAY_LEN(items));
}

static void
test_only_the_last_is_out_of_order(void **state)
{
	static const uint8_t ids[] = { 9, 4, 3, 2 };
	struct chat_item items[] = { item(4, 4), item(3, 3), item(2, 2),
		item(7, 9) };

	(void)state;
	store_chat_items_sort(items, ARRAY_LEN(items));
	expect_order(items, ids, ARRAY_LEN(items));
}

static void
test_none_and_one(void **state)
{
	struct chat_item one = item(1, 1);

	(void)state;
	store_chat_items_sort(&one, 0);
	store_chat_items_sort(&one, 1);
	assert_int_equal(one.active_at, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
		    test_newest_activity_first_then_the_newer_chat),
		cmocka_unit_test(test_only_the_last_is_out_of_order),
		cmocka_unit_test(test_none_and_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
