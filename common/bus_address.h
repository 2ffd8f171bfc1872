/*
 * bus_address: the setting redis_url, taken apart. Pure; any thread.
 *
 *   redis://[[user]:password@]host[:port][/db]
 *   rediss://...   the same over TLS
 *   unix:/path
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_BUS_ADDRESS_H
#define COMMON_BUS_ADDRESS_H

#include <stdbool.h>

#include "common/attr.h"

struct bus_address {
	char *host;     /* owned; NULL: unix socket */
	int port;
	char *path;     /* owned */
	char *user;     /* owned; NULL: Redis' default user */
	char *password; /* owned; NULL: none */
	int db;
	bool tls;
};

/* False: it is none of the above; nothing is then to be released. */
MUST_CHECK bool bus_address_parse(const char *url, struct bus_address *a);
void bus_address_fini(struct bus_address *a);

#endif
