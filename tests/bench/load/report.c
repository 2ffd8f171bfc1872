/*
 * Prints results: see report.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/load/report.h"

#include <math.h>
#include <stdio.h>

#include "bench/load/load.h"
#include "bench/load/progress.h"
#include "common/json_out.h"

static void
put_number(struct json_out *j, const char *key, double v)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%.3f", isfinite(v) ? v : 0.0);

	json_key(j, key);
	json_raw(j, text, (size_t)n);
}

static void
put_bare(struct json_out *j, double v)
{
	char text[64];
	int n = snprintf(text, sizeof(text), "%.8f", isfinite(v) ? v : 0.0);

	json_raw(j, text, (size_t)n);
}

/* The whole distribution for a plot: pairs of a share of all and the time that
 * this share is not above, each step halving what is left: 0, 0.1, 0.2 ... 0.5,
 * 0.55 ... until fewer than one is left. */
static void
put_curve(struct json_out *j, const struct histogram *h)
{
	double left = 1, step = 0.1, share = 0;

	json_key_arr(j, "curve");
	while ((1 - share) * (double)h->count >= 1) {
		json_arr(j);
		put_bare(j, share * 100);
		put_bare(j, (double)histogram_quantile(h, share) / 1e3);
		json_arr_end(j);
		share += step;
		if (1 - share <= left / 2 + 1e-12) {
			left = 1 - share;
			step /= 2;
		}
	}
	json_arr_end(j);
}

static void
put_histogram(struct json_out *j, const char *key, const struct histogram *h)
{
	static const struct {
		const char *name;
		double share;
	} points[] = { { "p50", 0.5 }, { "p90", 0.9 }, { "p99", 0.99 },
		{ "p999", 0.999 } };

	if (h->count == 0) {
		return;
	}
	json_key_obj(j, key);
	json_key_int(j, "count", (int64_t)h->count);
	put_number(j, "mean", (double)h->sum / (double)h->count / 1e3);
	for (size_t i = 0; i < 4; i++) {
		put_number(j, points[i].name, (double)histogram_quantile(h,
		    points[i].share) / 1e3);
	}
	put_number(j, "max", (double)h->max / 1e3);
	put_curve(j, h);
	json_obj_end(j);
}

static void
put_watched(struct json_out *j, const struct watched *w, double seconds)
{
	const struct usage *a = &w->before, *b = &w->after;

	json_key_obj(j, w->name);
	put_number(j, "user_s", b->user_s - a->user_s);
	put_number(j, "system_s", b->system_s - a->system_s);
	put_number(j, "cores", (b->user_s + b->system_s - a->user_s -
	    a->system_s) / seconds);
	json_key_int(j, "switches", (int64_t)(b->switches - a->switches));
	json_key_int(j, "switches_forced", (int64_t)(b->switches_forced -
	    a->switches_forced));
	json_key_int(j, "resident_kib_before", (int64_t)a->resident_kib);
	json_key_int(j, "resident_kib", (int64_t)b->resident_kib);
	json_obj_end(j);
}

/* All that the machine did, and what of it nobody watched did: other programs,
 * and interrupts that no process is charged for. */
static void
put_machine(struct json_out *j, double seconds)
{
	const struct machine *a = &options.machine_before;
	const struct machine *b = &options.machine_after;
	double busy = b->user_s + b->system_s - a->user_s - a->system_s;
	double known = 0;

	for (unsigned i = 0; i < options.watched_count; i++) {
		const struct watched *w = &options.watched[i];

		known += w->after.user_s + w->after.system_s -
		    w->before.user_s - w->before.system_s;
	}
	json_key_obj(j, "machine");
	put_number(j, "cores", busy / seconds);
	put_number(j, "others_cores", (busy - known) / seconds);
	put_number(j, "stolen_cores", (b->stolen_s - a->stolen_s) / seconds);
	json_obj_end(j);
}

static void
put_closes(struct json_out *j)
{
	char code[16];

	json_key_obj(j, "close_codes");
	for (unsigned i = 0; i < 5000; i++) {
		if (counts.close_codes[i] > 0) {
			snprintf(code, sizeof(code), "%u", i);
			json_key_int(j, code, counts.close_codes[i]);
		}
	}
	json_obj_end(j);
}

static void
put_counts(struct json_out *j)
{
	json_key_int(j, "errors", (int64_t)counts.errors);
	json_key_int(j, "connects_failed", (int64_t)counts.connects_failed);
	json_key_int(j, "refused", (int64_t)counts.refused);
	json_key_int(j, "closes", (int64_t)counts.closes);
	put_closes(j);
	json_key_int(j, "frames", (int64_t)counts.frames);
	json_key_int(j, "bytes_in", (int64_t)counts.bytes_in);
}

static void
put_stream(struct json_out *j, const struct stream *s, double seconds)
{
	json_key_int(j, "acked", (int64_t)s->acked);
	json_key_int(j, "delivered", (int64_t)s->delivered);
	json_key_int(j, "completed", (int64_t)s->completed);
	put_number(j, "sent_per_s", (double)s->sent / seconds);
	put_number(j, "acked_per_s", (double)s->acked / seconds);
	put_number(j, "delivered_per_s", (double)s->delivered / seconds);
}

static void
put_latencies(struct json_out *j, const struct stream *s,
    const struct histogram *opening)
{
	json_key_obj(j, "latency_us");
	put_histogram(j, "ack", &s->ack);
	put_histogram(j, "delivery", &s->delivery);
	put_histogram(j, "last_delivery", &s->last);
	if (opening != NULL) {
		put_histogram(j, "opening", opening);
	}
	json_obj_end(j);
}

static void
put_progress(struct json_out *j)
{
	size_t n;
	const struct point *p = progress_points(&n);

	json_key_arr(j, "progress");
	for (size_t i = 0; i < n; i++) {
		json_obj(j);
		put_number(j, "at_s", p[i].at_s);
		put_number(j, "acked_per_s", p[i].acked_per_s);
		put_number(j, "delivered_per_s", p[i].delivered_per_s);
		put_number(j, "opened_per_s", p[i].opened_per_s);
		json_key_int(j, "ready", p[i].ready);
		put_number(j, "slowest_us", (double)p[i].slowest_ns / 1e3);
		json_obj_end(j);
	}
	json_arr_end(j);
}

static void
put_all(struct json_out *j, const char *mode, double seconds)
{
	json_key_str(j, "mode", mode);
	json_key_int(j, "world", options.world.number);
	json_key_int(j, "connections", options.connections);
	put_number(j, "rate", options.rate);
	json_key_int(j, "window", options.window);
	put_number(j, "seconds", seconds);
	put_stream(j, &results.main, seconds);
	put_number(j, "opened_per_s", (double)results.opened / seconds);
	put_counts(j);
	put_latencies(j, &results.main, &results.opening);
	if (results.group.sent > 0) {
		json_key_obj(j, "group");
		put_stream(j, &results.group, seconds);
		put_latencies(j, &results.group, NULL);
		json_obj_end(j);
	}
	json_key_obj(j, "processes");
	for (unsigned i = 0; i < options.watched_count; i++) {
		put_watched(j, &options.watched[i], seconds);
	}
	json_obj_end(j);
	put_machine(j, seconds);
	put_progress(j);
}

void
report_print(const char *mode, double seconds)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	json_out_init(&j, &b);
	json_obj(&j);
	put_all(&j, mode, seconds);
	json_obj_end(&j);
	printf("%.*s\n", (int)b.len, (const char *)b.data);
	buf_fini(&b);
}
