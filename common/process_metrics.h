/*
 * Metrics that every process has, for daemon.c alone: build, start, memory,
 * descriptors, processor time, log lines, and how late the loop runs.
 *
 * Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_PROCESS_METRICS_H
#define COMMON_PROCESS_METRICS_H

#include <uv.h>

/* Registers them and starts the timer that measures the loop. */
void process_metrics_init(uv_loop_t *loop, const char *version);
/* Closes the timer; the loop must turn once more. */
void process_metrics_fini(void);

#endif
