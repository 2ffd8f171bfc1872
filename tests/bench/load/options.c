/*
 * The load client's command line: docs/benchmarks.md.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/load/load.h"
#include "common/attr.h"

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

static const struct mode *const modes[] = { &mode_private, &mode_group,
	&mode_mixed, &mode_connect, &mode_storm, &mode_idle, &mode_request,
	&mode_seed };

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
	    "  --group-rate R            mode mixed: the group's\n"
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
	} else if (strcmp(name, "group-rate") == 0) {
		options.group_rate = atof(value);
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

/* What cannot be meant. */
static bool
makes_sense(const struct mode *mode)
{
	bool grouped = mode == &mode_group || mode == &mode_mixed;

	return options.size >= 40 && options.size <= 4000 &&
	    options.connections > 0 && options.senders > 0 &&
	    options.window > 0 && options.opening_max > 0 &&
	    (!grouped || options.world.group >= 2) &&
	    (mode != &mode_mixed || (options.world.group % 2 == 0 &&
	    options.rate + options.group_rate > 0)) &&
	    (mode != &mode_seed || options.database != NULL);
}

const struct mode *
options_parse(int argc, char **argv)
{
	const struct mode *mode = NULL;
	static const struct option names[] = {
		{ "target", 1, NULL, 'v' }, { "database", 1, NULL, 'v' },
		{ "world", 1, NULL, 'v' }, { "connections", 1, NULL, 'v' },
		{ "chats", 1, NULL, 'v' }, { "history", 1, NULL, 'v' },
		{ "group", 1, NULL, 'v' }, { "group-rate", 1, NULL, 'v' },
		{ "senders", 1, NULL, 'v' },
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
	snprintf(options.watched[0].name, sizeof(options.watched[0].name),
	    "client");
	options.watched[0].pid = getpid();
	options.watched_count = 1;
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
	if (mode == NULL || !makes_sense(mode)) {
		usage(2);
	}
	return mode;
}
