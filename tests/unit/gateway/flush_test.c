/*
 * Whose turn it is to be written to.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gateway/flush.h"

#define MANY (10 * FLUSH_SLICE)

static struct list links[MANY];
static size_t order[2 * MANY]; /* who was written to */
static size_t written;
static struct flush flush;
static struct list *again;     /* is added soon once, while another is written */

static void
on_flush(struct list *link)
{
	assert_false(list_linked(link));
	order[written++] = (size_t)(link - links);
	if (again != NULL) {
		link = again;
		again = NULL;
		flush_add(&flush, link, FLUSH_SOON);
	}
}

static int
setup(void **state)
{
	(void)state;
	flush_init(&flush);
	for (size_t i = 0; i < MANY; i++) {
		list_init(&links[i]);
	}
	written = 0;
	again = NULL;
	return 0;
}

static void
add(size_t from, size_t to, enum flush_when when)
{
	for (size_t i = from; i < to; i++) {
		flush_add(&flush, &links[i], when);
	}
}

static void
assert_order(size_t at, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		assert_int_equal(order[at++], i);
	}
}

static void
test_soon_is_this_turn(void **state)
{
	(void)state;
	add(0, MANY, FLUSH_SOON);
	assert_false(flush_run(&flush, on_flush));
	assert_int_equal(written, MANY);
	assert_order(0, 0, MANY);
	assert_false(flush_run(&flush, on_flush));
	assert_int_equal(written, MANY);
}

static void
test_in_turn_a_slice_at_a_time(void **state)
{
	size_t turns = 1;

	(void)state;
	add(0, MANY, FLUSH_IN_TURN);
	while (flush_run(&flush, on_flush)) {
		assert_int_equal(written, turns++ * FLUSH_SLICE);
	}
	assert_int_equal(turns, MANY / FLUSH_SLICE);
	assert_order(0, 0, MANY);
}

/* What comes meanwhile for one goes before all who wait in turn. */
static void
test_soon_goes_before(void **state)
{
	(void)state;
	add(0, MANY - 1, FLUSH_IN_TURN);
	assert_true(flush_run(&flush, on_flush));
	add(MANY - 1, MANY, FLUSH_SOON);
	assert_true(flush_run(&flush, on_flush));
	assert_int_equal(order[FLUSH_SLICE], MANY - 1);
	assert_order(FLUSH_SLICE + 1, FLUSH_SLICE, 2 * FLUSH_SLICE);
}

/* One who waits in turn and gets something for himself: all of his, once. */
static void
test_who_waits_in_turn_may_come_soon(void **state)
{
	(void)state;
	add(0, MANY, FLUSH_IN_TURN);
	flush_add(&flush, &links[MANY - 1], FLUSH_SOON);
	flush_add(&flush, &links[MANY - 1], FLUSH_IN_TURN);
	while (flush_run(&flush, on_flush)) {
	}
	assert_int_equal(written, MANY);
	assert_int_equal(order[0], MANY - 1);
	assert_order(1, 0, MANY - 1);
}

/* However much comes soon, turn after turn, the others get as much. */
static void
test_neither_starves(void **state)
{
	const size_t busy = 4 * FLUSH_SLICE;

	(void)state;
	add(busy, MANY, FLUSH_IN_TURN);
	add(0, busy, FLUSH_SOON);
	assert_true(flush_run(&flush, on_flush));
	assert_int_equal(written, 2 * busy);
	add(0, busy, FLUSH_SOON);
	assert_false(flush_run(&flush, on_flush));
	assert_int_equal(written, 2 * busy + MANY - busy);
}

static void
test_what_writing_adds(void **state)
{
	(void)state;
	add(0, 1, FLUSH_SOON);
	again = &links[1];
	assert_false(flush_run(&flush, on_flush));
	assert_order(0, 0, 2);
	/* By one in turn: the loop has to come back for it. */
	add(2, 3, FLUSH_IN_TURN);
	again = &links[3];
	assert_true(flush_run(&flush, on_flush));
	assert_int_equal(written, 3);
	assert_false(flush_run(&flush, on_flush));
	assert_order(0, 0, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_soon_is_this_turn, setup),
		cmocka_unit_test_setup(test_in_turn_a_slice_at_a_time, setup),
		cmocka_unit_test_setup(test_soon_goes_before, setup),
		cmocka_unit_test_setup(test_who_waits_in_turn_may_come_soon,
		    setup),
		cmocka_unit_test_setup(test_neither_starves, setup),
		cmocka_unit_test_setup(test_what_writing_adds, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
