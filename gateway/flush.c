/*
 * Two lists, and how much of the second one goes with the first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/flush.h"

#include <stdint.h>

void
flush_init(struct flush *f)
{
	list_init(&f->soon);
	list_init(&f->in_turn);
}

void
flush_add(struct flush *f, struct list *link, enum flush_when when)
{
	if (when == FLUSH_SOON) {
		/* Also who waits in turn. */
		list_del(link);
		list_push_back(&f->soon, link);
	} else if (!list_linked(link)) {
		list_push_back(&f->in_turn, link);
	}
}

/* At most `max` of a list; returns how many. */
static size_t
take(struct list *from, size_t max, flush_fn *fn)
{
	struct list *link;
	size_t n = 0;

	while (n < max && (link = list_pop_front(from)) != NULL) {
		fn(link);
		n++;
	}
	return n;
}

bool
flush_run(struct flush *f, flush_fn *fn)
{
	size_t soon = take(&f->soon, SIZE_MAX, fn);

	(void)take(&f->in_turn, soon > FLUSH_SLICE ? soon : FLUSH_SLICE, fn);
	return !list_empty(&f->in_turn) || !list_empty(&f->soon);
}
