/*
 * bus_sentinel: asks Redis' Sentinels who the master is, once a second, for as
 * long as it lives. Private to the bus. Main thread only.
 *
 * All of them are asked, since one that is cut off from the others still names
 * the old master: what counts is the answer with the highest configuration
 * epoch, which every failover raises.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_BUS_SENTINEL_H
#define COMMON_BUS_SENTINEL_H

#include <uv.h>

#include "common/attr.h"

struct bus_address;
struct bus_sentinel;

/* The master is another one than last told (or the first that is known). */
typedef void bus_master_fn(void *arg, const char *host, int port);

/* Asks the Sentinels of `a`, with its account and over TLS if it says so; `a`
 * and `name` (CLIENT SETNAME) are copied. */
MUST_CHECK struct bus_sentinel *bus_sentinel_new(uv_loop_t *loop,
    const struct bus_address *a, const char *name, bus_master_fn *fn,
    void *arg);
/* How many of them are connected to. */
unsigned bus_sentinel_connected(const struct bus_sentinel *s);
/* fn is not called any more. NULL is fine. */
void bus_sentinel_free(struct bus_sentinel **s);

#endif
