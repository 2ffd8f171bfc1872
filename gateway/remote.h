/*
 * remote: who is at the other end of a client socket, from accept to its end:
 * the address, whether it is a proxy that speaks for others, and the counts per
 * address that decide whether the socket is served.
 *
 *   accept -> [PROXY header, proxied.c] -> remote_new -> ... -> remote_free
 *                                            `- NULL: close it at once
 *
 * A socket beyond a limit is served so far that its client learns why (close
 * 1013, or 429), as long as that happens at a bounded rate; far beyond it is
 * closed when it is accepted. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_REMOTE_H
#define GATEWAY_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/attr.h"
#include "gateway/limits.h"

struct gateway;
struct lws;
struct remote;

/* Whether trusted_proxies can be read; else `why` (DAEMON_WHY_LEN) says what
 * cannot. */
MUST_CHECK bool remote_check(char *why);
/* Its list; after remote_check. */
struct nets *remote_read_trusted(void);

/* `sockets` are open now. NULL: beyond all limits. */
MUST_CHECK struct remote *remote_new(struct gateway *gw,
    const struct address *a, size_t sockets);
/* NULL is fine. */
void remote_free(struct remote **p);

/* A place for how many bytes of the socket had been read when its last request
 * was done; 0 before that. See http_lws.c. */
uint64_t *remote_bytes_read(struct remote *p);

/* Its first request, or its handshake, is complete. */
void remote_arrived(struct remote *p);
/* Why it should be told to go; NULL: it may stay. A fixed text. */
const char *remote_refused(const struct remote *p);

/* Whose request this is: its own, or whom a trusted proxy names. */
struct address remote_client(const struct remote *p, struct lws *wsi);
/* A WebSocket: from now on the socket counts as the client's. Never NULL, and
 * valid as long as the remote is. */
struct caller *remote_become(struct remote *p, const struct address *client);

#endif
