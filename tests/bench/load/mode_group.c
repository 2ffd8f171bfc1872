/*
 * One group: the first `senders` members write, everyone else must get each
 * message. Also measured: how long until the last member has it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "bench/load/load.h"
#include "bench/load/pace.h"

#define NEVER UINT64_C(50000000)
#define OPEN_MAX 65536u /* messages on their way; older ones are forgotten */

static struct {
	uint64_t due_ns;
	uint32_t left;
} open_messages[OPEN_MAX];
static struct stream *stream;
static struct pace pace;
static bool paced;
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
	stream->sent++;
}

static void
fill_window(struct client *c, uint64_t now)
{
	while (sending && !paced && c->index < options.senders &&
	    c->in_flight < options.window && c->state == CLIENT_READY) {
		send_one(c, now);
	}
}

void
group_begin(double rate, struct stream *s, uint64_t now)
{
	stream = s;
	world_group_chat(options.world.number, chat);
	paced = rate > 0;
	if (paced) {
		pace_begin(&pace, rate, now);
	}
	for (uint32_t i = 0; i < options.senders; i++) {
		fill_window(&clients[i], now);
	}
}

void
group_ready(struct client *c, uint64_t now)
{
	fill_window(c, now);
}

static void
on_delivery(const struct mark *m, uint64_t now)
{
	uint32_t i = m->number % OPEN_MAX;

	stream->delivered++;
	histogram_add(&stream->delivery, now - m->due_ns);
	if (open_messages[i].due_ns == m->due_ns &&
	    --open_messages[i].left == 0) {
		stream->completed++;
		results_time(&stream->last, now - m->due_ns);
	}
}

void
group_frame(struct client *c, const char *json, size_t len, uint64_t now)
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
		stream->acked++;
		results_time(&stream->ack, now - m.due_ns);
	}
	fill_window(c, now);
}

uint64_t
group_turn(uint64_t now)
{
	uint64_t due_ns;

	if (!sending || !paced) {
		return NEVER;
	}
	while (pace_take(&pace, now, &due_ns)) {
		struct client *c = &clients[next_sender++ % options.senders];

		if (c->state == CLIENT_READY) {
			send_one(c, due_ns);
		}
	}
	return pace_wait(&pace, now);
}

static void
begin(uint64_t now)
{
	group_begin(options.rate, &results.main, now);
}

const struct mode mode_group = {
	.name = "group",
	.meaning = "messages of one group, delivered to all its members",
	.clients = clients_wanted,
	.begin = begin,
	.handler = {
		.on_ready = group_ready,
		.on_frame = group_frame,
		.on_turn = group_turn,
	},
	.late_count = true,
};
