/*
 * A group and private messages on the same connections' processes at the same
 * time, each at a pace of its own: what one does to the other. The first
 * `group` clients are the group, `connections` more write in pairs. A rate of 0
 * leaves that kind out, while its clients stay connected.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/load/load.h"

#define NEVER UINT64_C(50000000)

static uint32_t
clients_wanted(void)
{
	return options.world.group + options.connections;
}

static void
begin(uint64_t now)
{
	if (options.group_rate > 0) {
		group_begin(options.group_rate, &results.group, now);
	}
	if (options.rate > 0) {
		private_begin(options.world.group, options.rate,
		    &results.main, now);
	}
}

static void
on_ready(struct client *c, uint64_t now)
{
	(void)c;
	(void)now;
}

static void
on_frame(struct client *c, const char *json, size_t len, uint64_t now)
{
	if (!sending && !measuring) {
		return;
	}
	if (c->index < options.world.group) {
		group_frame(c, json, len, now);
	} else {
		private_frame(c, json, len, now);
	}
}

static uint64_t
on_turn(uint64_t now)
{
	uint64_t group = options.group_rate > 0 ? group_turn(now) : NEVER;
	uint64_t private = options.rate > 0 ? private_turn(now) : NEVER;

	return group < private ? group : private;
}

const struct mode mode_mixed = {
	.name = "mixed",
	.meaning = "a group at --group-rate beside private messages at --rate",
	.clients = clients_wanted,
	.begin = begin,
	.handler = {
		.on_ready = on_ready,
		.on_frame = on_frame,
		.on_turn = on_turn,
	},
	.late_count = true,
};
