/*
 * An open loop's schedule: message n is due at begin + n / rate, whatever the
 * server does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/load/load.h"

static uint64_t begin;
static uint64_t taken;

static uint64_t
due(uint64_t n)
{
	return begin + (uint64_t)((double)n * 1e9 / options.rate);
}

void
pace_begin(uint64_t now)
{
	begin = now;
	taken = 0;
}

bool
pace_take(uint64_t now, uint64_t *due_r)
{
	*due_r = due(taken);
	if (*due_r > now) {
		return false;
	}
	taken++;
	return true;
}

uint64_t
pace_wait(uint64_t now)
{
	uint64_t next = due(taken);

	return next > now ? next - now : 0;
}
