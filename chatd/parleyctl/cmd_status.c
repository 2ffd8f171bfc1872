/*
 * status: every process, by its admin port. What waits where, of all metrics
 * those that answer "is it stuck, and at what".
 *
 * SPDX-License-Identifier: MIT
 */
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "chatd/parleyctl/ctl.h"
#include "chatd/parleyctl/port.h"
#include "chatd/parleyctl/show.h"
#include "common/clock.h"

/* In the order shown; those that are not there, or 0 and not `always`, are left
 * out of the table. */
static const struct {
	const char *metric;
	const char *shown;
	bool always;
} figures[] = {
	{ "parley_gateway_sessions", "sessions", true },
	{ "parley_gateway_openings_waiting", "opening", false },
	{ "parley_gateway_catch_ups_waiting", "catching up", false },
	{ "parley_gateway_presence_pending", "presence", false },
	{ "parley_gateway_delivered_marks_pending", "receipts", false },
	{ "parley_rpc_pending", "calls", false },
	{ "parley_chatd_in_flight", "requests", true },
	{ "parley_db_links", "database links", true },
	{ "parley_db_waiting", "for the database", false },
	{ "parley_writer_queued", "sends", false },
	{ "parley_receipts_waiting", "receipts", false },
	{ "parley_chatd_publish_backlog", "publishes", false },
	{ "parley_password_waiting", "passwords", false },
	{ "parley_presence_users_online", "online", true },
	{ "parley_presence_redis_pending", "for Redis", false },
	{ "parley_presence_reports_pending", "reports", false },
};

static const char *
state_name(enum port_state s)
{
	return s == PORT_READY ? "ready" : s == PORT_DOWN ? "down" :
	    "not ready";
}

/* "3d 4h", "12m", "8s" */
static void
put_age(const struct port *p, char *text, size_t size)
{
	long long s;
	double start;

	*text = '\0';
	if (!port_metric(p, "process_start_time_seconds", &start)) {
		return;
	}
	s = clock_unix_ms() / 1000 - (long long)start;
	if (s >= 86400) {
		snprintf(text, size, "%lldd %lldh", s / 86400,
		    s % 86400 / 3600);
	} else if (s >= 3600) {
		snprintf(text, size, "%lldh %lldm", s / 3600, s % 3600 / 60);
	} else {
		snprintf(text, size, s >= 60 ? "%lldm" : "%llds",
		    s >= 60 ? s / 60 : s < 0 ? 0 : s);
	}
}

static void
put_figures(const struct port *p, char *text, size_t size)
{
	size_t len = 0;
	double v;

	*text = '\0';
	if (p->why[0] != '\0') {
		len = (size_t)snprintf(text, size, "%s", p->why);
	}
	for (size_t i = 0; i < ARRAY_LEN(figures) && len < size; i++) {
		if (port_metric(p, figures[i].metric, &v) &&
		    (v > 0 || figures[i].always)) {
			len += (size_t)snprintf(text + len, size - len,
			    "%s%s %.0f", len > 0 ? ", " : "",
			    figures[i].shown, v);
		}
	}
}

static void
show_table(const struct port *ports, size_t n)
{
	char age[32], text[512], version[64];
	struct table t;

	table_begin(&t, "PROCESS", "ADMIN PORT", "STATE", "VERSION", "UP",
	    "WHAT", NULL);
	for (size_t i = 0; i < n; i++) {
		const struct port *p = &ports[i];

		put_age(p, age, sizeof(age));
		put_figures(p, text, sizeof(text));
		table_cell(&t, p->name);
		table_cell(&t, p->address);
		table_cell(&t, state_name(p->state));
		table_cell(&t, port_version(p, version, sizeof(version)));
		table_cell(&t, age);
		table_cell(&t, text);
	}
	table_end(&t);
}

static void
show_line(const struct port *p)
{
	struct json_object *o = json_object_new_object();
	struct json_object *f = json_object_new_object();
	char version[64];
	double v;

	json_object_object_add(o, "process", json_object_new_string(p->name));
	json_object_object_add(o, "address",
	    json_object_new_string(p->address != NULL ? p->address : ""));
	json_object_object_add(o, "state",
	    json_object_new_string(state_name(p->state)));
	json_object_object_add(o, "why", json_object_new_string(p->why));
	json_object_object_add(o, "version", json_object_new_string(
	    port_version(p, version, sizeof(version))));
	for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
		if (port_metric(p, figures[i].metric, &v)) {
			json_object_object_add(f, figures[i].metric,
			    json_object_new_int64(llround(v)));
		}
	}
	json_object_object_add(o, "figures", f);
	show_json(o);
	json_object_put(o);
}

enum ctl_exit
cmd_status(const struct ctl_args *args UNUSED)
{
	enum ctl_exit status = CTL_OK;
	struct port *ports;
	size_t n;

	ports = ports_ask(&n);
	if (ports == NULL) {
		return CTL_USAGE;
	}
	for (size_t i = 0; i < n; i++) {
		if (ports[i].state != PORT_READY) {
			status = CTL_UNWELL;
		}
		if (ctl_flag("json")) {
			show_line(&ports[i]);
		}
	}
	if (!ctl_flag("json")) {
		show_table(ports, n);
	}
	ports_free(ports, n);
	return status;
}
