/*
 * listener: the listening sockets of one host:port. Its own, not the library's:
 * so that a busy port is told in one line, a graceful stop can close it, and a
 * lack of file descriptors pauses accepting instead of spinning. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_LISTENER_H
#define GATEWAY_LISTENER_H

#include <stdbool.h>
#include <uv.h>

#include "common/address.h"
#include "common/attr.h"

struct listener;

struct listener_conf {
	uv_loop_t *loop;
	const char *address; /* host:port, [ipv6]:port or :port */
	/* Takes the connected, non-blocking socket of a client at `a`. */
	void (*on_accept)(void *arg, int fd, const struct address *a);
	/* After a run of accepts. */
	void (*on_done)(void *arg);
	void *arg;
};

/* NULL (and a log_error naming address and `listen`) when it cannot listen. */
MUST_CHECK struct listener *listener_new(const struct listener_conf *conf);
/* Hands on all that is connected, or in the middle of it, and then closes the
 * port: a quarter of a second later. Harmless again. */
void listener_finish(struct listener *l);
/* Whether the port is not closed yet. */
bool listener_is_open(const struct listener *l);
/* Safe to call twice (clears the pointer). The loop has to turn once more. */
void listener_free(struct listener **l);

#endif
