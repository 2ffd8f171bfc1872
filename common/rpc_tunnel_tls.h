/*
 * rpc_tunnel_tls: TLS on one connected socket of a tunnel: the handshake, who is
 * believed, what is told of those who are not. The socket does not block.
 * Tunnels' thread, except tunnel_tls_metrics.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_TUNNEL_TLS_H
#define COMMON_RPC_TUNNEL_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

enum tunnel_io {
	IO_DONE,
	IO_WANTS_READ,
	IO_WANTS_WRITE,
	IO_ENDED, /* the connection is of no more use; logged if it should be */
};

#define TUNNEL_SERVICE_LEN 16
#define TUNNEL_HOST_LEN 256

struct tunnel_tls {
	SSL *ssl;             /* owned; NULL: none yet */
	bool server;
	bool done;            /* the handshake */
	bool heard;           /* something came after it */
	bool failed;
	unsigned roles;       /* of the other side: PROCESS_ bits */
	const char *refused;  /* why we do not believe it */
	char peer[128];       /* its subject */
	char service[TUNNEL_SERVICE_LEN]; /* callers: whom we call */
	char host[TUNNEL_HOST_LEN];
};

/* With the certificate in force now. `service` NULL: as a server. False: out of
 * memory, or there is no certificate. `t` must be zeroed and stay in place. */
MUST_CHECK bool tunnel_tls_begin(struct tunnel_tls *t, int fd,
    const char *service, const char *host);
enum tunnel_io tunnel_tls_shake(struct tunnel_tls *t);
enum tunnel_io tunnel_tls_read(struct tunnel_tls *t, void *data, size_t size,
    size_t *len_r);
enum tunnel_io tunnel_tls_write(struct tunnel_tls *t, const void *data,
    size_t len, size_t *done_r);
/* Says that nothing more will come. */
void tunnel_tls_bye(struct tunnel_tls *t);
/* Counts a handshake that was not brought to its end. */
void tunnel_tls_fini(struct tunnel_tls *t);

/* Main thread: registers the metrics. */
void tunnel_tls_metrics(void);

/* Whether `what` of `who` was logged a moment ago; if not, it counts as logged
 * now. */
bool tunnel_was_told(const char *who, const char *what);

#endif
