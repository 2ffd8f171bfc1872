/*
 * inbox: four threads post, the loop gets everything, each thread's items in
 * order; closing delivers what is left and refuses the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/inbox.h"
#include "common/mem.h"

#define POSTERS 4
#define POSTS 5000

struct post {
	struct inbox_item item;
	int poster;
	int number;
};

static struct inbox *inbox;
static int next_number[POSTERS];
static int delivered;

static void
on_post(void *arg, struct inbox_item *item)
{
	struct post *p = CONTAINER_OF(item, struct post, item);

	assert_ptr_equal(arg, &delivered);
	assert_int_equal(p->number, next_number[p->poster]);
	next_number[p->poster]++;
	free(p);
	if (++delivered == POSTERS * POSTS) {
		inbox_close(inbox);
	}
}

static void *
poster(void *arg)
{
	for (int i = 0; i < POSTS; i++) {
		struct post *p = mem_zalloc(sizeof(*p));

		p->poster = (int)(intptr_t)arg;
		p->number = i;
		if (!inbox_post(inbox, &p->item)) {
			abort();
		}
	}
	return NULL;
}

static void
test_threads(void **state UNUSED)
{
	pthread_t threads[POSTERS];
	uv_loop_t loop;

	uv_loop_init(&loop);
	inbox = inbox_new(&loop, on_post, &delivered);
	assert_non_null(inbox);
	for (intptr_t i = 0; i < POSTERS; i++) {
		pthread_create(&threads[i], NULL, poster, (void *)i);
	}
	uv_run(&loop, UV_RUN_DEFAULT);
	for (int i = 0; i < POSTERS; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(next_number[i], POSTS);
	}
	inbox_free(&inbox);
	assert_null(inbox);
	assert_int_equal(uv_loop_close(&loop), 0);
}

static int seen;

static void
on_close_item(void *arg, struct inbox_item *item UNUSED)
{
	/* Closing from within a delivery delivers the rest once. */
	seen++;
	inbox_close(*(struct inbox **)arg);
}

static void
test_close(void **state UNUSED)
{
	struct inbox_item items[3], late;
	struct inbox *in;
	uv_loop_t loop;

	uv_loop_init(&loop);
	in = inbox_new(&loop, on_close_item, &in);
	for (int i = 0; i < 3; i++) {
		assert_true(inbox_post(in, &items[i]));
	}
	inbox_close(in);
	assert_int_equal(seen, 3);
	assert_false(inbox_post(in, &late));
	inbox_free(&in);
	inbox_free(&in);
	uv_run(&loop, UV_RUN_DEFAULT);
	assert_int_equal(seen, 3);
	assert_int_equal(uv_loop_close(&loop), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
