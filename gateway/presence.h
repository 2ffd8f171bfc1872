/*
 * presence: tells presenced which sessions begin and end here, and that this
 * gateway lives. Changes wait in order and go in one call at a time until
 * presenced has taken them; while it is away nothing else suffers.
 *
 * Bounded: when QUEUE_MAX changes wait, the gateway takes a new identity and
 * registers all its sessions anew; presenced lets the old one's lease run out.
 * Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_PRESENCE_H
#define GATEWAY_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>

struct conn;
struct gateway;
struct presence;

struct presence *presence_new(struct gateway *gw);
/* The loop has to turn once more. */
void presence_free(struct presence **p);

void presence_session_up(struct conn *c);
/* A session that ended by logout ends at once, others after a grace period.
 * Does nothing for one that never was up. */
void presence_session_down(struct conn *c);
/* Changes that presenced has not acknowledged. */
size_t presence_pending(const struct presence *p);

#endif
