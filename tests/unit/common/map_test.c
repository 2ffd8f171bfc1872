/*
 * map and list. The map is held against a plain array through thousands of
 * random changes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <stdlib.h>
#include <string.h>

#include "common/list.h"
#include "common/map.h"

#define KEYS 700

static struct uuid keys[KEYS];
static char values[KEYS]; /* addresses to point at */
static void *held[KEYS];

static void
check_same(const struct map *m)
{
	size_t cursor = 0, seen = 0, count = 0;
	struct uuid key;
	void *value;

	for (size_t i = 0; i < KEYS; i++) {
		assert_ptr_equal(map_get(m, &keys[i]), held[i]);
		count += held[i] != NULL;
	}
	assert_int_equal(m->len, count);
	while ((value = map_next(m, &cursor, &key)) != NULL) {
		assert_ptr_equal(map_get(m, &key), value);
		seen++;
	}
	assert_int_equal(seen, count);
}

static void
test_against_array(void **state UNUSED)
{
	struct map m;
	unsigned rnd = 12345;

	map_init(&m);
	assert_null(map_get(&m, &keys[0]));
	assert_null(map_del(&m, &keys[0]));
	for (size_t i = 0; i < KEYS; i++) {
		keys[i] = uuid_v4();
	}
	for (int step = 0; step < 40000; step++) {
		size_t i = (size_t)rand_r(&rnd) % KEYS;
		size_t v = (size_t)rand_r(&rnd) % KEYS;

		/* Fill up for a while, then empty. */
		if (rand_r(&rnd) % 10 < (step / 10000 % 2 == 0 ? 7 : 2)) {
			assert_ptr_equal(map_put(&m, &keys[i], &values[v]),
			    held[i]);
			held[i] = &values[v];
		} else {
			assert_ptr_equal(map_del(&m, &keys[i]), held[i]);
			held[i] = NULL;
		}
		if (step % 1000 == 0) {
			check_same(&m);
		}
	}
	check_same(&m);
	for (size_t i = 0; i < KEYS; i++) {
		map_del(&m, &keys[i]);
		held[i] = NULL;
	}
	check_same(&m);
	map_fini(&m);
}

static void
test_delete_while_walking(void **state UNUSED)
{
	struct map m;
	struct uuid key;
	size_t cursor = 0, deleted = 0;

	map_init(&m);
	for (size_t i = 0; i < KEYS; i++) {
		map_put(&m, &keys[i], &values[i]);
	}
	while (map_next(&m, &cursor, &key) != NULL) {
		assert_non_null(map_del(&m, &key));
		deleted++;
		cursor = 0;
	}
	assert_int_equal(deleted, KEYS);
	assert_int_equal(m.len, 0);
	map_fini(&m);
}

struct item {
	int n;
	struct list link;
};

static void
expect_list(struct list *head, const char *digits)
{
	LIST_FOREACH(link, head) {
		assert_int_equal(LIST_ENTRY(link, struct item, link)->n,
		    *digits - '0');
		digits++;
	}
	assert_int_equal(*digits, '\0');
}

static void
test_list(void **state UNUSED)
{
	struct list a = LIST_INIT(a), b = LIST_INIT(b);
	struct item items[6];

	for (int i = 0; i < 6; i++) {
		items[i].n = i;
		list_init(&items[i].link);
		assert_false(list_linked(&items[i].link));
	}
	assert_null(list_pop_front(&a));
	list_push_back(&a, &items[1].link);
	list_push_back(&a, &items[2].link);
	list_push_front(&a, &items[0].link);
	expect_list(&a, "012");
	list_splice_back(&a, &b);
	expect_list(&a, "012");
	list_push_back(&b, &items[3].link);
	list_push_back(&b, &items[4].link);
	list_splice_back(&a, &b);
	assert_true(list_empty(&b));
	expect_list(&a, "01234");
	list_splice_back(&b, &a);
	expect_list(&b, "01234");
	list_insert_before(&items[3].link, &items[5].link);
	expect_list(&b, "012534");
	list_del(&items[2].link);
	list_del(&items[2].link);
	assert_false(list_linked(&items[2].link));
	assert_ptr_equal(list_pop_front(&b), &items[0].link);
	LIST_FOREACH_SAFE(link, next, &b) {
		if (LIST_ENTRY(link, struct item, link)->n % 2 == 1) {
			list_del(link);
		}
	}
	expect_list(&b, "4");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_array),
		cmocka_unit_test(test_delete_while_walking),
		cmocka_unit_test(test_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
