/*
 * tls_port: the gateways' own port over TLS, when tls_cert and tls_key are set.
 * libwebsockets makes the vhost's context; what is in it is ours. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_TLS_PORT_H
#define GATEWAY_TLS_PORT_H

#include <stdbool.h>

#include "common/attr.h"

struct lws_context_creation_info;
struct ssl_ctx_st;

/* Reads the files of the settings. False: `why` (TLS_WHY_LEN) names setting and
 * remedy. */
MUST_CHECK bool tls_port_check(char *why);
/* After a check that went well: whether clients speak TLS with us. */
bool tls_port_on(void);
/* Asks the library for a vhost with TLS. */
void tls_port_prepare(struct lws_context_creation_info *info);
/* From LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS. */
MUST_CHECK bool tls_port_fill(struct ssl_ctx_st *ctx);
/* Reads the files again: later connections use them, those that are stay. Bad
 * files are logged and change nothing. */
void tls_port_reload(void);
/* The context goes with the library's. */
void tls_port_end(void);
/* A whole header line, or "". */
const char *tls_port_hsts(void);

#endif
