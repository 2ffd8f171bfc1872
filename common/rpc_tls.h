/*
 * rpc_tls: the certificate of this process for the links to others, and what
 * theirs say. Private to the calls between processes (rpc_*.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_TLS_H
#define COMMON_RPC_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "common/attr.h"
#include "common/rpc_links.h"

/* Main thread, before the first link of TLS: registers the metrics and logs the
 * certificate. False: there is none. */
MUST_CHECK bool rpc_tls_ready(void);

/* Any thread: the context in force, counted up; NULL: there is none. */
SSL_CTX *rpc_tls_context(void);

/* The roles that a certificate names: PROCESS_ bits. */
unsigned rpc_tls_roles_of(const X509 *cert);
/* The bit of "chatd"; 0: no process of ours. */
unsigned rpc_tls_role(const char *service);

#endif
