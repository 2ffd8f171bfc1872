/*
 * Private messages: each client writes to its partner of the pair (or, in a
 * world with more chats, to its next ones in turn), at a rate over all of them
 * or keeping a window in flight each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/load/load.h"

#define NEVER UINT64_C(50000000) /* ns: look again after 50 ms */

static uint32_t next_sender;

static uint32_t
clients_wanted(void)
{
	return options.connections;
}

static void
send_one(struct client *c, uint64_t due_ns)
{
	char chat[UUID_TEXT_LEN + 1];
	uint32_t steps = options.world.chats_each / 2;
	uint32_t step = steps == 0 ? 0 : 1 + (uint32_t)(c->turn++ % steps);

	c->in_flight++;
	message_send(c, world_private_chat(options.world.number, c->index,
	    step, chat), due_ns, 0);
}

static void
fill_window(struct client *c, uint64_t now)
{
	while (sending && options.rate <= 0 &&
	    c->in_flight < options.window && c->state == CLIENT_READY) {
		send_one(c, now);
	}
}

static void
begin(uint64_t now)
{
	pace_begin(now);
	for (uint32_t i = 0; i < options.connections; i++) {
		fill_window(&clients[i], now);
	}
}

static void
on_ready(struct client *c, uint64_t now)
{
	fill_window(c, now);
}

static void
on_frame(struct client *c, const char *json, size_t len, uint64_t now)
{
	struct mark m;

	if (!message_mark(json, len, &m)) {
		return;
	}
	if (m.sender == c->index) {
		c->in_flight -= c->in_flight > 0;
		if (measuring) {
			results.acked++;
			histogram_add(&results.ack, now - m.due_ns);
		}
		fill_window(c, now);
	} else if (measuring) {
		results.delivered++;
		histogram_add(&results.delivery, now - m.due_ns);
	}
}

static uint64_t
on_turn(uint64_t now)
{
	uint64_t due_ns;

	if (!sending || options.rate <= 0) {
		return NEVER;
	}
	while (pace_take(now, &due_ns)) {
		struct client *c = &clients[next_sender++ %
		    options.connections];

		if (c->state == CLIENT_READY) {
			send_one(c, due_ns);
		}
	}
	return pace_wait(now);
}

const struct mode mode_private = {
	.name = "private",
	.meaning = "private messages, stored, acknowledged and delivered",
	.clients = clients_wanted,
	.begin = begin,
	.handler = {
		.on_ready = on_ready,
		.on_frame = on_frame,
		.on_turn = on_turn,
	},
};
