/*
 * inbox: the one way for other threads into a loop's thread.
 *
 *   NNG callback ---post---> [ locked list ] ---uv_async---> on the loop: fn()
 *
 * The loop is woken only when the list goes from empty to non-empty. Items are
 * delivered in the order they were posted. inbox_post: any thread; all else:
 * the loop's thread. Once inbox_close was called, posting is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_INBOX_H
#define COMMON_INBOX_H

#include <stdbool.h>
#include <uv.h>

#include "common/attr.h"
#include "common/list.h"

struct inbox;

/* Embedded in whatever is posted; owned by the poster until it is delivered. */
struct inbox_item {
	struct list link;
};

typedef void inbox_fn(void *arg, struct inbox_item *item);

/* NULL when the system gives no descriptor for the wake-up. */
MUST_CHECK struct inbox *inbox_new(uv_loop_t *loop, inbox_fn *fn, void *arg);
/* False when the inbox is closed: the poster keeps the item. */
MUST_CHECK bool inbox_post(struct inbox *in, struct inbox_item *item);
/* Refuses further posts and delivers what is still listed. */
void inbox_close(struct inbox *in);
/* After inbox_close and after all posting threads are gone. The memory goes
 * when the loop has turned once more. NULL is ignored. */
void inbox_free(struct inbox **in);

#endif
