/*
 * Delivered receipts: what gateways wrote to live sessions moves the members'
 * watermarks, and senders hear what has thereby become delivered.
 *
 *   receipts_add -> [round gathers] -- end of turn, none in flight -->
 *        one transaction -> messages_delivered -> answers to the gateways
 *
 * Marks of one member of one chat coalesce within a round, so that under load a
 * round costs what it touches and not what was reported. Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_RECEIPTS_H
#define CHATD_RECEIPTS_H

#include <stddef.h>
#include <stdint.h>

#include "common/calls.h"

struct db_result;
struct receipts;
struct request;
struct service;

struct receipts *receipts_new(struct service *svc);
/* Reports still gathered are refused as unavailable. */
void receipts_close(struct receipts *p);
void receipts_free(struct receipts **p);
size_t receipts_pending(const struct receipts *p);

/* Takes the request, which is answered once its marks are stored; refused with
 * ERR_OVERLOADED when too much waits already. */
void receipts_add(struct receipts *p, struct request *r,
    const struct uuid *chat, const struct delivered_mark *marks, size_t n);

/* Publishes messages_delivered for the rows of a receipts_announce step, here
 * or in another unit. */
void receipts_publish(struct receipts *p, const struct db_result *res,
    unsigned step, uint64_t trace);

#endif
