/*
 * rpc_tunnel: links of TLS for NNG sockets, carried by ourselves.
 *
 *   main thread            NNG                 the tunnels' thread
 *   REQ socket  --inproc-- raw REP --messages-- link --TLS over TCP--> ...
 *   REP socket  --inproc-- raw REQ --messages-- link <-TLS over TCP--- ...
 *
 * On the wire it is what NNG's own tls+tcp:// speaks. Why that one is not used is
 * told in docs/decisions/041. inproc:// hands over whole messages and exists
 * within this process alone, so nobody else can come in by it.
 *
 * Private to the calls between processes (rpc_*.c). Main thread, except
 * tunnel_roles.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_TUNNEL_H
#define COMMON_RPC_TUNNEL_H

#include <nng/nng.h>

#include "common/attr.h"
#include "common/contract.h"

struct tunnel_caller;
struct tunnel_callee;

/* A callee's ways in: one for each set of roles that a caller may have. */
struct tunnel_doors {
	nng_listener of_roles[PROCESS_ANY + 1]; /* [0] is none */
};

/*
 * Keeps up a link to `url` (tls+tcp://, a numeric address) for a REQ socket,
 * and makes it anew whenever it ends. It wants a `service` (its role) whose
 * certificate is for `host`, a name or an address. An NNG error, or 0.
 */
MUST_CHECK int tunnel_call(struct tunnel_caller **c_r, nng_socket socket,
    const char *url, const char *service, const char *host);
/* Before the socket is closed. NULL is ignored. */
void tunnel_hang_up(struct tunnel_caller **c);

/* Listens at `url` (tls+tcp://) for a REP socket; callers need a certificate
 * with a role. An NNG error, or 0. */
MUST_CHECK int tunnel_listen(struct tunnel_callee **c_r,
    struct tunnel_doors *doors_r, nng_socket socket, const char *url);
/* Before the socket is closed; links that are end with the socket. The address
 * is free afterwards. NULL is ignored. */
void tunnel_unlisten(struct tunnel_callee **c);

/* Any thread: what the other end of a listening socket's pipe may be,
 * PROCESS_ bits of contract.h. 0: the pipe is gone. */
unsigned tunnel_roles(const struct tunnel_doors *doors, nng_pipe pipe);

/* Ends the thread: after all of the above, before NNG's end. Harmless when there
 * is none. */
void tunnels_end(void);

#endif
