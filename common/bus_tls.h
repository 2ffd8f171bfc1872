/*
 * bus_tls: TLS to Redis, by rediss:// addresses. hiredis can do it from 1.0 on
 * (Debian 13); with an older one such an address is refused at start, and a
 * stunnel before Redis does the same (docs/tls.md). Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_BUS_TLS_H
#define COMMON_BUS_TLS_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/config.h"

struct redisContext;

struct bus_tls_settings {
	char *ca;
	char *cert;
	char *key;
};

extern struct bus_tls_settings bus_tls;

/* For the meaning of redis_url. */
#define BUS_URL_FORMS \
	"redis://[[user]:password@]host[:port][/db], unix:/path, or " \
	"sentinel://[[user]:password@]host[:port],host[:port],.../master[/db]; " \
	"rediss:// and sentinels:// over TLS"

/* Rows of every process that speaks with Redis. */
#define BUS_TLS_ROWS \
	{ "redis_tls_ca", CONFIG_TEXT, &bus_tls.ca, "", 0, 0, 0, \
	    "file of the CAs that make Redis' certificate, for rediss://; " \
	    "empty: those of the system" }, \
	{ "redis_tls_cert", CONFIG_TEXT, &bus_tls.cert, "", 0, 0, 0, \
	    "file of the certificate that Redis may want of its clients; read " \
	    "again at SIGHUP" }, \
	{ "redis_tls_key", CONFIG_TEXT, &bus_tls.key, "", 0, 0, 0, \
	    "file of that certificate's key" }

/* Looks at a redis_url and, for rediss://, at the files; redis:// beyond this
 * machine is good only if `insecure`. False: `why` (TLS_WHY_LEN) names setting
 * and remedy. */
MUST_CHECK bool bus_tls_check(const char *url, bool insecure, char *why);
/* Reads the files again: later connections use them. */
void bus_tls_reload(void);
/* Begins the handshake on a connection that was just asked for; the server's
 * certificate must be for `host`. */
MUST_CHECK bool bus_tls_begin(struct redisContext *c, const char *host);

#endif
