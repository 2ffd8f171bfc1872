/*
 * TLS to Redis on hiredis 1.0 or later. The SSL object is made here, not by
 * hiredis, which would not look at the name in the server's certificate.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/bus_tls.h"

#include <hiredis/hiredis.h>
#ifdef PARLEY_REDIS_TLS
#include <hiredis/hiredis_ssl.h>
#endif
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "common/bus_address.h"
#include "common/log.h"
#include "common/tls.h"

struct bus_tls_settings bus_tls;

static SSL_CTX *context; /* owned; NULL: no rediss:// */

#ifdef PARLEY_REDIS_TLS

static struct tls_files
redis_files(void)
{
	return (struct tls_files){ .prefix = "redis_tls_", .ca = bus_tls.ca,
		.cert = bus_tls.cert, .key = bus_tls.key, .client = true };
}

static bool
load(char *why)
{
	const struct tls_files files = redis_files();
	SSL_CTX *fresh = tls_context_new(&files, why);

	if (fresh == NULL) {
		return false;
	}
	SSL_CTX_free(context);
	context = fresh;
	return true;
}

bool
bus_tls_begin(struct redisContext *c, const char *host)
{
	SSL *ssl = context != NULL ? SSL_new(context) : NULL;

	if (ssl == NULL || !tls_expect_host(ssl, host)) {
		SSL_free(ssl);
		return false;
	}
	SSL_set_connect_state(ssl);
	if (redisInitiateSSL(c, ssl) != REDIS_OK) {
		SSL_free(ssl);
		return false;
	}
	return true;
}

#else

static bool
load(char *why)
{
	snprintf(why, TLS_WHY_LEN, "setting redis_url: this program was built "
	    "with hiredis %d.%d, which has no TLS: let stunnel encrypt and give "
	    "redis://127.0.0.1:PORT (see docs/tls.md), or build it with hiredis "
	    "1.0 or later", HIREDIS_MAJOR, HIREDIS_MINOR);
	return false;
}

bool
bus_tls_begin(struct redisContext *c, const char *host)
{
	(void)c;
	(void)host;
	return false;
}

#endif

bool
bus_tls_check(const char *url, bool insecure, char *why)
{
	struct bus_address a;
	bool local;
	bool tls;

	if (!bus_address_parse(url, &a)) {
		snprintf(why, TLS_WHY_LEN, "setting redis_url: it is not "
		    BUS_URL_FORMS);
		return false;
	}
	tls = a.tls;
	/* Sentinels tell of other machines, wherever they are themselves. */
	local = a.master == NULL && tls_host_is_local(a.host);
	bus_address_fini(&a);
	if (tls) {
		return load(why);
	}
	if (!local && !insecure) {
		snprintf(why, TLS_WHY_LEN, "setting redis_url: a plain link "
		    "beyond this machine lets who is on the way forge events: "
		    "write rediss:// or sentinels://, or let stunnel encrypt (see docs/tls.md), "
		    "or, on a network that is closed by other means, "
		    "insecure_links = on");
		return false;
	}
	return true;
}

void
bus_tls_reload(void)
{
	char why[TLS_WHY_LEN];

	if (context != NULL && !load(why)) {
		log_error("certificate_refused", "cause=\"%s\" remedy=\"set it "
		    "right and send SIGHUP again; the former is still in "
		    "force\"", why);
	}
}
