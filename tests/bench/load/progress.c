/*
 * Rates between two looks at the results: see progress.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/load/progress.h"

#include <stdio.h>

#include "bench/load/load.h"

#define SHOW_NS UINT64_C(1000000000)
#define POINT_NS UINT64_C(250000000)

struct look {
	uint64_t at_ns;
	uint64_t acked;
	uint64_t delivered;
	uint64_t opened;
};

static struct look shown, noted;
static uint64_t began_ns;
static struct point points[POINTS_MAX];
static size_t point_count;

static struct look
look_now(uint64_t now)
{
	return (struct look){
		.at_ns = now,
		.acked = results.main.acked + results.group.acked,
		.delivered = results.main.delivered + results.group.delivered,
		.opened = results.opened,
	};
}

void
progress_begin(uint64_t now)
{
	began_ns = now;
	point_count = 0;
	shown = noted = look_now(now);
	results.interval_max = 0;
}

static void
show(const struct look *l, double s)
{
	fprintf(stderr, "  %6u ready  %8.0f acked/s  %8.0f delivered/s  "
	    "%7.0f opened/s  %llu errors  %llu closed\n", ready,
	    (double)(l->acked - shown.acked) / s,
	    (double)(l->delivered - shown.delivered) / s,
	    (double)(l->opened - shown.opened) / s,
	    (unsigned long long)counts.errors,
	    (unsigned long long)counts.closes);
}

static void
note(const struct look *l, double s)
{
	if (point_count == POINTS_MAX) {
		return;
	}
	points[point_count++] = (struct point){
		.at_s = (double)(l->at_ns - began_ns) / 1e9,
		.acked_per_s = (double)(l->acked - noted.acked) / s,
		.delivered_per_s = (double)(l->delivered - noted.delivered) / s,
		.opened_per_s = (double)(l->opened - noted.opened) / s,
		.ready = ready,
		.slowest_ns = results.interval_max,
	};
	results.interval_max = 0;
}

void
progress_turn(uint64_t now)
{
	struct look l;

	if (now - noted.at_ns < POINT_NS && now - shown.at_ns < SHOW_NS) {
		return;
	}
	l = look_now(now);
	if (now - noted.at_ns >= POINT_NS) {
		if (measuring && sending) {
			note(&l, (double)(now - noted.at_ns) / 1e9);
		}
		noted = l;
	}
	if (now - shown.at_ns >= SHOW_NS) {
		if (!options.quiet) {
			show(&l, (double)(now - shown.at_ns) / 1e9);
		}
		shown = l;
	}
}

const struct point *
progress_points(size_t *n_r)
{
	*n_r = point_count;
	return points;
}
