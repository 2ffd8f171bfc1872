/*
 * report: brings transitions to chatd until it has acknowledged them. They wait
 * in Redis, the newest of each user; any presenced may deliver any of them. One
 * that was claimed and not acknowledged in time is handed out again: chatd
 * drops by version what it has seen.
 *
 *   kick -> store_claim -> presence_changed -> OK -> store_ack -> kick
 *                               | anything else: a pause, growing; for ever
 *
 * Loop's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PRESENCED_REPORT_H
#define PRESENCED_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/attr.h"

struct report;
struct rpc_client;
struct store;

#define REPORT_TIMEOUT_MS 4000 /* a call's */
#define REPORT_ATTEMPT_MS 1500
#define REPORT_CLAIM_MS 5000

/* Borrows the store. */
MUST_CHECK struct report *report_new(struct store *s);
/* After the store and the client were freed. */
void report_free(struct report **r);
/* Must be called before the first kick. The client is borrowed. */
void report_set_chatd(struct report *r, struct rpc_client *chatd);
/* There may be something to deliver. Cheap when there is not. */
void report_kick(struct report *r);
/* Calls to chatd that are out. */
size_t report_in_flight(const struct report *r);
/* No more claims (drain). */
void report_stop(struct report *r);

#endif
