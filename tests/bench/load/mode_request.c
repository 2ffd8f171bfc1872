/*
 * One kind of request that changes nothing: what reading costs. A window of them
 * in flight at each connection, or at a rate over all of them, each then with one
 * in flight at most.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load/load.h"
#include "bench/load/pace.h"
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
static struct pace pace;
static uint32_t next_asker;

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
	if (options.rate > 0) {
		pace_begin(&pace, options.rate, now);
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

/* The next one that is not waiting for an answer; NULL when all are: what is due
 * then waits, and is charged for it. */
static struct client *
free_asker(void)
{
	for (uint32_t i = 0; i < options.connections; i++) {
		struct client *c = &clients[next_asker++ %
		    options.connections];

		if (c->in_flight == 0 && c->state == CLIENT_READY) {
			return c;
		}
	}
	return NULL;
}

static uint64_t
on_turn(uint64_t now)
{
	struct client *c = NULL;
	uint64_t due_ns;

	if (!sending || options.rate <= 0) {
		return NEVER;
	}
	while (pace_wait(&pace, now) == 0) {
		c = free_asker();
		if (c == NULL) {
			return NEVER; /* an answer will free one */
		}
		(void)pace_take(&pace, now, &due_ns);
		send_one(c, due_ns);
	}
	return pace_wait(&pace, now);
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
