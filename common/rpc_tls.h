/*
 * rpc_tls: sockets of NNG as rpc_links.h wants them. Private to the calls between
 * processes (rpc_*.c). Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_TLS_H
#define COMMON_RPC_TLS_H

#include <nng/nng.h>

#include "common/attr.h"
#include "common/rpc_links.h"

/* Before nng_dialer_start: wants a `service` (its role) whose certificate is for
 * `host`, a name or an address. An NNG error, or 0. */
MUST_CHECK int rpc_tls_protect_dialer(nng_dialer d, const char *service,
    const char *host);

/* Before nng_listener_start: wants a certificate with a role. */
MUST_CHECK int rpc_tls_protect_listener(nng_listener l);
/* Listens at `url` on a REP socket: TLS as above; an ipc:// socket is open to our
 * own account, or also to listen_group. An NNG error, or 0. */
MUST_CHECK int rpc_listen(nng_socket socket, const char *url);

/* What the other end may be: PROCESS_ bits of contract.h. 0: the pipe is gone. */
unsigned rpc_tls_roles(nng_pipe pipe);
/* Of a link without TLS: whether operators' calls (ADMIN rows) are taken. On an
 * ipc:// socket from root and from our own account, which could read all we hold
 * anyway; on tcp:// from nobody, unless a setting allows it. */
bool rpc_plain_is_admin(nng_pipe pipe);

#endif
