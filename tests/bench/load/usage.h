/*
 * What processes use while a load runs, from /proc: CPU time in user and system
 * mode, context switches, resident memory. A watched process stands for itself
 * and its children (PostgreSQL's backends), also those that ended meanwhile;
 * threads are included. One thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_USAGE_H
#define BENCH_USAGE_H

#include <stdbool.h>
#include <stdint.h>

#define WATCHED_MAX 32

struct usage {
	double user_s;
	double system_s;
	uint64_t switches;        /* voluntary and not */
	uint64_t switches_forced;
	uint64_t resident_kib;
};

struct watched {
	char name[32];
	int pid;
	struct usage before;
	struct usage after;
};

/* What the machine's processors did since it started. */
struct machine {
	double user_s;   /* all processes' */
	double system_s;
	double stolen_s; /* by the host of a virtual machine */
};

/* `text` is name=pid; false when it is not. */
bool usage_parse(const char *text, struct watched *w);
/* All zero when the process is gone. */
void usage_read(int pid, struct usage *u);
void usage_machine(struct machine *m);

#endif
