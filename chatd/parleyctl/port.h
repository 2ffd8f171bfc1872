/*
 * The admin ports of all processes (setting `processes`): what /readyz and
 * /metrics say. Bounded: 2 s and 4 MiB an answer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_PARLEYCTL_PORT_H
#define CHATD_PARLEYCTL_PORT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

enum port_state {
	PORT_DOWN,      /* nobody answers */
	PORT_NOT_READY,
	PORT_READY,
};

struct port {
	char *name;       /* owned: as the setting has it */
	char *address;    /* owned: host:port, one of the name's */
	enum port_state state;
	char why[256];    /* why it is not ready */
	char *metrics;    /* owned; NULL: none */
};

/* Asks them all. A DNS name stands for all its addresses. NULL: the setting is
 * malformed, which has been said. */
MUST_CHECK struct port *ports_ask(size_t *count_r);
void ports_free(struct port *ports, size_t count);

/* The sum of a metric over its labels. False: it is not there. */
MUST_CHECK bool port_metric(const struct port *p, const char *name,
    double *value_r);
/* The label `version` of parley_build_info. Returns `text`. */
char *port_version(const struct port *p, char *text, size_t size);

#endif
