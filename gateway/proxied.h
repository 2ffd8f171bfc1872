/*
 * proxied: sockets of trusted proxies whose PROXY header is still to come
 * (setting proxy_protocol). It is read here, to its last byte and no further,
 * before anybody else sees the socket, so that it stands in front of TLS as
 * well. Bounded in number and in time; beyond both the socket is closed. Main
 * thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_PROXIED_H
#define GATEWAY_PROXIED_H

#include <uv.h>

#include "common/address.h"

struct limits;
struct proxied;

struct proxied_conf {
	uv_loop_t *loop;
	struct limits *limits;
	/* Takes the socket of a client whom the proxy named. */
	void (*on_client)(void *arg, int fd, const struct address *a);
	void *arg;
};

struct proxied *proxied_new(const struct proxied_conf *conf);
/* Takes `fd`, accepted from the proxy `a`. */
void proxied_take(struct proxied *p, int fd, const struct address *a);
/* Closes what waits. The loop has to turn once more. NULL is fine. */
void proxied_free(struct proxied **p);

#endif
