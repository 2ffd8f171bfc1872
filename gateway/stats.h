/*
 * The gateway's metrics, registered once at start. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_STATS_H
#define GATEWAY_STATS_H

#include <stdint.h>

#include "common/contract.h"
#include "common/err.h"
#include "common/metrics.h"

struct stats {
	struct metric *opened;        /* WebSocket connections accepted */
	struct metric *went_live;     /* of these: user_info was written */
	struct metric *frames_in;
	struct metric *frames_out;
	struct metric *frame_wait;    /* histogram */
	struct metric *delivery;      /* histogram */
	struct metric *in_turn;       /* histogram */
	struct metric *opening;       /* histogram */
	struct metric *bytes_in;
	struct metric *bytes_out;
	struct metric *slow_closes;
	struct metric *pings_delayed;
	struct metric *openings_delayed;
	struct metric *openings_expired;
	struct metric *reads_paused;
	struct metric *rests;         /* see watch_rest */
	struct metric *events;
	struct metric *events_bad;
	struct metric *dups;          /* repeats of a message, dropped */
	struct metric *late;          /* delayed by a fault, marked catch_up */
	struct metric *holes;         /* gaps seen in a chat */
	struct metric *set_back;      /* sessions that knew more than the store */
	struct metric *tracks_full;   /* more holes than can be remembered */
	struct metric *waiting_lost;  /* too many events before user_info */
	struct metric *receipts_held;
	struct metric *catch_ups;
	struct metric *catch_up_failed;
	struct metric *chatds_lost;
	struct metric *catch_up_messages;
	struct metric *catch_up_changes;
	struct metric *marks_reported;
	struct metric *marks_dropped;
	struct metric *presence_failed;
	struct metric *presence_registered; /* complete registrations */
	struct metric *tokens_revoked;
	struct metric *http_requests;
	struct metric *uploads;
	struct metric *uploads_failed;
	struct metric *accepts;
	struct metric *accepts_failed;
};

extern struct stats stats;

void stats_init(void);
/* One closed WebSocket. `why` must be a fixed text. */
void stats_closed(int code, const char *why);
/* One client request answered `us` microseconds after it was taken up. */
void stats_request(const struct contract_row *row, enum err status,
    uint64_t us);
/* A frame that was no request at all. */
void stats_frame_refused(enum err why);
/* One HTTP answer; `route` is a pattern (a fixed text), or NULL where none fits
 * or the answer is a refusal before there is one. */
void stats_http(int status, const char *route, uint64_t us);

#endif
