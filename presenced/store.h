/*
 * store: the book of who is online, in Redis. The only part of presenced that
 * knows keys, scripts and replies; scripts/lib.lua has the layout. Every call
 * is one atomic script, so that any number of presenceds keep one book.
 *
 *   link up -> INFO (which Redis process is this?), SCRIPT LOAD -> ready
 *
 * Until it is ready, and whenever Redis does not answer or refuses, calls end
 * with ERR_UNAVAILABLE: from within the call when that is known at once, so
 * callers must be ready for their callback before they call. At most
 * STORE_PENDING_MAX calls are out; more are refused the same way.
 *
 * Loop's thread. All pointers given to callbacks are borrowed for the call.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PRESENCED_STORE_H
#define PRESENCED_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/attr.h"
#include "common/calls.h"
#include "common/err.h"
#include "common/uuid.h"

#define STORE_PENDING_MAX 4096
#define STORE_CHANGES_MAX 200 /* a call: 4 ms of Redis */
#define STORE_WHO_MAX 1000
#define STORE_REPORTS_MAX 100
#define STORE_SETTLE_MAX 100
/* A closed session is remembered so long: repeats of its start that were held
 * up somewhere come sooner (calls live a few seconds). */
#define STORE_CLOSED_KEPT_MS 60000

struct store;

struct store_conf {
	const char *redis_url;
	int64_t lease_ms;
	int64_t grace_ms;
	void (*on_ready)(void *arg, bool ready);
	void *arg;
};

/* NULL (and a log_error) when the URL is malformed. */
MUST_CHECK struct store *store_new(uv_loop_t *loop,
    const struct store_conf *conf);
/* Pending callbacks are called with ERR_UNAVAILABLE. */
void store_free(struct store **s);
bool store_ready(const struct store *s);
size_t store_pending(const struct store *s);

typedef void store_done_fn(void *arg, enum err e);

/* ---- sessions ------------------------------------------------------------ */

struct store_change {
	struct session_change change;
	bool known_online; /* we remember this user as online */
};

typedef void store_change_fn(void *arg, enum err e, unsigned transitions);

void store_change(struct store *s, const struct session_head *head,
    const struct store_change *changes, size_t n, store_change_fn *fn,
    void *arg);

/* ERR_NOT_FOUND: the gateway has to register all its sessions. */
void store_beat(struct store *s, const struct uuid *gateway, store_done_fn *fn,
    void *arg);

/* `marks` has one of these for each; NULL unless e is ERR_OK. */
#define STORE_ONLINE '1'
#define STORE_OFFLINE '0'
#define STORE_UNHEARD '?' /* the book is new and says nothing of the user */
typedef void store_who_fn(void *arg, enum err e, const char *marks);

/* 1 <= n <= STORE_WHO_MAX */
void store_who(struct store *s, const struct uuid *users, size_t n,
    store_who_fn *fn, void *arg);

/* ---- the regular work ---------------------------------------------------- */

struct store_tick {
	int64_t now_ms;   /* Redis's clock */
	int64_t epoch_ms; /* when the book was begun; names the epoch */
	uint64_t version; /* the highest version given */
	uint64_t noted;   /* length of all the log */
	uint64_t online;
	uint64_t gateways;
	uint64_t reports;
	uint64_t due;
	uint64_t dying;   /* gateways whose sessions are being ended */
};

typedef void store_tick_fn(void *arg, enum err e, const struct store_tick *t);

/* `report_ms`: how long claimed reports stay claimed at most. */
void store_tick(struct store *s, int64_t report_ms, store_tick_fn *fn,
    void *arg);

struct store_swept {
	unsigned gateways;
	unsigned sessions;
	unsigned transitions;
	bool more;
};

typedef void store_swept_fn(void *arg, enum err e, const struct store_swept *w);

/* Expires gateways without a heartbeat since cutoff_ms. */
void store_expire(struct store *s, int64_t cutoff_ms, int64_t judged_ms,
    store_swept_fn *fn, void *arg);
/* Takes offline whose last session ended before cutoff_ms. */
void store_due(struct store *s, int64_t cutoff_ms, store_swept_fn *fn,
    void *arg);

/* ---- reports to chatd ---------------------------------------------------- */

typedef void store_claim_fn(void *arg, enum err e,
    const struct presence_change *reports, size_t n);

/* Up to STORE_REPORTS_MAX reports, kept from other presenceds for claim_ms. */
void store_claim(struct store *s, int64_t claim_ms, store_claim_fn *fn,
    void *arg);
/* chatd has these. `newer`: so many have a newer report that may go now. */
typedef void store_ack_fn(void *arg, enum err e, unsigned newer);
void store_ack(struct store *s, const struct presence_change *reports, size_t n,
    store_ack_fn *fn, void *arg);

/* ---- what memory.c learns from ------------------------------------------- */

struct store_seen {
	struct uuid user;
	bool online;
	uint64_t number; /* in the log; 0 in a scan */
};

typedef void store_seen_fn(void *arg, enum err e, const struct store_seen *seen,
    size_t n, uint64_t cursor);

/* Users online, in parts: begin with cursor 0, go on with the one given, until
 * that is 0. */
void store_scan(struct store *s, uint64_t cursor, store_seen_fn *fn, void *arg);
/* Transitions behind `number` in the log, oldest first, a bounded part. */
void store_log(struct store *s, uint64_t number, store_seen_fn *fn, void *arg);

struct store_lost {
	struct uuid user;
	int64_t at_ms;
};

/* These were online before the memory was lost, and a lease has passed. */
void store_settle(struct store *s, const struct store_lost *lost, size_t n,
    store_change_fn *fn, void *arg);

#endif
