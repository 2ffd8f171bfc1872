/*
 * From the envelope to the handler: row by kind, JSON, fields, handler. And
 * back: the one place that turns an enum err into a reply. Counts and times
 * requests by type and result.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_DISPATCH_H
#define CHATD_DISPATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct dispatch;
struct service;

/* Listens. NULL (and a log_error) when it cannot. */
MUST_CHECK struct dispatch *dispatch_new(struct service *svc,
    const char *listen, size_t in_flight_max);
/* Callers are turned away from now on. */
void dispatch_drain(struct dispatch *d);
/* After dispatch_drain: all is answered and the callers have left. */
bool dispatch_drained(const struct dispatch *d);
/* Requests not yet answered. */
size_t dispatch_pending(const struct dispatch *d);
/* All requests must have been answered. */
void dispatch_free(struct dispatch **d);

#endif
