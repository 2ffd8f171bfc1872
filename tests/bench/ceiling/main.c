/*
 * parley-ceiling: the bare steps that the product's figures are held against.
 *
 *   parley-ceiling send [SECONDS [SOCKETS [SIZE [AHEAD]]]]
 *   parley-ceiling nng [SECONDS [BATCH]]
 *   parley-ceiling insert [SECONDS [BATCH [LINKS]]]  BENCH_DATABASE: a conninfo
 *                                                   that may create a table
 *   parley-ceiling redis [SECONDS [BATCH [SIZE]]]    BENCH_REDIS: unix path or
 *                                                   host:port
 *   parley-ceiling lws PORT                         serves echoes to
 *                                                   parley-load until SIGTERM
 *
 * Prints one number, how many a second; lws prints nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/ceiling/ceiling.h"

double
ceiling_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint32_t
number(int argc, char **argv, int i, uint32_t otherwise)
{
	return argc > i ? (uint32_t)strtoul(argv[i], NULL, 10) : otherwise;
}

static const char *
need(const char *name)
{
	const char *value = getenv(name);

	if (value == NULL) {
		fprintf(stderr, "parley-ceiling: %s is not set\n", name);
		exit(2);
	}
	return value;
}

int
main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	double seconds = argc > 2 ? atof(argv[2]) : 3;
	double rate;

	signal(SIGPIPE, SIG_IGN);
	if (strcmp(kind, "send") == 0) {
		rate = ceiling_send(seconds, number(argc, argv, 3, 500),
		    number(argc, argv, 4, 500), number(argc, argv, 5, 4));
	} else if (strcmp(kind, "nng") == 0) {
		rate = ceiling_nng(seconds, number(argc, argv, 3, 16), 8);
	} else if (strcmp(kind, "insert") == 0) {
		rate = ceiling_insert(seconds, need("BENCH_DATABASE"),
		    number(argc, argv, 3, 64), number(argc, argv, 4, 4));
	} else if (strcmp(kind, "redis") == 0) {
		rate = ceiling_redis(seconds, need("BENCH_REDIS"),
		    number(argc, argv, 3, 64), number(argc, argv, 4, 500));
	} else if (strcmp(kind, "lws") == 0) {
		return ceiling_lws(number(argc, argv, 2, 18095));
	} else {
		fprintf(stderr, "usage: parley-ceiling "
		    "send|nng|insert|redis|lws "
		    "[SECONDS [...]]\n");
		return 2;
	}
	printf("%.0f\n", rate);
	return 0;
}
