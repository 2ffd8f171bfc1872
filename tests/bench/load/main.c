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
#include <arpa/inet.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bench/load/load.h"
#include "bench/load/report.h"
#include "common/attr.h"

#define SECOND UINT64_C(1000000000)
#define OPENING_TIMEOUT (60 * SECOND)
#define REST_TIMEOUT (5 * SECOND)

struct options options = {
	.world = { .chats_each = 1 },
	.connections = 100,
	.window = 1,
	.warmup_s = 1,
	.seconds = 5,
	.size = 100,
	.senders = 1,
	.opening_max = 200,
	.request = "open_chat",
};
struct results results;
struct client *clients;
uint32_t ready;
bool measuring, sending;

static const struct mode *const modes[] = { &mode_private, &mode_group,
	&mode_connect, &mode_storm, &mode_idle, &mode_request };
static const struct mode *mode;
static struct engine_handler watched_handler;
static uint32_t opened_count; /* clients asked to connect in the beginning */
static uint64_t shown_at;
static struct results shown;

static NORETURN void
usage(int status)
{
	FILE *f = status == 0 ? stdout : stderr;

	fprintf(f, "usage: parley-load MODE [OPTION...]\n");
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		fprintf(f, "  %-9s %s\n", modes[i]->name, modes[i]->meaning);
	}
	fprintf(f,
	    "  --target HOST:PORT[,...]  gateways (127.0.0.1:8080); IPv4\n"
	    "  --database CONNINFO       make a world there, as the schema's "
	    "owner;\n"
	    "                            or BENCH_DATABASE in the environment\n"
	    "  --world NUMBER            use this world (with --database: make "
	    "it)\n"
	    "  --connections N           clients (100)\n"
	    "  --chats N                 chats of each user: 1, or an even "
	    "number (1)\n"
	    "  --history N               messages in each chat before (0)\n"
	    "  --group N                 members of the group (0)\n"
	    "  --senders N               of them write (1)\n"
	    "  --rate R                  open loop: messages a second over "
	    "all\n"
	    "  --window N                closed loop: in flight a client (1)\n"
	    "  --size BYTES              of a message's content (100; 40 to "
	    "4000)\n"
	    "  --warmup S --seconds S    (1, 5)\n"
	    "  --sources N               loopback addresses to connect from\n"
	    "  --opening N               connections opened at a time (200)\n"
	    "  --request NAME            mode request: open_chat, "
	    "get_messages ...\n"
	    "  --watch NAME=PID          also tell what that process uses\n"
	    "  --quiet                   no progress on stderr\n");
	exit(status);
}

static void
parse_targets(char *list)
{
	char *rest = NULL;

	options.engine.target_count = 0;
	for (char *t = strtok_r(list, ",", &rest); t != NULL;
	    t = strtok_r(NULL, ",", &rest)) {
		struct sockaddr_in *a =
		    &options.engine.targets[options.engine.target_count];
		char *colon = strrchr(t, ':');

		if (colon == NULL || options.engine.target_count ==
		    TARGETS_MAX) {
			usage(2);
		}
		*colon = '\0';
		a->sin_family = AF_INET;
		a->sin_port = htons((uint16_t)atoi(colon + 1));
		if (inet_pton(AF_INET, t, &a->sin_addr) != 1) {
			fprintf(stderr, "parley-load: \"%s\" is no IPv4 "
			    "address\n", t);
			exit(2);
		}
		options.engine.target_count++;
	}
}

static void
parse_one(const char *name, char *value)
{
	static const struct {
		const char *name;
		uint32_t *target;
	} numbers[] = {
		{ "world", &options.world.number },
		{ "connections", &options.connections },
		{ "chats", &options.world.chats_each },
		{ "history", &options.world.history },
		{ "group", &options.world.group },
		{ "senders", &options.senders },
		{ "window", &options.window },
		{ "size", &options.size },
		{ "opening", &options.opening_max },
		{ "sources", &options.engine.sources },
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (strcmp(numbers[i].name, name) == 0) {
			*numbers[i].target = (uint32_t)strtoul(value, NULL, 0);
			return;
		}
	}
	if (strcmp(name, "target") == 0) {
		parse_targets(value);
	} else if (strcmp(name, "database") == 0) {
		options.database = value;
	} else if (strcmp(name, "rate") == 0) {
		options.rate = atof(value);
	} else if (strcmp(name, "warmup") == 0) {
		options.warmup_s = atof(value);
	} else if (strcmp(name, "seconds") == 0) {
		options.seconds = atof(value);
	} else if (strcmp(name, "request") == 0) {
		options.request = value;
	} else if (options.watched_count == WATCHED_MAX ||
	    !usage_parse(value, &options.watched[options.watched_count++])) {
		usage(2);
	}
}

static void
parse(int argc, char **argv)
{
	static const struct option names[] = {
		{ "target", 1, NULL, 'v' }, { "database", 1, NULL, 'v' },
		{ "world", 1, NULL, 'v' }, { "connections", 1, NULL, 'v' },
		{ "chats", 1, NULL, 'v' }, { "history", 1, NULL, 'v' },
		{ "group", 1, NULL, 'v' }, { "senders", 1, NULL, 'v' },
		{ "rate", 1, NULL, 'v' }, { "window", 1, NULL, 'v' },
		{ "size", 1, NULL, 'v' }, { "warmup", 1, NULL, 'v' },
		{ "seconds", 1, NULL, 'v' }, { "sources", 1, NULL, 'v' },
		{ "opening", 1, NULL, 'v' }, { "request", 1, NULL, 'v' },
		{ "watch", 1, NULL, 'v' }, { "quiet", 0, NULL, 'q' },
		{ "help", 0, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	char localhost[] = "127.0.0.1:8080";
	int found, which;

	parse_targets(localhost);
	options.database = getenv("BENCH_DATABASE");
	while ((found = getopt_long(argc, argv, "", names, &which)) != -1) {
		switch (found) {
		case 'v':
			parse_one(names[which].name, optarg);
			break;
		case 'q':
			options.quiet = true;
			break;
		default:
			usage(found == 'h' ? 0 : 2);
		}
	}
	for (size_t i = 0; optind < argc && i < ARRAY_LEN(modes); i++) {
		if (strcmp(modes[i]->name, argv[optind]) == 0) {
			mode = modes[i];
		}
	}
	if (mode == NULL || options.size < 40 || options.size > 4000 ||
	    options.connections == 0 || options.senders == 0 ||
	    options.window == 0 || options.opening_max == 0 ||
	    (mode == &mode_group && options.world.group < 2)) {
		usage(2);
	}
}

/* ---- progress ------------------------------------------------------------- */

static void
show(uint64_t now)
{
	double s = (double)(now - shown_at) / (double)SECOND;

	if (options.quiet || s < 1) {
		return;
	}
	fprintf(stderr, "  %6u ready  %8.0f acked/s  %8.0f delivered/s  "
	    "%7.0f opened/s  %llu errors  %llu closed\n", ready,
	    (double)(results.acked - shown.acked) / s,
	    (double)(results.delivered - shown.delivered) / s,
	    (double)(results.opened - shown.opened) / s,
	    (unsigned long long)counts.errors,
	    (unsigned long long)counts.closes);
	shown_at = now;
	shown.acked = results.acked;
	shown.delivered = results.delivered;
	shown.opened = results.opened;
}

static bool opening;

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
		client_connect(c); /* it is wanted: try until the time is up */
		return;
	}
	ready -= ready > 0;
	if (mode->handler.on_gone != NULL) {
		mode->handler.on_gone(c, now);
	}
}

static uint64_t
on_turn(uint64_t now)
{
	uint32_t wanted = mode->clients();

	show(now);
	if (opening) {
		while (opened_count < wanted &&
		    opened_count - ready < options.opening_max) {
			client_connect(&clients[opened_count++]);
		}
		if (ready == wanted) {
			engine_stop();
		}
		return SECOND / 20;
	}
	return mode->handler.on_turn(now);
}

/* ---- phases --------------------------------------------------------------- */

static void
read_usage(bool after)
{
	for (unsigned i = 0; i < options.watched_count; i++) {
		struct watched *w = &options.watched[i];

		usage_read(w->pid, after ? &w->after : &w->before);
	}
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

/* Returns how long was measured, in seconds. */
static double
measure(void)
{
	uint64_t began, took;
	struct results *opened = malloc(sizeof(*opened));

	if (opened == NULL) {
		abort();
	}
	*opened = results;
	sending = true;
	mode->begin(now_ns());
	if (mode != &mode_storm && mode != &mode_idle) {
		engine_run(now_ns() + (uint64_t)(options.warmup_s * 1e9));
	}
	if (mode != &mode_storm) {
		memset(&results, 0, sizeof(results));
	} else {
		results.opened = 0;
		histogram_reset(&results.opening);
	}
	memset(&shown, 0, sizeof(shown));
	memset(&counts, 0, sizeof(counts));
	read_usage(false);
	measuring = true;
	began = now_ns();
	engine_run(began + (uint64_t)(options.seconds * 1e9));
	took = now_ns() - began;
	measuring = mode == &mode_private && options.rate > 0;
	sending = false;
	read_usage(true);
	if (mode == &mode_private || mode == &mode_group) {
		/* An open loop is charged for what came late. */
		engine_run(now_ns() + (options.rate > 0 ? REST_TIMEOUT / 5 :
		    REST_TIMEOUT / 20));
	}
	measuring = false;
	if (results.opening.count == 0) {
		results.opening = opened->opening;
	}
	free(opened);
	return (double)took / 1e9;
}

int
main(int argc, char **argv)
{
	double seconds;

	parse(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	options.world.users = mode == &mode_group ? options.world.group :
	    options.connections;
	options.world.users += options.world.users & 1;
	if (options.world.number == 0 && getrandom(&options.world.number,
	    sizeof(options.world.number), 0) < 0) {
		return 1;
	}
	options.engine.world = options.world.number;
	if (options.database != NULL) {
		world_create(&options.world, options.database);
	}
	watched_handler = mode->handler;
	watched_handler.on_ready = on_ready;
	watched_handler.on_gone = on_gone;
	watched_handler.on_turn = on_turn;
	clients = engine_start(&options.engine, options.world.users,
	    &watched_handler);
	shown_at = now_ns();
	open_all();
	seconds = measure();
	report_print(mode->name, seconds);
	free(clients);
	return 0;
}
