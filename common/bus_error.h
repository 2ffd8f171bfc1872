/*
 * What Redis means by the errors that are about itself and not about what was
 * asked: which of them another connection may cure, and what an operator can do.
 * Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_BUS_ERROR_H
#define COMMON_BUS_ERROR_H

#include <stdbool.h>

struct redisReply;

enum bus_error {
	BUS_ERROR_OTHER,   /* about the command: the caller's matter */
	BUS_ERROR_REPLICA, /* -READONLY, -MASTERDOWN: a failover was here */
	BUS_ERROR_LOADING, /* -LOADING: it has just started */
	BUS_ERROR_AUTH,    /* -NOAUTH, -WRONGPASS, -NOPERM */
	BUS_ERROR_MEMORY,  /* -OOM */
	BUS_ERROR_DISK,    /* -MISCONF */
	BUS_ERROR_ALONE,   /* -NOREPLICAS: it may be cut off from its replicas */
	BUS_ERROR_COUNT,
};

/* By the error's first word. */
enum bus_error bus_error(const char *message);
/* The word for the metric. */
const char *bus_error_name(enum bus_error e);
const char *bus_error_remedy(enum bus_error e);
/* Whether to connect anew, after a pause, is the way out. */
bool bus_error_is_link_s(enum bus_error e);
/* An answer to ROLE that names anything but a master. */
bool bus_is_no_master(const struct redisReply *reply);

#endif
