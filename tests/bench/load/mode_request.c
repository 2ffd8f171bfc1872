/*
 * One kind of request that changes nothing, a window of them in flight at each
 * connection: what reading costs.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/load.h"
#include "common/attr.h"
#include "common/mem.h"

#define NEVER UINT64_C(50000000)

static const struct request {
	const char *name;
	bool of_chat;       /* names a private chat of the asker */
	const char *answer; /* its type, with the quote behind */
} requests[] = {
	{ "open_chat", true, "chat_info\"" },
	{ "get_messages", true, "chat_messages\"" },
	{ "get_contacts", false, "contacts\"" },
	{ "echo", true, "echo\"" }, /* of parley-ceiling lws */
};

static const struct request *request;
static uint32_t *asked; /* per client, how often */

static uint32_t
clients_wanted(void)
{
	return options.connections;
}

/* A connection's requests are answered in order. With more than one in flight
 * the time is that since the newest was sent: only with a window of 1 is it
 * told. A user with several chats asks for them in turn. */
static void
send_one(struct client *c, uint64_t now)
{
	char chat[UUID_TEXT_LEN + 1], frame[256];
	uint32_t steps = options.world.chats_each / 2;
	uint32_t step = steps == 0 ? 0 : 1 + asked[c->index]++ % steps;
	int n;

	world_private_chat(options.world.number, c->index, step, chat);
	n = snprintf(frame, sizeof(frame), "{\"type\":\"%s\"%s%s%s}",
	    request->name, request->of_chat ? ",\"chat_id\":\"" : "",
	    request->of_chat ? chat : "", request->of_chat ? "\"" : "");
	c->in_flight++;
	c->turn = now;
	results.main.sent++;
	client_send(c, frame, (size_t)n);
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
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		if (strcmp(requests[i].name, options.request) == 0) {
			request = &requests[i];
		}
	}
	if (request == NULL) {
		fprintf(stderr, "parley-load: no request \"%s\": open_chat, "
		    "get_messages or get_contacts\n",
		    options.request);
		exit(2);
	}
	asked = mem_zalloc(options.connections * sizeof(*asked));
	for (uint32_t i = 0; i < options.connections; i++) {
		fill_window(&clients[i], now);
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
	size_t n = request == NULL ? 0 : strlen(request->answer);

	if (n == 0 || len < 9 + n || memcmp(json + 9, request->answer, n) != 0) {
		return;
	}
	if (measuring) {
		results.main.acked++;
		if (options.window == 1) {
			results_time(&results.main.ack, now - c->turn);
		}
	}
	c->in_flight -= c->in_flight > 0;
	fill_window(c, now);
}

static uint64_t
on_turn(uint64_t now)
{
	(void)now;
	return NEVER;
}

const struct mode mode_request = {
	.name = "request",
	.meaning = "requests of one kind (--request), answered",
	.clients = clients_wanted,
	.begin = begin,
	.handler = {
		.on_ready = on_ready,
		.on_frame = on_frame,
		.on_turn = on_turn,
	},
};
