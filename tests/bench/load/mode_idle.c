/*
 * Idle connections: nothing is sent. What they cost is in the watched
 * processes' memory and CPU time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/load/load.h"

#define NEVER UINT64_C(50000000)

static uint32_t
clients_wanted(void)
{
	return options.connections;
}

static void
begin(uint64_t now)
{
	(void)now;
}

static void
on_ready(struct client *c, uint64_t now)
{
	(void)c;
	(void)now;
}

static uint64_t
on_turn(uint64_t now)
{
	(void)now;
	return NEVER;
}

const struct mode mode_idle = {
	.name = "idle",
	.meaning = "connections that say nothing",
	.clients = clients_wanted,
	.begin = begin,
	.handler = { .on_ready = on_ready, .on_turn = on_turn },
};
