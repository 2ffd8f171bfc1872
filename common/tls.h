/*
 * tls: certificates and keys in files, checked until nothing about them can go
 * wrong later, as contexts of OpenSSL. For the links between processes
 * (rpc_tls.h) and the gateway's own port; libpq and hiredis read theirs
 * themselves.
 *
 * A reason names the setting and the remedy and never holds what is in a key.
 * Any thread; contexts are counted by OpenSSL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_TLS_H
#define COMMON_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct ssl_ctx_st;
struct ssl_st;
struct x509_st;

#define TLS_WHY_LEN 512
/* What is taken of TLS 1.2: forward-secret and authenticated. All of 1.3 is. */
#define TLS_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"
/* A certificate that ends sooner is warned of. */
#define TLS_SOON_S (7 * 24 * 3600)

struct tls_files {
	const char *prefix; /* of the settings: "rpc_tls_" for rpc_tls_cert */
	const char *ca;     /* whose certificates are taken; NULL or "": no
	                     * certificate is asked of the other side */
	const char *cert;   /* own, and the chain up to the CA */
	const char *key;
	bool client;        /* no need of an own certificate; without a CA those
	                     * of the system are believed */
};

/*
 * A context for both sides of a connection: TLS 1.2 or later, no renegotiation,
 * no session is resumed (each handshake looks at the certificates anew). With a
 * CA the other side must show a certificate made by it.
 *
 * NULL: `why` says what is wrong with which file: absent, unreadable, no PEM,
 * a key that anybody may read, has a pass phrase or belongs to another
 * certificate, a certificate that has ended or has not begun.
 */
MUST_CHECK struct ssl_ctx_st *tls_context_new(const struct tls_files *files,
    char why[TLS_WHY_LEN]);

/* Before a handshake as a client: the other side's certificate must be for
 * `host`, a name or an address. */
MUST_CHECK bool tls_expect_host(struct ssl_st *ssl, const char *host);

/* Whether none but this machine is on the way to `host`: a loopback address,
 * localhost, the path of a socket, or nothing. */
bool tls_host_is_local(const char *host);

/* When the context's own certificate ends, in seconds of Unix time. */
int64_t tls_not_after(const struct ssl_ctx_st *ctx);

/* Says in the log which certificate is in force from now on, and warns of one
 * that ends soon. */
void tls_log_loaded(const struct tls_files *files,
    const struct ssl_ctx_st *ctx);

/* The subject in one line, RFC 2253; cut to `size`. Returns `text`. */
char *tls_subject(const struct x509_st *cert, char *text, size_t size);

#endif
