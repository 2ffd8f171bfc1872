/*
 * receipts: tells chatd what sessions here have been given, so that senders see
 * `delivered`. Marks are coalesced by chat and user (the highest counts) for a
 * moment, sent one call a chat, and repeated until chatd has acknowledged them:
 * they outlive the session.
 *
 * Bounded: beyond MARKS_MAX the oldest chat's marks are given up (a metric
 * counts them); the user's next connection makes good for them. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_RECEIPTS_H
#define GATEWAY_RECEIPTS_H

#include <stddef.h>
#include <stdint.h>

#include "common/uuid.h"

struct gateway;
struct receipts;

struct receipts *receipts_new(struct gateway *gw);
/* The loop has to turn once more. */
void receipts_free(struct receipts **r);

/* The user holds all of the chat up to `upto`. */
void receipts_note(struct receipts *r, const struct uuid *user,
    const struct uuid *chat, uint64_t upto);
/* Marks not yet acknowledged. */
size_t receipts_pending(const struct receipts *r);

#endif
