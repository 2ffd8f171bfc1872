/*
 * parley-stand-in: one program that stands in for a process's neighbours, so
 * that a gateway, a chatd or a presenced can be loaded alone.
 *
 *   clients -> GATEWAY -> chatd, presenced     modes chatd, presenced (serve.c)
 *   gateway-chatd (drive_chatd.c) -> CHATD -> PostgreSQL, Redis
 *   gateway-presenced (drive_presenced.c) -> PRESENCED -> Redis
 *
 * It speaks the real envelope by the real ends, common/rpc_server and
 * common/rpc_client. Options, results, the world of users and the report are the
 * load client's (bench/load). One loop, one thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_ALONE_H
#define BENCH_ALONE_H

#include <stdint.h>
#include <uv.h>

#include "bench/load/load.h"
#include "common/rpc.h"

/* What is not among the load client's options. */
struct setup {
	const char *address; /* served at, or driven */
	const char *redis;   /* mode chatd: publishes there; NULL: does not */
	uint32_t batch;      /* gateway-presenced: changes in a call */
};

extern struct setup setup;

/* ---- those that answer; they return main()'s status ----------------------- */

int serve_chatd(uv_loop_t *loop);
int serve_presenced(uv_loop_t *loop);

/* ---- those that ask ------------------------------------------------------- */

struct drive {
	const char *mode;    /* for the report */
	const char *service; /* whom it asks */
	/* The peer is up: makes ready, then calls drive_begin(). */
	void (*prepare)(struct rpc_client *peer);
	/* Puts the first requests in flight; each answer brings the next for as
	 * long as `sending`. */
	void (*begin)(void);
};

/* Connects, warms up, measures, prints the report. Returns main()'s status. */
int drive_run(uv_loop_t *loop, const struct drive *d);
/* What had to be made ready is. */
void drive_begin(void);
/* One request that was sent at `sent_ns` is answered and counts as `n`. */
void drive_answered(uint64_t sent_ns, enum err status, uint64_t n);

int drive_chatd(uv_loop_t *loop);
int drive_presenced(uv_loop_t *loop);

#endif
