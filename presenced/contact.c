/*
 * contact: an unbroken row of answers from Redis (see contact.h).
 *
 * Both kinds of stall show as one thing: the time between two answers. A loop
 * that stood still asks late, a Redis that stood still answers late. That time
 * is measured between the answers, so neither can hide behind the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "presenced/contact.h"

#include <stdlib.h>

void
contact_init(struct contact *c, int64_t gap_ms)
{
	*c = (struct contact){ .gap_ms = gap_ms };
}

static bool
has_gap(const struct contact *c, uint64_t mono_ms, int64_t offset)
{
	return (int64_t)(mono_ms - c->heard_ms) > c->gap_ms ||
	    llabs(offset - c->offset_ms) > c->gap_ms;
}

bool
contact_heard(struct contact *c, uint64_t mono_ms, int64_t redis_ms)
{
	int64_t offset = redis_ms - (int64_t)mono_ms;
	bool kept = c->since_ms == 0 || !has_gap(c, mono_ms, offset);

	if (c->since_ms == 0 || !kept) {
		c->since_ms = mono_ms;
	}
	c->heard_ms = mono_ms;
	c->offset_ms = offset;
	return kept;
}

void
contact_lost(struct contact *c)
{
	c->since_ms = 0;
	c->heard_ms = 0;
}

int64_t
contact_held_ms(const struct contact *c)
{
	return c->since_ms == 0 ? 0 : (int64_t)(c->heard_ms - c->since_ms);
}
