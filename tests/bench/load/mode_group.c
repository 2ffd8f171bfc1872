/*
 * One group: the first `senders` members write, everyone else must get each
 * message. Also measured: how long until the last member has it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "bench/load/load.h"

#define NEVER UINT64_C(50000000)
#define OPEN_MAX 65536u /* messages on their way; older ones are forgotten */

static struct {
	uint64_t due_ns;
	uint32_t left;
} open_messages[OPEN_MAX];
static uint32_t next_number;
static uint32_t next_sender;
static char chat[UUID_TEXT_LEN + 1];

static uint32_t
clients_wanted(void)
{
	return options.world.group;
}

static void
send_one(struct client *c, uint64_t due_ns)
{
	uint32_t number = next_number++;

	open_messages[number % OPEN_MAX].due_ns = due_ns;
	open_messages[number % OPEN_MAX].left = options.world.group - 1;
	c->in_flight++;
	message_send(c, chat, due_ns, number);
}

static void
fill_window(struct client *c, uint64_t now)
{
	while (sending && options.rate <= 0 && c->index < options.senders &&
	    c->in_flight < options.window && c->state == CLIENT_READY) {
		send_one(c, now);
	}
}

static void
begin(uint64_t now)
{
	world_group_chat(options.world.number, chat);
	pace_begin(now);
	for (uint32_t i = 0; i < options.senders; i++) {
		fill_window(&clients[i], now);
	}
}

static void
on_ready(struct client *c, uint64_t now)
{
	fill_window(c, now);
}

static void
on_delivery(const struct mark *m, uint64_t now)
{
	uint32_t i = m->number % OPEN_MAX;

	results.delivered++;
	histogram_add(&results.delivery, now - m->due_ns);
	if (open_messages[i].due_ns == m->due_ns &&
	    --open_messages[i].left == 0) {
		results.completed++;
		histogram_add(&results.last, now - m->due_ns);
	}
}

static void
on_frame(struct client *c, const char *json, size_t len, uint64_t now)
{
	struct mark m;

	if (!message_mark(json, len, &m)) {
		return;
	}
	if (m.sender != c->index) {
		if (measuring) {
			on_delivery(&m, now);
		}
		return;
	}
	c->in_flight -= c->in_flight > 0;
	if (measuring) {
		results.acked++;
		histogram_add(&results.ack, now - m.due_ns);
	}
	fill_window(c, now);
}

static uint64_t
on_turn(uint64_t now)
{
	uint64_t due_ns;

	if (!sending || options.rate <= 0) {
		return NEVER;
	}
	while (pace_take(now, &due_ns)) {
		struct client *c = &clients[next_sender++ % options.senders];

		if (c->state == CLIENT_READY) {
			send_one(c, due_ns);
		}
	}
	return pace_wait(now);
}

const struct mode mode_group = {
	.name = "group",
	.meaning = "messages of one group, delivered to all its members",
	.clients = clients_wanted,
	.begin = begin,
	.handler = {
		.on_ready = on_ready,
		.on_frame = on_frame,
		.on_turn = on_turn,
	},
};
