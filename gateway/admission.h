/*
 * admission: how many connections open at a time. Opening one costs chatd and
 * Redis a few calls; when thousands come back at once, after a restart of a
 * gateway, that many calls would all be late together. So openings_max are under
 * way, and the rest wait for their turn in the order of their coming.
 *
 *   conn -> [ waiting ] -> admitted -> live or closed -> the next
 *               `- opening_wait passed: closed with 1013
 *
 * What waits is bounded by connections_max. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_ADMISSION_H
#define GATEWAY_ADMISSION_H

#include <stddef.h>

struct conn;
struct conns;

/* Registers the metrics. */
void admission_init(struct conns *conns);
/* Calls opening_begin(c): now, or when it is its turn. */
void admission_enter(struct conn *c);
/* It is live or closed: the next one's turn. Harmless if it was never in. */
void admission_leave(struct conn *c);
/* Closes those that have waited too long. From time to time. */
void admission_expire(struct conns *conns);

#endif
