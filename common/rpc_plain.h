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
#include <uv.h>

#include "common/attr.h"

struct plain_watch;

/* Listens at `url` on a REP socket; an ipc:// socket is open to our own account,
 * or also to listen_group, and opened anew when NNG has stopped accepting: by
 * *watch_r (NULL for other addresses), which ends before the socket. Main thread.
 * An NNG error, or 0. */
MUST_CHECK int rpc_plain_listen(uv_loop_t *loop, nng_socket socket,
    const char *url, struct plain_watch **watch_r);
/* The loop must turn once more. */
void plain_watch_free(struct plain_watch **w);

/* Whether operators' calls (ADMIN rows) are taken of this link. On an ipc://
 * socket from root and from our own account, which could read all we hold
 * anyway; on tcp:// from nobody, unless a setting allows it. Any thread. */
bool rpc_plain_is_admin(nng_pipe pipe);

#endif
