/*
 * Connecting, from the SYN to user_info. `connect`: a window of clients that
 * connect, are served, and are cut to make room for the next. `storm`: all
 * clients are cut at once and come back at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "bench/load/load.h"

#define NEVER UINT64_C(50000000)
#define AGAIN_MIN UINT64_C(50000000)    /* a refused client waits 50 ms */
#define AGAIN_SPREAD UINT64_C(450000000) /* to half a second */

static uint32_t next_client;

static uint32_t
none_wanted(void)
{
	return 0;
}

static uint32_t
all_wanted(void)
{
	return options.connections;
}

static void
opened(struct client *c, uint64_t now)
{
	if (measuring) {
		results.opened++;
		results_time(&results.opening, now - c->began_ns);
	}
}

static void
connect_next(void)
{
	struct client *c;

	for (uint32_t i = 0; i < options.connections; i++) {
		c = &clients[next_client++ % options.connections];
		if (c->state == CLIENT_OFF) {
			client_connect(c);
			return;
		}
	}
}

static void
begin_connect(uint64_t now)
{
	(void)now;
	for (uint32_t i = 0; i < options.window; i++) {
		connect_next();
	}
}

static void
on_connect_ready(struct client *c, uint64_t now)
{
	opened(c, now);
	client_cut(c);
	ready--;
	if (sending) {
		connect_next();
	}
}

static void
on_connect_gone(struct client *c, uint64_t now)
{
	(void)c;
	(void)now;
	if (sending) {
		connect_next();
	}
}

static uint64_t
no_turn(uint64_t now)
{
	(void)now;
	return NEVER;
}

/* ---- storm ---------------------------------------------------------------- */

static uint64_t *again_at; /* per client; 0: not waiting */
static bool storming;
static uint64_t stormed_at;

static void
begin_storm(uint64_t now)
{
	again_at = calloc(options.connections, sizeof(*again_at));
	if (again_at == NULL) {
		abort();
	}
	for (uint32_t i = 0; i < options.connections; i++) {
		client_cut(&clients[i]);
	}
	ready = 0;
	storming = true;
	stormed_at = now;
	for (uint32_t i = 0; i < options.connections; i++) {
		client_connect(&clients[i]);
	}
}

static void
on_storm_ready(struct client *c, uint64_t now)
{
	if (!storming) {
		return;
	}
	/* Counted from the cut: what was refused meanwhile is part of it. */
	c->began_ns = stormed_at;
	results.opened++;
	results_time(&results.opening, now - stormed_at);
	if (results.opened == options.connections) {
		engine_stop();
	}
}

static void
on_storm_gone(struct client *c, uint64_t now)
{
	if (storming) {
		again_at[c->index] = now + AGAIN_MIN +
		    (uint64_t)random() % AGAIN_SPREAD;
	}
}

static uint64_t
on_storm_turn(uint64_t now)
{
	if (!storming) {
		return NEVER;
	}
	for (uint32_t i = 0; i < options.connections; i++) {
		if (again_at[i] != 0 && again_at[i] <= now) {
			again_at[i] = 0;
			client_connect(&clients[i]);
		}
	}
	return NEVER / 5;
}

const struct mode mode_connect = {
	.name = "connect",
	.meaning = "connections from the first byte to user_info, then cut",
	.clients = none_wanted,
	.begin = begin_connect,
	.handler = {
		.on_ready = on_connect_ready,
		.on_gone = on_connect_gone,
		.on_turn = no_turn,
	},
	.measures_opening = true,
};

const struct mode mode_storm = {
	.name = "storm",
	.meaning = "all clients are cut and come back at once",
	.clients = all_wanted,
	.begin = begin_storm,
	.handler = {
		.on_ready = on_storm_ready,
		.on_gone = on_storm_gone,
		.on_turn = on_storm_turn,
	},
	.no_warmup = true,
	.measures_opening = true,
};
