/*
 * lease: the regular look at the book, and the end of gateways that fell
 * silent. A gateway holds its sessions on a lease that each heartbeat and each
 * list of changes renews; when it runs out they all end, as of the last
 * heartbeat.
 *
 *   timer -> store_tick -> contact unbroken for a lease? -> store_expire ...
 *                       -> due_tick, memory_tick, report_kick
 *
 * Loop's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PRESENCED_LEASE_H
#define PRESENCED_LEASE_H

#include <stdint.h>
#include <uv.h>

#include "common/attr.h"

struct lease;
struct store;
struct due;
struct memory;
struct report;

struct lease_conf {
	struct store *store;   /* these are borrowed */
	struct due *due;
	struct memory *memory;
	struct report *report;
	int64_t lease_ms;
	int64_t grace_ms;
};

MUST_CHECK struct lease *lease_new(uv_loop_t *loop,
    const struct lease_conf *conf);
/* After the store was freed. */
void lease_free(struct lease **l);
/* The link to Redis broke: what was not seen cannot be judged. */
void lease_link_lost(struct lease *l);
/* For how long the contact has been unbroken. */
int64_t lease_contact_ms(const struct lease *l);

#endif
