/*
 * After the commit of a batch of sends: each message to every member's topic,
 * as each of them sees it, then the answer to its sender.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_FANOUT_H
#define CHATD_FANOUT_H

#include "chatd/store_messages.h"

struct events;
struct fanout;
struct request;

/* Over the result of store_send_steps, which is borrowed. */
struct fanout *fanout_new(struct events *events, const struct db_result *res);
void fanout_free(struct fanout **f);
/* Of a chat of the batch. */
size_t fanout_members(const struct fanout *f, const struct uuid *chat);
/* Publishes and answers; the request is gone afterwards. */
void fanout_message(struct fanout *f, struct request *r,
    const struct stored_row *row);

#endif
