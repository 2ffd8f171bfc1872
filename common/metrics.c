/*
 * Metrics. A family is what shares a name: one HELP and TYPE line, then its
 * series by label set. Families and series stand in the order of registration.
 * There are some dozens, registered at start and then held by pointer, so that
 * looking one up by walking the lists costs nothing that matters.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/metrics.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/list.h"
#include "common/mem.h"

enum metric_type {
	TYPE_COUNTER,
	TYPE_GAUGE,
	TYPE_HISTOGRAM,
};

/* Upper bounds of a histogram. Latencies are kept in microseconds, so that
 * adding one up is integer work; `scale` turns them into seconds. */
struct scale {
	const uint64_t *bounds;
	size_t count;
	double scale;
};

struct metric {
	struct list link;    /* family->series */
	char *labels;        /* owned; "" for none */
	const struct scale *scale;      /* histograms */
	uint64_t count;      /* counters and histograms */
	uint64_t *buckets;   /* owned; not cumulative; last one: +Inf */
	double value;        /* gauges; histograms: the sum */
	double (*fn)(void *arg);        /* NULL: value or count holds it */
	void *arg;           /* borrowed */
	enum metric_type type;
};

struct family {
	struct list link;    /* families */
	struct list series;
	char *name;          /* owned */
	char *help;          /* owned */
	enum metric_type type;
};

static struct list families = LIST_INIT(families);

static const uint64_t latency_bounds[] = { 100, 250, 500, 1000, 2500, 5000,
	10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 5000000,
	10000000 };
static const uint64_t size_bounds[] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512,
	1024, 2048, 4096 };

static const struct scale latency_scale = { latency_bounds,
	ARRAY_LEN(latency_bounds), 1e-6 };
static const struct scale size_scale = { size_bounds, ARRAY_LEN(size_bounds),
	1.0 };

/* ---- registration ------------------------------------------------------- */

static struct family *
family_get(const char *name, const char *help, enum metric_type type)
{
	struct family *f;

	LIST_FOREACH(link, &families) {
		f = LIST_ENTRY(link, struct family, link);
		if (strcmp(f->name, name) == 0) {
			assert(f->type == type);
			return f;
		}
	}
	f = mem_zalloc(sizeof(*f));
	f->name = mem_strdup(name);
	f->help = mem_strdup(help != NULL ? help : "");
	f->type = type;
	list_init(&f->series);
	list_push_back(&families, &f->link);
	return f;
}

static struct metric *
metric_get(const char *name, const char *labels, const char *help,
    enum metric_type type, const struct scale *scale)
{
	struct family *f = family_get(name, help, type);
	struct metric *m;

	if (labels == NULL) {
		labels = "";
	}
	LIST_FOREACH(link, &f->series) {
		m = LIST_ENTRY(link, struct metric, link);
		if (strcmp(m->labels, labels) == 0) {
			assert(m->scale == scale);
			return m;
		}
	}
	m = mem_zalloc(sizeof(*m));
	m->labels = mem_strdup(labels);
	m->type = type;
	m->scale = scale;
	if (scale != NULL) {
		m->buckets = mem_zalloc((scale->count + 1) *
		    sizeof(*m->buckets));
	}
	list_push_back(&f->series, &m->link);
	return m;
}

struct metric *
metric_counter(const char *name, const char *labels, const char *help)
{
	return metric_get(name, labels, help, TYPE_COUNTER, NULL);
}

struct metric *
metric_gauge(const char *name, const char *labels, const char *help)
{
	return metric_get(name, labels, help, TYPE_GAUGE, NULL);
}

void
metric_gauge_fn(const char *name, const char *labels, const char *help,
    double (*fn)(void *arg), void *arg)
{
	struct metric *m = metric_gauge(name, labels, help);

	m->fn = fn;
	m->arg = arg;
}

void
metric_counter_fn(const char *name, const char *labels, const char *help,
    double (*fn)(void *arg), void *arg)
{
	struct metric *m = metric_counter(name, labels, help);

	m->fn = fn;
	m->arg = arg;
}

struct metric *
metric_latency(const char *name, const char *labels, const char *help)
{
	return metric_get(name, labels, help, TYPE_HISTOGRAM, &latency_scale);
}

struct metric *
metric_size(const char *name, const char *labels, const char *help)
{
	return metric_get(name, labels, help, TYPE_HISTOGRAM, &size_scale);
}

/* ---- counting ----------------------------------------------------------- */

void
metric_inc(struct metric *m)
{
	m->count++;
}

void
metric_add(struct metric *m, uint64_t n)
{
	m->count += n;
}

void
metric_set(struct metric *m, double value)
{
	m->value = value;
}

static void
count_in_bucket(struct metric *m, double value)
{
	size_t i = 0;

	while (i < m->scale->count && value > (double)m->scale->bounds[i]) {
		i++;
	}
	m->buckets[i]++;
	m->count++;
	m->value += value * m->scale->scale;
}

void
metric_observe_us(struct metric *m, uint64_t us)
{
	assert(m->scale == &latency_scale);
	count_in_bucket(m, (double)us);
}

void
metric_observe(struct metric *m, double value)
{
	assert(m->scale == &size_scale);
	count_in_bucket(m, value);
}

double
metric_value(const struct metric *m)
{
	if (m->fn != NULL) {
		return m->fn(m->arg);
	}
	return m->type == TYPE_GAUGE ? m->value : (double)m->count;
}

/* ---- exposition --------------------------------------------------------- */

static void
put_number(struct buf *out, double v)
{
	if (isnan(v)) {
		buf_puts(out, "NaN");
	} else if (isinf(v)) {
		buf_puts(out, v > 0 ? "+Inf" : "-Inf");
	} else if (v == floor(v) && fabs(v) < 1e15) {
		buf_printf(out, "%.0f", v);
	} else {
		buf_printf(out, "%.15g", v);
	}
}

static void
put_series(struct buf *out, const char *name, const char *suffix,
    const char *labels, double value)
{
	buf_puts(out, name);
	buf_puts(out, suffix);
	if (*labels != '\0') {
		buf_printf(out, "{%s}", labels);
	}
	buf_put_u8(out, ' ');
	put_number(out, value);
	buf_put_u8(out, '\n');
}

static void
put_histogram(struct buf *out, const char *name, const struct metric *m)
{
	uint64_t sum = 0;

	for (size_t i = 0; i <= m->scale->count; i++) {
		sum += m->buckets[i];
		buf_printf(out, "%s_bucket{%s%sle=\"", name, m->labels,
		    *m->labels != '\0' ? "," : "");
		if (i < m->scale->count) {
			buf_printf(out, "%g",
			    (double)m->scale->bounds[i] * m->scale->scale);
		} else {
			buf_puts(out, "+Inf");
		}
		buf_printf(out, "\"} %llu\n", (unsigned long long)sum);
	}
	put_series(out, name, "_sum", m->labels, m->value);
	put_series(out, name, "_count", m->labels, (double)m->count);
}

void
metrics_render(struct buf *out)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };

	LIST_FOREACH(link, &families) {
		struct family *f = LIST_ENTRY(link, struct family, link);

		buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", f->name,
		    f->help, f->name, types[f->type]);
		LIST_FOREACH(at, &f->series) {
			struct metric *m = LIST_ENTRY(at, struct metric, link);

			if (f->type == TYPE_HISTOGRAM) {
				put_histogram(out, f->name, m);
			} else {
				put_series(out, f->name, "", m->labels,
				    metric_value(m));
			}
		}
	}
}

static void
metric_free(struct metric *m)
{
	free(m->labels);
	free(m->buckets);
	free(m);
}

void
metrics_fini(void)
{
	struct list *link;

	while ((link = list_pop_front(&families)) != NULL) {
		struct family *f = LIST_ENTRY(link, struct family, link);

		while ((link = list_pop_front(&f->series)) != NULL) {
			metric_free(LIST_ENTRY(link, struct metric, link));
		}
		free(f->name);
		free(f->help);
		free(f);
	}
}
