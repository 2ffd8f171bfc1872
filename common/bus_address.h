/*
 * bus_address: the setting redis_url, taken apart. Pure; any thread.
 *
 *   redis://[[user]:password@]host[:port][/db]
 *   rediss://...   the same over TLS
 *   unix:/path
 *   sentinel://[[user]:password@]host[:port],host[:port],.../master[/db]
 *   sentinels://... the same over TLS, to the Sentinels and to Redis
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_BUS_ADDRESS_H
#define COMMON_BUS_ADDRESS_H

#include <stdbool.h>

#include "common/attr.h"

#define BUS_SENTINELS_MAX 9

struct bus_place {
	char *host; /* owned */
	int port;
};

struct bus_address {
	char *host;     /* owned; NULL: unix socket, or Sentinels know it */
	int port;
	char *path;     /* owned */
	char *user;     /* owned; NULL: Redis' default user */
	char *password; /* owned; NULL: none */
	int db;
	bool tls;
	char *master;   /* owned; its name among the Sentinels; NULL: none */
	struct bus_place sentinels[BUS_SENTINELS_MAX];
	unsigned sentinel_count;
};

/* False: it is none of the above; nothing is then to be released. */
MUST_CHECK bool bus_address_parse(const char *url, struct bus_address *a);
void bus_address_fini(struct bus_address *a);

#endif
