/*
 * rpc_resolve: which URLs an address list stands for. ipc:// and numeric
 * addresses are themselves; a DNS name is all its A and AAAA records, looked up
 * at once and again every 30 s; over TLS each of these must show a certificate
 * for the name. Private to rpc_client.c; loop's thread (libuv
 * asks the resolver on its pool).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_RESOLVE_H
#define COMMON_RPC_RESOLVE_H

#include <uv.h>

#include "common/attr.h"

struct resolver;

/* One URL, and the host as it was configured (NULL: ipc://). */
struct resolved {
	const char *url;  /* borrowed */
	const char *host; /* borrowed */
};

/* All URLs the list stands for (borrowed). Called at once for the fixed
 * ones, and whenever a look-up changed the set. A look-up that fails keeps what
 * was known. */
typedef void resolver_fn(void *arg, const struct resolved *urls, size_t n);

/* NULL when an address is malformed; *error_r is then static text. */
MUST_CHECK struct resolver *resolver_new(uv_loop_t *loop, const char *addresses,
    resolver_fn *fn, void *arg, const char **error_r);
/* Fires the first callback and starts the look-ups. */
void resolver_start(struct resolver *r);
void resolver_free(struct resolver **r);

#endif
