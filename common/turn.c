/*
 * The end of the loop's turn: right after polling (uv_check), which is where
 * requests and answers arrive, and right before the next (uv_prepare), for what
 * timers have added.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/turn.h"

#include <assert.h>
#include <stdlib.h>

#include "common/mem.h"

#define TURN_MAX 8

struct turn {
	uv_check_t check;
	uv_prepare_t prepare;
	unsigned closing; /* handles still to be closed */
	unsigned count;
	struct {
		turn_fn *fn;
		void *arg;
	} hooks[TURN_MAX];
};

static void
run(struct turn *t)
{
	for (unsigned i = 0; i < t->count; i++) {
		t->hooks[i].fn(t->hooks[i].arg);
	}
}

static void
on_check(uv_check_t *check)
{
	run(check->data);
}

static void
on_prepare(uv_prepare_t *prepare)
{
	run(prepare->data);
}

struct turn *
turn_new(uv_loop_t *loop)
{
	struct turn *t = mem_zalloc(sizeof(*t));

	uv_check_init(loop, &t->check);
	uv_prepare_init(loop, &t->prepare);
	t->check.data = t;
	t->prepare.data = t;
	uv_check_start(&t->check, on_check);
	uv_prepare_start(&t->prepare, on_prepare);
	return t;
}

void
turn_add(struct turn *t, turn_fn *fn, void *arg)
{
	assert(t->count < TURN_MAX);
	t->hooks[t->count].fn = fn;
	t->hooks[t->count++].arg = arg;
}

static void
on_closed(uv_handle_t *handle)
{
	struct turn *t = handle->data;

	if (--t->closing == 0) {
		free(t);
	}
}

void
turn_free(struct turn **tp)
{
	struct turn *t = *tp;

	*tp = NULL;
	if (t == NULL) {
		return;
	}
	t->count = 0;
	t->closing = 2;
	uv_close((uv_handle_t *)&t->check, on_closed);
	uv_close((uv_handle_t *)&t->prepare, on_closed);
}
