/*
 * handoff: what one side wrote before it gave, the other sees after it took.
 *
 * NNG and libuv order a callback on a thread of theirs after the call that began
 * the operation, with locks of their own. That is enough for the program, but it
 * is their promise; here each side says it in C11's words, so that a reader and
 * the thread sanitizer, which does not see into Debian's libraries, can check
 * our half. Costs one uncontended atomic.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_HANDOFF_H
#define COMMON_HANDOFF_H

#include <stdatomic.h>

struct handoff {
	atomic_uint turns;
};

/* Before the other side may run: the last thing done with what is handed over. */
static inline void
handoff_give(struct handoff *h)
{
	atomic_fetch_add_explicit(&h->turns, 1, memory_order_acq_rel);
}

/* The first thing done with it by who was given it. */
static inline void
handoff_take(struct handoff *h)
{
	(void)atomic_load_explicit(&h->turns, memory_order_acquire);
}

#endif
