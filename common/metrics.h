/*
 * Counters, gauges and histograms in Prometheus' text format.
 * A metric is registered once (the name and label set are the identity: the
 * same again gives the same metric) and lives as long as the process. Main
 * thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include <stddef.h>
#include <stdint.h>

struct buf;
struct metric;

/* `labels` is the text between the braces (`reason="slow"`) or NULL. */
struct metric *metric_counter(const char *name, const char *labels,
    const char *help);
struct metric *metric_gauge(const char *name, const char *labels,
    const char *help);
/* A gauge that is asked for its value when /metrics is read. */
void metric_gauge_fn(const char *name, const char *labels, const char *help,
    double (*fn)(void *arg), void *arg);
/* A counter that is asked for its value then. */
void metric_counter_fn(const char *name, const char *labels, const char *help,
    double (*fn)(void *arg), void *arg);
/* Seconds; buckets 0.1 ms, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500 ms,
 * 1 s, 2.5, 5, 10. */
struct metric *metric_latency(const char *name, const char *labels,
    const char *help);
/* Plain sizes; buckets 1, 2, 4 ... 4096. */
struct metric *metric_size(const char *name, const char *labels,
    const char *help);

void metric_inc(struct metric *m);
void metric_add(struct metric *m, uint64_t n);
void metric_set(struct metric *m, double value);
void metric_observe_us(struct metric *m, uint64_t us); /* metric_latency */
void metric_observe(struct metric *m, double value);   /* metric_size */
double metric_value(const struct metric *m); /* counter or gauge */

/* Appends the whole exposition, version 0.0.4. */
void metrics_render(struct buf *out);
void metrics_fini(void);

#endif
