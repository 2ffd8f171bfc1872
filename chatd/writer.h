/*
 * The send path. Sends gather while the batch before them commits; no timer, so
 * a send alone waits for nothing.
 *
 *   writer_send -> [queue] -- end of turn, nothing in flight --> 1 transaction
 *        publish to every member, then answer <-- committed --------+
 *
 * One batch at a time: batches lock several chats, and what one leaves the next
 * finds. Chats of many members (large.h) have a queue, a batch and a link of
 * their own beside the others: what is read for a thousand recipients, and the
 * lock that their receipts hold meanwhile, would keep every private message of the
 * batch waiting. Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_WRITER_H
#define CHATD_WRITER_H

#include <stddef.h>

#include "chatd/store_messages.h"

struct request;
struct service;
struct writer;

struct writer *writer_new(struct service *svc);
/* Sends still queued are refused as unavailable. */
void writer_close(struct writer *w);
void writer_free(struct writer **w);
size_t writer_pending(const struct writer *w);

/* Takes the checked request; `row` is copied, its texts are the request's. */
void writer_send(struct writer *w, struct request *r,
    const struct send_row *row);

#endif
