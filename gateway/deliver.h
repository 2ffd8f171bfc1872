/*
 * deliver: what one event means to one session, and in which order it is
 * written.
 *
 *   before LIVE      it waits, bounded; user_info goes first
 *   a message        once each, in order: see seqtrack.h. A gap or an unknown
 *                    chat is left to catchup.c
 *   a receipt        held back while an answer to the session is in flight, or
 *                    a message that it may cover has not come: answers and
 *                    messages come before what builds on them
 *
 * Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_DELIVER_H
#define GATEWAY_DELIVER_H

#include "common/calls.h"
#include "gateway/flush.h"
#include "gateway/out_frame.h"

struct conn;

/* One event on its way to several sessions, which share its frame. */
struct delivery {
	const struct event *event;  /* borrowed */
	enum flush_when when;       /* soon, unless it is for many */
	struct out_frame *plain;    /* made on first use */
	struct out_frame *late;     /* the same with catch_up */
};

void delivery_init(struct delivery *d, const struct event *e);
void delivery_fini(struct delivery *d);

void deliver_event(struct conn *c, struct delivery *d);
/* user_info was written: what waited follows. */
void deliver_waiting(struct conn *c);
/* One part of a catch-up's answer. */
void deliver_part(struct conn *c, const struct catch_up_part *part);
/* An answer or a message was written: held receipts follow, unless more of what
 * they build on is to come. */
void deliver_held(struct conn *c);
/* The session ends: forgets what waits and what is held. */
void deliver_drop(struct conn *c);

/* The session has been told this chat's messages up to `seq` by an answer to
 * its own request; see seqtrack.h for what an own message means. */
void deliver_own_message(struct conn *c, const struct uuid *chat,
    uint64_t seq);
/* The session's own change of a group was answered: it is that group's change
 * number `version`. 0: it was none. */
void deliver_own_change(struct conn *c, const struct uuid *chat,
    uint64_t version);

#endif
