/*
 * How a run goes on while it goes on: a line a second on standard error, and
 * every quarter of a second a point for the report. POINTS_MAX points are kept
 * (a quarter of an hour); later ones are left out. One thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_PROGRESS_H
#define BENCH_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

#define POINTS_MAX 3600

struct point {
	double at_s;        /* since the measuring began */
	double acked_per_s; /* of all kinds of messages */
	double delivered_per_s;
	double opened_per_s;
	uint32_t ready;
	uint64_t slowest_ns; /* the slowest since the point before */
};

/* The counts were set to zero and the measuring begins. */
void progress_begin(uint64_t now);
/* Call it every turn. */
void progress_turn(uint64_t now);
const struct point *progress_points(size_t *n_r);

#endif
