/*
 * rpc_plain: links without TLS, ipc:// and tcp://, which NNG carries itself.
 * Private to the calls between processes (rpc_*.c).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_PLAIN_H
#define COMMON_RPC_PLAIN_H

#include <nng/nng.h>
#include <stdbool.h>

#include "common/attr.h"

/* Listens at `url` on a REP socket; an ipc:// socket is open to our own account,
 * or also to listen_group. Main thread. An NNG error, or 0. */
MUST_CHECK int rpc_plain_listen(nng_socket socket, const char *url);

/* Whether operators' calls (ADMIN rows) are taken of this link. On an ipc://
 * socket from root and from our own account, which could read all we hold
 * anyway; on tcp:// from nobody, unless a setting allows it. Any thread. */
bool rpc_plain_is_admin(nng_pipe pipe);

#endif
