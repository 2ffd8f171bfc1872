/*
 * metrics: identity, buckets and the exposition format.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/metrics.h"

static char *
render(struct buf *b)
{
	buf_reset(b);
	metrics_render(b);
	buf_put_u8(b, '\0');
	return (char *)b->data;
}

static void
expect_line(const char *text, const char *line)
{
	char wanted[256];

	snprintf(wanted, sizeof(wanted), "\n%s\n", line);
	if (strstr(text, wanted) == NULL) {
		fail_msg("no line `%s` in:\n%s", line, text);
	}
}

static double
seven(void *arg)
{
	return *(int *)arg;
}

static void
test_simple(void **state UNUSED)
{
	struct metric *a = metric_counter("t_total", "k=\"a\"", "Help.");
	struct metric *b = metric_counter("t_total", "k=\"b\"", "Help.");
	struct metric *g = metric_gauge("t_gauge", NULL, "A gauge.");
	struct buf out = BUF_INIT;
	static int n = 7;
	char *text;

	assert_ptr_equal(metric_counter("t_total", "k=\"a\"", "Help."), a);
	assert_ptr_not_equal(a, b);
	metric_inc(a);
	metric_add(a, 41);
	metric_inc(b);
	metric_set(g, -1.25);
	metric_gauge_fn("t_fn", NULL, "Asked.", seven, &n);
	metric_set(metric_gauge("t_nan", NULL, "h"), NAN);
	metric_set(metric_gauge("t_inf", NULL, "h"), INFINITY);
	metric_set(metric_gauge("t_big", NULL, "h"), 1795396820.125);
	assert_true(metric_value(a) == 42);
	assert_true(metric_value(g) == -1.25);
	text = render(&out);
	assert_memory_equal(text, "# HELP t_total Help.\n"
	    "# TYPE t_total counter\nt_total{k=\"a\"} 42\n"
	    "t_total{k=\"b\"} 1\n# HELP t_gauge A gauge.\n", 103);
	expect_line(text, "t_gauge -1.25");
	expect_line(text, "t_fn 7");
	expect_line(text, "t_nan NaN");
	expect_line(text, "t_inf +Inf");
	expect_line(text, "t_big 1795396820.125");
	buf_fini(&out);
	metrics_fini();
}

static void
test_histograms(void **state UNUSED)
{
	struct metric *l = metric_latency("t_seconds", "op=\"x\"", "Time.");
	struct metric *s = metric_size("t_size", NULL, "Size.");
	struct buf out = BUF_INIT;
	char *text;

	metric_observe_us(l, 0);
	metric_observe_us(l, 100);
	metric_observe_us(l, 101);
	metric_observe_us(l, 10000001);
	metric_observe(s, 1);
	metric_observe(s, 3);
	metric_observe(s, 4096);
	metric_observe(s, 4097);
	text = render(&out);
	expect_line(text, "# TYPE t_seconds histogram");
	expect_line(text, "t_seconds_bucket{op=\"x\",le=\"0.0001\"} 2");
	expect_line(text, "t_seconds_bucket{op=\"x\",le=\"0.00025\"} 3");
	expect_line(text, "t_seconds_bucket{op=\"x\",le=\"1\"} 3");
	expect_line(text, "t_seconds_bucket{op=\"x\",le=\"10\"} 3");
	expect_line(text, "t_seconds_bucket{op=\"x\",le=\"+Inf\"} 4");
	expect_line(text, "t_seconds_sum{op=\"x\"} 10.000202");
	expect_line(text, "t_seconds_count{op=\"x\"} 4");
	expect_line(text, "t_size_bucket{le=\"1\"} 1");
	expect_line(text, "t_size_bucket{le=\"2\"} 1");
	expect_line(text, "t_size_bucket{le=\"4\"} 2");
	expect_line(text, "t_size_bucket{le=\"4096\"} 3");
	expect_line(text, "t_size_bucket{le=\"+Inf\"} 4");
	expect_line(text, "t_size_count 4");
	buf_fini(&out);
	metrics_fini();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_simple),
		cmocka_unit_test(test_histograms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
