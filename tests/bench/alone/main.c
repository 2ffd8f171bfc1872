/*
 * Options and modes: see alone.h, and docs/benchmarks.md for how to use it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <getopt.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/alone/alone.h"
#include "common/attr.h"

struct options options = {
	.world = { .number = 1, .chats_each = 1 },
	.connections = 100,
	.window = 8,
	.warmup_s = 1,
	.seconds = 5,
	.size = 100,
	.request = "send_message",
};
struct setup setup = { .batch = 500 };
struct results results;
struct engine_counts counts;
uint32_t ready;
bool measuring, sending;

static const struct {
	const char *name;
	const char *meaning;
	int (*run)(uv_loop_t *loop);
} modes[] = {
	{ "chatd", "answers a gateway as chatd would", serve_chatd },
	{ "presenced", "answers a gateway as presenced would",
	    serve_presenced },
	{ "gateway-chatd", "asks a chatd as a gateway would", drive_chatd },
	{ "gateway-presenced", "tells a presenced as gateways would",
	    drive_presenced },
};

static NORETURN void
usage(int status)
{
	FILE *f = status == 0 ? stdout : stderr;

	fprintf(f, "usage: parley-stand-in MODE --address URL [OPTION...]\n");
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		fprintf(f, "  %-18s %s\n", modes[i].name, modes[i].meaning);
	}
	fprintf(f,
	    "  --address URL        served at, or asked: ipc://PATH, "
	    "tcp://HOST:PORT\n"
	    "  --world NUMBER       whose users are known (1)\n"
	    "  --connections N      chatd: users of the world; gateway-*: "
	    "sessions (100)\n"
	    "  --chats N            chats of each user: 1, or an even number "
	    "(1)\n"
	    "  --redis URL          chatd: publishes messages to their chat's "
	    "members\n"
	    "  --database CONNINFO  gateway-chatd: makes the world there, or "
	    "BENCH_DATABASE\n"
	    "                       in the environment\n"
	    "  --history N          gateway-chatd: messages in each chat "
	    "before (0)\n"
	    "  --request NAME       gateway-chatd: send_message, open_chat, "
	    "get_messages,\n"
	    "                       get_contacts, user_info or check_token;\n"
	    "                       gateway-presenced: sessions_changed, "
	    "heartbeat or\n"
	    "                       who_is_online\n"
	    "  --window N           gateway-presenced: gateways, each with one "
	    "call in flight\n"
	    "                       (8); gateway-chatd has one a session\n"
	    "  --batch N            gateway-presenced: sessions in a call "
	    "(500)\n"
	    "  --size BYTES         of a message's content (100)\n"
	    "  --warmup S --seconds S  (1, 5)\n"
	    "  --watch NAME=PID     also tell what that process uses\n");
	exit(status);
}

static bool
parse_number(const char *name, const char *value)
{
	static const struct {
		const char *name;
		uint32_t *target;
	} numbers[] = {
		{ "world", &options.world.number },
		{ "connections", &options.connections },
		{ "chats", &options.world.chats_each },
		{ "history", &options.world.history },
		{ "window", &options.window },
		{ "batch", &setup.batch },
		{ "size", &options.size },
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		if (strcmp(numbers[i].name, name) == 0) {
			*numbers[i].target = (uint32_t)strtoul(value, NULL, 0);
			return true;
		}
	}
	return false;
}

static void
parse_one(const char *name, char *value)
{
	if (parse_number(name, value)) {
		return;
	}
	if (strcmp(name, "address") == 0) {
		setup.address = value;
	} else if (strcmp(name, "redis") == 0) {
		setup.redis = value;
	} else if (strcmp(name, "database") == 0) {
		options.database = value;
	} else if (strcmp(name, "request") == 0) {
		options.request = value;
	} else if (strcmp(name, "warmup") == 0) {
		options.warmup_s = atof(value);
	} else if (strcmp(name, "seconds") == 0) {
		options.seconds = atof(value);
	} else if (options.watched_count == WATCHED_MAX ||
	    !usage_parse(value, &options.watched[options.watched_count++])) {
		usage(2);
	}
}

static void
parse(int argc, char **argv)
{
	static const struct option names[] = {
		{ "address", 1, NULL, 'v' }, { "world", 1, NULL, 'v' },
		{ "connections", 1, NULL, 'v' }, { "chats", 1, NULL, 'v' },
		{ "redis", 1, NULL, 'v' }, { "database", 1, NULL, 'v' },
		{ "history", 1, NULL, 'v' }, { "request", 1, NULL, 'v' },
		{ "window", 1, NULL, 'v' }, { "batch", 1, NULL, 'v' },
		{ "size", 1, NULL, 'v' }, { "warmup", 1, NULL, 'v' },
		{ "seconds", 1, NULL, 'v' }, { "watch", 1, NULL, 'v' },
		{ "help", 0, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int found, which;

	options.database = getenv("BENCH_DATABASE");
	while ((found = getopt_long(argc, argv, "", names, &which)) != -1) {
		if (found != 'v') {
			usage(found == 'h' ? 0 : 2);
		}
		parse_one(names[which].name, optarg);
	}
	options.world.users = options.connections +
	    (options.connections & 1);
	if (setup.address == NULL || options.connections == 0 ||
	    options.window == 0 || setup.batch == 0 || options.size < 40 ||
	    options.size > 4000) {
		usage(2);
	}
}

int
main(int argc, char **argv)
{
	int status = 2;

	parse(argc, argv);
	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0) {
		return 1;
	}
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		if (optind < argc && strcmp(modes[i].name, argv[optind]) == 0) {
			status = modes[i].run(uv_default_loop());
			rpc_end();
			return status;
		}
	}
	usage(2);
}
