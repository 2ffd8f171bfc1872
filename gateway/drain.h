/*
 * drain: the graceful stop. Accepts no more, lets every connection finish the
 * request it is in, closes them with 1012 spread over drain_spread so that
 * their reconnecting does not fall on the other gateways at once, and waits a
 * moment for presenced and chatd to take what is left. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_DRAIN_H
#define GATEWAY_DRAIN_H

struct gateway;

/* Calls `done` once when nothing is left to do. */
void drain_start(struct gateway *gw, void (*done)(void));
/* Safe to call when it never started. */
void drain_free(void);

#endif
