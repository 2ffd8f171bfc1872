/*
 * Reads /proc/PID/stat, the status of each thread, and /proc/stat (proc(5)).
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/load/usage.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool
usage_parse(const char *text, struct watched *w)
{
	const char *equals = strchr(text, '=');

	if (equals == NULL || (size_t)(equals - text) >= sizeof(w->name)) {
		return false;
	}
	memset(w, 0, sizeof(*w));
	memcpy(w->name, text, (size_t)(equals - text));
	w->pid = atoi(equals + 1);
	return w->pid > 0;
}

/* Fields 4 (parent), 14 and 15 (ticks in user and system mode), 16 and 17 (the
 * same of children that ended); the second, the name, may hold anything up to the
 * last bracket. */
static bool
read_stat(int pid, int *parent_r, unsigned long *user_r, unsigned long *system_r)
{
	unsigned long ended_user, ended_system;
	char path[64], line[1024];
	const char *p;
	FILE *f;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "re");
	if (f == NULL) {
		return false;
	}
	n = fread(line, 1, sizeof(line) - 1, f);
	fclose(f);
	line[n] = '\0';
	p = strrchr(line, ')');
	if (p == NULL || sscanf(p + 1, " %*c %d %*d %*d %*d %*d %*u %*u "
	    "%*u %*u %*u %lu %lu %lu %lu", parent_r, user_r, system_r,
	    &ended_user, &ended_system) != 5) {
		return false;
	}
	*user_r += ended_user;
	*system_r += ended_system;
	return true;
}

static void
read_status(const char *path, struct usage *u, bool memory)
{
	char line[256];
	unsigned long v;
	FILE *f = fopen(path, "re");

	if (f == NULL) {
		return;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "voluntary_ctxt_switches: %lu", &v) == 1) {
			u->switches += v;
		} else if (sscanf(line, "nonvoluntary_ctxt_switches: %lu",
		    &v) == 1) {
			u->switches += v;
			u->switches_forced += v;
		} else if (memory && sscanf(line, "VmRSS: %lu", &v) == 1) {
			u->resident_kib += v;
		}
	}
	fclose(f);
}

static void
add_one(int pid, struct usage *u)
{
	char path[300];
	unsigned long user, system;
	double tick = (double)sysconf(_SC_CLK_TCK);
	int parent;
	struct dirent *e;
	DIR *d;

	if (!read_stat(pid, &parent, &user, &system)) {
		return;
	}
	u->user_s += (double)user / tick;
	u->system_s += (double)system / tick;
	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (e->d_name[0] != '.') {
			snprintf(path, sizeof(path), "/proc/%d/task/%.16s/status",
			    pid, e->d_name);
			read_status(path, u, atoi(e->d_name) == pid);
		}
	}
	if (d != NULL) {
		closedir(d);
	}
}

void
usage_read(int pid, struct usage *u)
{
	unsigned long user, system;
	struct dirent *e;
	DIR *d = opendir("/proc");

	memset(u, 0, sizeof(*u));
	add_one(pid, u);
	while (d != NULL && (e = readdir(d)) != NULL) {
		int parent, child = atoi(e->d_name);

		if (child > 0 && read_stat(child, &parent, &user, &system) &&
		    parent == pid) {
			add_one(child, u);
		}
	}
	if (d != NULL) {
		closedir(d);
	}
}

/* The first line: user, nice, system, idle, iowait, irq, softirq, steal. */
void
usage_machine(struct machine *m)
{
	double tick = (double)sysconf(_SC_CLK_TCK);
	unsigned long long v[8] = { 0 };
	FILE *f = fopen("/proc/stat", "re");

	memset(m, 0, sizeof(*m));
	if (f == NULL) {
		return;
	}
	if (fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0],
	    &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7]) == 8) {
		m->user_s = (double)(v[0] + v[1]) / tick;
		m->system_s = (double)(v[2] + v[5] + v[6]) / tick;
		m->stolen_s = (double)v[7] / tick;
	}
	fclose(f);
}
