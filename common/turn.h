/*
 * What is to be done at the end of the loop's turn: modules that gather (sends,
 * receipts, frames to be written) are called once all that arrived together has
 * been handled, before the loop sleeps. libuv calls the newest handles first: a
 * turn that is made after an rpc_client comes before it, so that calls which a
 * hook makes leave as well. Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_TURN_H
#define COMMON_TURN_H

#include <uv.h>

struct turn;

typedef void turn_fn(void *arg);

struct turn *turn_new(uv_loop_t *loop);
void turn_free(struct turn **t);
/* Called at the end of every turn; cheap when there is nothing to do. */
void turn_add(struct turn *t, turn_fn *fn, void *arg);

#endif
