/*
 * db_tls: what TLS means for the links to PostgreSQL. libpq makes it, by the
 * settings in database_url (sslmode, sslrootcert, sslcert, sslkey) or in libpq's
 * environment.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_DB_TLS_H
#define CHATD_DB_TLS_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "common/attr.h"

/* A server beyond this machine must be verified: sslmode verify-full, or
 * verify-ca, unless `insecure`. False: `why` (TLS_WHY_LEN) names the setting and
 * the remedy, never the text of the URL. An empty URL is good. */
MUST_CHECK bool db_url_check(const char *setting, const char *url,
    bool insecure, char *why);

/* PQconsumeInput until nothing that was received is left in OpenSSL. False: the
 * connection is broken. */
MUST_CHECK bool db_consume(PGconn *conn);

/* "TLSv1.3", or "none". Borrowed from the connection. */
const char *db_tls_version(PGconn *conn);

#endif
