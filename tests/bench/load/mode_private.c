/*
 * Private messages: each client writes to its partner of the pair (or, in a
 * world with more chats, to its next ones in turn), at a rate over all of them
 * or keeping a window in flight each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/load/load.h"
#include "bench/load/pace.h"

#define NEVER UINT64_C(50000000) /* ns: look again after 50 ms */

static struct stream *stream;
static struct pace pace;
static bool paced;
static uint32_t first_client;
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
	stream->sent++;
}

static void
fill_window(struct client *c, uint64_t now)
{
	while (sending && !paced && c->in_flight < options.window &&
	    c->state == CLIENT_READY) {
		send_one(c, now);
	}
}

void
private_begin(uint32_t first, double rate, struct stream *s, uint64_t now)
{
	stream = s;
	first_client = first;
	paced = rate > 0;
	if (paced) {
		pace_begin(&pace, rate, now);
	}
	for (uint32_t i = 0; i < options.connections; i++) {
		fill_window(&clients[first + i], now);
	}
}

void
private_ready(struct client *c, uint64_t now)
{
	fill_window(c, now);
}

void
private_frame(struct client *c, const char *json, size_t len, uint64_t now)
{
	struct mark m;

	if (!message_mark(json, len, &m)) {
		return;
	}
	if (m.sender == c->index) {
		c->in_flight -= c->in_flight > 0;
		if (measuring) {
			stream->acked++;
			results_time(&stream->ack, now - m.due_ns);
		}
		fill_window(c, now);
	} else if (measuring) {
		stream->delivered++;
		results_time(&stream->delivery, now - m.due_ns);
	}
}

uint64_t
private_turn(uint64_t now)
{
	uint64_t due_ns;

	if (!sending || !paced) {
		return NEVER;
	}
	while (pace_take(&pace, now, &due_ns)) {
		struct client *c = &clients[first_client +
		    next_sender++ % options.connections];

		if (c->state == CLIENT_READY) {
			send_one(c, due_ns);
		}
	}
	return pace_wait(&pace, now);
}

static void
begin(uint64_t now)
{
	private_begin(0, options.rate, &results.main, now);
}

const struct mode mode_private = {
	.name = "private",
	.meaning = "private messages, stored, acknowledged and delivered",
	.clients = clients_wanted,
	.begin = begin,
	.handler = {
		.on_ready = private_ready,
		.on_frame = private_frame,
		.on_turn = private_turn,
	},
	.late_count = true,
};
