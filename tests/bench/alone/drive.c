/*
 * What the asking modes have in common: wait for the peer, warm up, measure,
 * wait for what is still on its way, report.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bench/alone/alone.h"
#include "bench/load/report.h"

#define PATIENCE_MS 20000 /* to find the peer and make ready */
#define REST_MS 1000      /* for the last answers */

static const struct drive *drive;
static struct rpc_client *peer;
static uv_loop_t *loop;
static uv_timer_t timer;
static bool prepared, failed;
static uint64_t began_ns, ended_ns;

uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

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

/* ---- phases --------------------------------------------------------------- */

static void
on_rested(uv_timer_t *t)
{
	(void)t;
	uv_stop(loop);
}

static void
on_measured(uv_timer_t *t)
{
	ended_ns = now_ns();
	measuring = false;
	sending = false;
	read_usage(true);
	uv_timer_start(t, on_rested, REST_MS, 0);
}

static void
on_warm(uv_timer_t *t)
{
	memset(&results, 0, sizeof(results));
	memset(&counts, 0, sizeof(counts));
	read_usage(false);
	began_ns = now_ns();
	measuring = true;
	uv_timer_start(t, on_measured, (uint64_t)(options.seconds * 1e3), 0);
}

void
drive_begin(void)
{
	sending = true;
	uv_timer_start(&timer, on_warm, (uint64_t)(options.warmup_s * 1e3), 0);
	drive->begin();
}

void
drive_answered(uint64_t sent_ns, enum err status, uint64_t n)
{
	if (!measuring) {
		return;
	}
	if (status != ERR_OK) {
		if (counts.errors++ < 3) {
			fprintf(stderr, "parley-stand-in: answered with "
			    "status %d\n", (int)status);
		}
		return;
	}
	results.main.acked += n;
	results.main.sent += n;
	histogram_add(&results.main.ack, now_ns() - sent_ns);
}

static void
on_too_late(uv_timer_t *t)
{
	(void)t;
	fprintf(stderr, "parley-stand-in: %s at %s was not ready within "
	    "%d s\n", drive->service, setup.address, PATIENCE_MS / 1000);
	failed = true;
	uv_stop(loop);
}

static void
on_change(void *arg, bool any_up)
{
	(void)arg;
	if (any_up && !prepared) {
		prepared = true;
		drive->prepare(peer);
	}
}

int
drive_run(uv_loop_t *on, const struct drive *d)
{
	const struct rpc_client_conf conf = {
		.service = d->service,
		.addresses = setup.address,
		.timeout_ms = 5000,
		.attempt_ms = 2500,
		.pending_max = 1000000,
		.on_change = on_change,
	};

	loop = on;
	drive = d;
	peer = rpc_client_new(loop, &conf);
	if (peer == NULL) {
		return 1;
	}
	uv_timer_init(loop, &timer);
	uv_timer_start(&timer, on_too_late, PATIENCE_MS, 0);
	uv_run(loop, UV_RUN_DEFAULT);
	if (!failed) {
		report_print(d->mode, (double)(ended_ns - began_ns) / 1e9);
	}
	rpc_client_free(&peer);
	uv_close((uv_handle_t *)&timer, NULL);
	uv_run(loop, UV_RUN_DEFAULT);
	return failed ? 1 : 0;
}
