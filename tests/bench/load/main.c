/*
 * parley-load: loads a gateway, or a whole installation through its gateways,
 * with many WebSocket clients. docs/benchmarks.md shows how to use it.
 *
 *   1. makes a world in the database (--database; see world.h)
 *   2. connects the clients, some at a time, and waits for each user_info
 *   3. warms up, measures, and waits a moment for what is still on its way
 *   4. prints one JSON object with the figures
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bench/load/load.h"
#include "bench/load/progress.h"
#include "bench/load/report.h"
#include "common/mem.h"

#define SECOND UINT64_C(1000000000)
#define OPENING_TIMEOUT (60 * SECOND)
#define RETRY_NS (SECOND / 20)
#define LATE_TIMEOUT SECOND          /* open loop: for what comes late */
#define REST_TIMEOUT (SECOND / 4)    /* closed loop: so that nothing is left */

struct results results;
struct client *clients;
uint32_t ready;
bool measuring, sending;

static const struct mode *mode;
static struct engine_handler watched_handler;
static uint32_t opened_count; /* clients asked to connect in the beginning */
static bool opening;
static uint32_t gone;         /* of them refused or cut, to be tried again */
static uint64_t retried_at;

void
results_time(struct histogram *h, uint64_t ns)
{
	histogram_add(h, ns);
	if (ns > results.interval_max) {
		results.interval_max = ns;
	}
}

static void
on_ready(struct client *c, uint64_t now)
{
	ready++;
	if (opening) {
		results.opened++;
		histogram_add(&results.opening, now - c->began_ns);
	}
	mode->handler.on_ready(c, now);
}

static void
on_gone(struct client *c, uint64_t now)
{
	if (opening) {
		gone++; /* it is wanted: tried until the time is up */
		return;
	}
	ready -= ready > 0;
	if (mode->handler.on_gone != NULL) {
		mode->handler.on_gone(c, now);
	}
}

static void
open_more(uint32_t wanted, uint64_t now)
{
	if (gone > 0 && now - retried_at >= RETRY_NS) {
		gone = 0;
		retried_at = now;
		for (uint32_t i = 0; i < opened_count; i++) {
			if (clients[i].state == CLIENT_OFF) {
				client_connect(&clients[i]);
			}
		}
	}
	while (opened_count < wanted && opened_count - ready <
	    options.opening_max) {
		client_connect(&clients[opened_count++]);
	}
	if (ready >= wanted && gone == 0) {
		engine_stop();
	}
}

static uint64_t
on_turn(uint64_t now)
{
	uint64_t wait;

	progress_turn(now);
	if (opening) {
		open_more(mode->clients(), now);
		return RETRY_NS;
	}
	wait = mode->handler.on_turn(now);
	return wait < RETRY_NS ? wait : RETRY_NS;
}

/* ---- phases --------------------------------------------------------------- */

static void
read_usage(bool after)
{
	for (unsigned i = 0; i < options.watched_count; i++) {
		struct watched *w = &options.watched[i];

		usage_read(w->pid, after ? &w->after : &w->before);
	}
	usage_machine(after ? &options.machine_after :
	    &options.machine_before);
}

static void
open_all(void)
{
	opening = true;
	engine_run(now_ns() + OPENING_TIMEOUT);
	opening = false;
	if (ready < mode->clients()) {
		fprintf(stderr, "parley-load: only %u of %u clients were "
		    "served within a minute\n", ready, mode->clients());
		exit(1);
	}
}

/* What came before the measuring is forgotten, but for how the clients were
 * opened: that is a figure of its own where nothing else opens any. */
static void
forget(void)
{
	struct histogram *opened = mem_dup(&results.opening, sizeof(*opened));

	memset(&results, 0, sizeof(results));
	memset(&counts, 0, sizeof(counts));
	results.opening = *opened;
	free(opened);
}

/* Returns how long was measured, in seconds. */
static double
measure(void)
{
	uint64_t began, took;

	sending = true;
	if (!mode->no_warmup) {
		mode->begin(now_ns());
		engine_run(now_ns() + (uint64_t)(options.warmup_s * 1e9));
	}
	forget();
	if (mode->measures_opening) {
		histogram_reset(&results.opening);
	}
	read_usage(false);
	measuring = true;
	began = now_ns();
	progress_begin(began);
	if (mode->no_warmup) {
		mode->begin(began);
	}
	engine_run(began + (uint64_t)(options.seconds * 1e9));
	took = now_ns() - began;
	sending = false;
	read_usage(true);
	if (mode->late_count) {
		/* An open loop is charged for what came late. */
		bool paced = options.rate + options.group_rate > 0;

		measuring = paced;
		engine_run(now_ns() + (paced ? LATE_TIMEOUT : REST_TIMEOUT));
	}
	measuring = false;
	return (double)took / 1e9;
}

static void
count_users(void)
{
	struct world *w = &options.world;

	w->users = options.connections;
	if (mode == &mode_group) {
		w->users = w->group;
	} else if (mode == &mode_mixed || mode == &mode_seed) {
		w->users += w->group;
	}
	w->active = w->users;
	if (w->users < w->chats_each + 2) {
		w->users = w->chats_each + 2;
	}
	w->users += w->users & 1;
}

int
main(int argc, char **argv)
{
	double seconds;

	mode = options_parse(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	count_users();
	if (options.world.number == 0 && getrandom(&options.world.number,
	    sizeof(options.world.number), 0) < 0) {
		return 1;
	}
	options.engine.world = options.world.number;
	if (options.database != NULL) {
		world_create(&options.world, options.database);
	}
	if (mode == &mode_seed) {
		return 0;
	}
	watched_handler = mode->handler;
	watched_handler.on_ready = on_ready;
	watched_handler.on_gone = on_gone;
	watched_handler.on_turn = on_turn;
	clients = engine_start(&options.engine, options.world.users,
	    &watched_handler);
	progress_begin(now_ns());
	open_all();
	seconds = measure();
	report_print(mode->name, seconds);
	free(clients);
	return 0;
}
