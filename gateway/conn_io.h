/*
 * Where a connection's outbox meets libwebsockets. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_CONN_IO_H
#define GATEWAY_CONN_IO_H

#include "gateway/outbox.h"

/* The outbox's arg is the conn. */
struct conn;

extern const struct outbox_io conn_io;

/* Writes a close frame past the library; code 0: an empty one. The library's own
 * lies until it is written where the payload of the client's next ping goes, and
 * it waits for an answer. */
void conn_write_close(struct conn *c, int code, const char *why);

#endif
