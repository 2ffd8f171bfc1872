/*
 * Names follow Prometheus' habits. Labelled ones are made on first use and kept
 * in small tables, so that the hot path never builds a name.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/stats.h"

#include <stdio.h>

#include "common/attr.h"
#include "gateway/media_s3.h"

struct stats stats;

#define P "parley_gateway_"

/* Requests have numbers below this; see contract.def. */
#define KINDS_MAX 256
/* And errors below this; see err.def. */
#define ERR_LIMIT 64

enum outcome {
	OUTCOME_OK,
	OUTCOME_REFUSED,
	OUTCOME_UNAVAILABLE,
	OUTCOME_COUNT,
};

static const char *const outcome_names[OUTCOME_COUNT] = {
	"ok",
	"refused",
	"unavailable",
};
static struct metric *requests[KINDS_MAX][OUTCOME_COUNT];

static const struct {
	struct metric **metric;
	const char *name;
	const char *help;
} counters[] = {
	{ &stats.opened, P "connections_total", "WebSocket connections" },
	{ &stats.went_live, P "sessions_total",
	    "Connections that were given their user_info" },
	{ &stats.frames_in, P "frames_in_total", "Frames from clients" },
	{ &stats.frames_out, P "frames_out_total", "Frames to clients" },
	{ &stats.bytes_in, P "bytes_in_total", "Payload from clients" },
	{ &stats.bytes_out, P "bytes_out_total", "Payload to clients" },
	{ &stats.openings_delayed, P "openings_delayed_total",
	    "Connections that had to wait for their turn to open" },
	{ &stats.openings_expired, P "openings_expired_total",
	    "Connections closed because their turn did not come" },
	{ &stats.pings_delayed, P "pings_delayed_total",
	    "Pings that had to wait for the end of a frame half written" },
	{ &stats.slow_closes, P "slow_closes_total",
	    "Connections closed because they did not read" },
	{ &stats.reads_paused, P "reads_paused_total",
	    "Times reading from a client paused" },
	{ &stats.rests, P "connections_rested_total",
	    "Times a connection's requests waited after many refusals" },
	{ &stats.events, P "events_total", "Events received from the bus" },
	{ &stats.events_bad, P "events_bad_total",
	    "Events that could not be read" },
	{ &stats.dups, P "messages_repeated_total",
	    "Messages a session had already, dropped" },
	{ &stats.late, P "messages_late_total",
	    "Messages written after a later one, marked catch_up" },
	{ &stats.holes, P "holes_total", "Gaps seen in a chat's messages" },
	{ &stats.set_back, P "set_back_total", "Sessions closed since they had been "
	    "told more of a chat than the store has: it was restored" },
	{ &stats.tracks_full, P "tracks_full_total",
	    "Messages left to catch-up because of too many gaps" },
	{ &stats.waiting_lost, P "waiting_overflows_total",
	    "Connections that had too many events before user_info" },
	{ &stats.receipts_held, P "receipts_held_total",
	    "Receipts held back until the session's own answer" },
	{ &stats.catch_ups, P "catch_ups_total", "Catch-up calls to chatd" },
	{ &stats.catch_up_failed, P "catch_ups_failed_total",
	    "Catch-up calls without an answer" },
	{ &stats.chatds_lost, P "chatds_lost_total",
	    "Links to a chatd that broke without its saying that it ends" },
	{ &stats.catch_up_changes, P "catch_up_changes_total",
	    "Changes of groups told by catch-up" },
	{ &stats.catch_up_messages, P "catch_up_messages_total",
	    "Messages that came by catch-up" },
	{ &stats.marks_reported, P "delivered_marks_total",
	    "Delivered marks acknowledged by chatd" },
	{ &stats.marks_dropped, P "delivered_marks_dropped_total",
	    "Delivered marks given up for want of room" },
	{ &stats.presence_failed, P "presence_calls_failed_total",
	    "Calls to presenced without an answer" },
	{ &stats.presence_registered, P "presence_registrations_total",
	    "Complete registrations with presenced" },
	{ &stats.tokens_revoked, P "tokens_revoked_total",
	    "Tokens found revoked while in use" },
	{ &stats.http_requests, P "http_requests_total", "HTTP requests" },
	{ &stats.uploads, P "uploads_total", "Files stored" },
	{ &stats.uploads_failed, P "uploads_failed_total",
	    "Files that could not be stored" },
	{ &stats.accepts, P "accepts_total", "TCP connections accepted" },
	{ &stats.accepts_failed, P "accepts_failed_total",
	    "TCP connections that could not be accepted" },
};

static double
s3_failures(void *arg)
{
	(void)arg;
	return (double)media_s3_failures();
}

void
stats_init(void)
{
	for (size_t i = 0; i < ARRAY_LEN(counters); i++) {
		*counters[i].metric =
		    metric_counter(counters[i].name, NULL, counters[i].help);
	}
	stats.frame_wait = metric_latency(P "frame_wait_seconds", NULL,
	    "From a frame's arrival to taking it up: those before it on its "
	    "connection come first");
	stats.delivery = metric_latency(P "delivery_seconds", NULL,
	    "From a send's arrival to its message on its way to another "
	    "connection, both of this gateway");
	stats.in_turn = metric_latency(P "in_turn_seconds", NULL,
	    "From when connections wait for their turn to be written what is "
	    "for many until none does");
	stats.opening = metric_latency(P "opening_seconds", NULL,
	    "From a connection's handshake to its user_info");
	metric_counter_fn(P "s3_failed_total", NULL,
	    "Requests to the S3 service that came to nothing", s3_failures,
	    NULL);
}

void
stats_closed(int code, const char *why)
{
	char labels[128];

	snprintf(labels, sizeof(labels), "code=\"%d\",why=\"%s\"", code, why);
	metric_inc(metric_counter(P "closes_total", labels,
	    "WebSocket connections closed, by code and reason"));
}

static enum outcome
outcome_of(enum err status)
{
	if (status == ERR_OK) {
		return OUTCOME_OK;
	}
	return err_is_passing(status) ? OUTCOME_UNAVAILABLE : OUTCOME_REFUSED;
}

void
stats_request(const struct contract_row *row, enum err status, uint64_t us)
{
	enum outcome outcome = outcome_of(status);
	struct metric **m;
	char labels[128];

	if ((unsigned)row->kind >= KINDS_MAX) {
		return;
	}
	m = &requests[row->kind][outcome];
	if (*m == NULL) {
		snprintf(labels, sizeof(labels), "type=\"%s\",result=\"%s\"",
		    row->name, outcome_names[outcome]);
		*m = metric_latency(P "request_seconds", labels,
		    "From taking up a client's request to its answer");
	}
	metric_observe_us(*m, us);
}

void
stats_frame_refused(enum err why)
{
	static struct metric *refused[ERR_LIMIT];
	char labels[64];

	if ((unsigned)why >= ERR_LIMIT) {
		return;
	}
	if (refused[why] == NULL) {
		snprintf(labels, sizeof(labels), "reason=\"%s\"",
		    err_reason(why));
		refused[why] = metric_counter(P "frames_refused_total", labels,
		    "Frames that were no request, by what was wrong");
	}
	metric_inc(refused[why]);
}

void
stats_http(int status, const char *route, uint64_t us)
{
	char labels[96];

	metric_inc(stats.http_requests);
	snprintf(labels, sizeof(labels), "status=\"%d\"", status);
	metric_inc(metric_counter(P "http_answers_total", labels,
	    "HTTP answers by status"));
	if (route == NULL) {
		return;
	}
	snprintf(labels, sizeof(labels), "route=\"%s\"", route);
	metric_observe_us(metric_latency(P "http_seconds", labels,
	    "From a request's head to its answer, by route"), us);
}
