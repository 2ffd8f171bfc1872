/*
 * What is to be done at the end of the loop's turn: modules that gather (sends,
 * receipts, presence questions) are called once all that arrived together has
 * been handled, before the loop sleeps. Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_TURN_H
#define CHATD_TURN_H

#include <uv.h>

struct turn;

typedef void turn_fn(void *arg);

struct turn *turn_new(uv_loop_t *loop);
void turn_free(struct turn **t);
/* Called at the end of every turn; cheap when there is nothing to do. */
void turn_add(struct turn *t, turn_fn *fn, void *arg);

#endif
