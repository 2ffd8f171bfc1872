/*
 * Metrics that every process has. All but the loop's lag are asked for when
 * /metrics is read and cost nothing between.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/process_metrics.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/metrics.h"

#define LAG_PERIOD_MS 250

static uv_timer_t lag_timer;
static uint64_t lag_due_us;
static struct metric *lag;

static double
resident_bytes(void *arg UNUSED)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long all, resident = 0;

	if (file != NULL) {
		if (fscanf(file, "%ld %ld", &all, &resident) != 2) {
			resident = 0;
		}
		fclose(file);
	}
	return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

static double
open_fds(void *arg UNUSED)
{
	struct stat st;
	size_t count = 0;
	DIR *dir;

	/* Since Linux 6.2 the directory's size is the count. */
	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0) {
		return (double)st.st_size;
	}
	dir = opendir("/proc/self/fd");
	if (dir == NULL) {
		return 0;
	}
	while (readdir(dir) != NULL) {
		count++;
	}
	closedir(dir);
	/* Not counted: ".", "..", and the directory's own descriptor. */
	return count > 3 ? (double)(count - 3) : 0;
}

static double
max_fds(void *arg UNUSED)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (double)limit.rlim_cur
	                                             : 0;
}

static double
cpu_seconds(void *arg UNUSED)
{
	struct rusage use;

	if (getrusage(RUSAGE_SELF, &use) != 0) {
		return 0;
	}
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
	    (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1e-6;
}

static double
log_lines(void *arg)
{
	return (double)log_count((enum log_level)(intptr_t)arg);
}

/* How much later than asked the timer came: the time the loop was busy. */
static void
on_lag_timer(uv_timer_t *timer UNUSED)
{
	uint64_t now = clock_mono_us();

	metric_observe_us(lag, now > lag_due_us ? now - lag_due_us : 0);
	lag_due_us = now + LAG_PERIOD_MS * 1000;
}

static void
register_log_lines(void)
{
	static const char *const labels[] = { "level=\"error\"",
		"level=\"warn\"", "level=\"info\"", "level=\"debug\"" };

	for (intptr_t i = LOG_ERROR; i <= LOG_DEBUG; i++) {
		metric_counter_fn("parley_log_lines_total", labels[i],
		    "Lines written to the log.", log_lines, (void *)i);
	}
}

void
process_metrics_init(uv_loop_t *loop, const char *version)
{
	char label[64];

	snprintf(label, sizeof(label), "version=\"%s\"", version);
	metric_set(metric_gauge("parley_build_info", label,
	    "Always 1; the version is in the label."), 1);
	metric_set(metric_gauge("process_start_time_seconds", NULL,
	    "When the process started, in unix time."),
	    (double)clock_unix_ms() / 1000);
	metric_gauge_fn("process_resident_memory_bytes", NULL,
	    "Memory of the process in RAM.", resident_bytes, NULL);
	metric_gauge_fn("process_open_fds", NULL, "Open file descriptors.",
	    open_fds, NULL);
	metric_gauge_fn("process_max_fds", NULL,
	    "Limit of open file descriptors.", max_fds, NULL);
	metric_counter_fn("process_cpu_seconds_total", NULL,
	    "Processor time used, user and system.", cpu_seconds, NULL);
	register_log_lines();
	lag = metric_latency("parley_loop_lag_seconds", NULL,
	    "How late the event loop came to a timer.");
	uv_timer_init(loop, &lag_timer);
	uv_timer_start(&lag_timer, on_lag_timer, LAG_PERIOD_MS, LAG_PERIOD_MS);
	lag_due_us = clock_mono_us() + LAG_PERIOD_MS * 1000;
}

void
process_metrics_fini(void)
{
	uv_close((uv_handle_t *)&lag_timer, NULL);
}
