/*
 * What rpc_tls.c (settings, certificates) and rpc_tls_engine.c (handshakes)
 * share. Nobody else includes this.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_TLS_INT_H
#define COMMON_RPC_TLS_INT_H

#include <openssl/ssl.h>

#include "common/attr.h"

/* Makes NNG use our engine and registers its metrics; may be repeated. */
MUST_CHECK int rpc_tls_engine_start(void);

/* The roles that a certificate names: PROCESS_ bits. */
unsigned rpc_tls_roles_of(const X509 *cert);
/* The bit of "chatd"; 0: no process of ours. */
unsigned rpc_tls_role(const char *service);

/* The context in force, counted up; NULL: there is none. */
SSL_CTX *rpc_tls_context(void);

#endif
