/*
 * Each due time is worked out from the beginning, so that rounding never adds
 * up: see pace.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/load/pace.h"

static uint64_t
due(const struct pace *p)
{
	return p->begin_ns + (uint64_t)((double)p->taken * 1e9 / p->rate);
}

void
pace_begin(struct pace *p, double rate, uint64_t now)
{
	p->begin_ns = now;
	p->taken = 0;
	p->rate = rate;
}

bool
pace_take(struct pace *p, uint64_t now, uint64_t *due_r)
{
	*due_r = due(p);
	if (*due_r > now) {
		return false;
	}
	p->taken++;
	return true;
}

uint64_t
pace_wait(const struct pace *p, uint64_t now)
{
	uint64_t next = due(p);

	return next > now ? next - now : 0;
}
