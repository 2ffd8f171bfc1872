/*
 * bus_link: one connection to Redis that comes back by itself, over hiredis'
 * asynchronous interface on the loop. Private to bus.c. Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_BUS_LINK_H
#define COMMON_BUS_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "common/attr.h"

struct bus_address;
struct bus_link;
struct redisAsyncContext;

/* The link is ready for commands (up), or is gone; the replies outstanding on it
 * were called back with NULL before. */
typedef void bus_link_fn(void *arg, bool up);

/* Begins connecting; repeats for ever (50 ms doubling to 2 s, with jitter). */
/* `needs_master`: a replica is refused, to be tried again: after a failover the
 * address will lead to the new master. */
struct bus_link *bus_link_new(uv_loop_t *loop, const struct bus_address *a,
    const char *name, bool needs_master, bus_link_fn *fn, void *arg);
/* NULL while it is not up. */
struct redisAsyncContext *bus_link_context(const struct bus_link *l);
/* Gives the present connection up and connects anew, after a pause. Safe within
 * a reply callback. */
void bus_link_reset(struct bus_link *l);
/* The address leads elsewhere now: the same, without the pause. */
void bus_link_move(struct bus_link *l);
/* An answer came. */
void bus_link_alive(struct bus_link *l);
/* Since the link came up or bus_link_alive was last called. */
uint64_t bus_link_silent_ms(const struct bus_link *l);
/* Outstanding replies are called back with NULL; fn is not called any more. */
void bus_link_free(struct bus_link **l);

#endif
