/*
 * See db_tls.h. The settings are read as libpq reads them: what the URL leaves
 * open comes from the environment.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/db_tls.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/tls.h"

static const char *
option(const PQconninfoOption *options, const char *key)
{
	for (const PQconninfoOption *o = options; o->keyword != NULL; o++) {
		if (strcmp(o->keyword, key) == 0) {
			return o->val != NULL ? o->val
			    : o->envvar != NULL ? getenv(o->envvar) : NULL;
		}
	}
	return NULL;
}

/* All of a comma-separated list of hosts. */
static bool
all_local(const char *hosts)
{
	char *copy = mem_strdup(hosts != NULL ? hosts : "");
	char *save = NULL;
	bool local = true;

	for (char *h = strtok_r(copy, ",", &save); h != NULL;
	    h = strtok_r(NULL, ",", &save)) {
		local = local && tls_host_is_local(h);
	}
	free(copy);
	return local;
}

static bool
is_verified(const char *sslmode)
{
	return sslmode != NULL && (strcmp(sslmode, "verify-full") == 0 ||
	    strcmp(sslmode, "verify-ca") == 0);
}

bool
db_url_check(const char *setting, const char *url, bool insecure, char *why)
{
	PQconninfoOption *options;
	bool good;

	if (url == NULL || *url == '\0' || insecure) {
		return true;
	}
	options = PQconninfoParse(url, NULL);
	if (options == NULL) {
		return true; /* connecting says what is wrong with it */
	}
	good = is_verified(option(options, "sslmode")) ||
	    (all_local(option(options, "host")) &&
	    all_local(option(options, "hostaddr")));
	PQconninfoFree(options);
	if (!good) {
		snprintf(why, TLS_WHY_LEN, "setting %s: the server is beyond "
		    "this machine and not verified: add sslmode=verify-full "
		    "and sslrootcert=FILE (see docs/tls.md), or, on a network "
		    "that is closed by other means, insecure_links = on",
		    setting);
	}
	return good;
}

/*
 * Older releases of libpq read no more than their buffer has room for. What is
 * left of a record stays decrypted in OpenSSL, where the socket does not tell of
 * it: without the loop the rest of an answer would wait for the next one.
 */
bool
db_consume(PGconn *conn)
{
	const SSL *ssl = PQsslStruct(conn, "OpenSSL");

	do {
		if (PQconsumeInput(conn) != 1) {
			return false;
		}
	} while (ssl != NULL && SSL_pending(ssl) > 0);
	return true;
}

const char *
db_tls_version(PGconn *conn)
{
	const char *version = PQsslInUse(conn) != 0
	    ? PQsslAttribute(conn, "protocol") : NULL;

	return version != NULL ? version : "none";
}
