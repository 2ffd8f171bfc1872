/*
 * The admin port: a very small HTTP/1.1 server for GET /healthz, /readyz and
 * /metrics, for daemon.c alone. Plain text, one request a connection.
 *
 * Bounds: requests of 4 KiB (beyond: 431), 32 connections (beyond: closed at
 * once), 5 s a connection from accept to close.
 *
 * Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_ADMIN_H
#define COMMON_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#include "common/attr.h"

struct admin;
struct buf;

#define ADMIN_ERROR_LEN 256

/* Appends the body of /readyz (one line) and returns whether we are ready. */
typedef bool admin_ready_fn(struct buf *body);

/* Listens at `address` (host:port; [ipv6]:port; port 0 takes a free one). NULL:
 * `error` holds one line naming cause and remedy. */
MUST_CHECK struct admin *admin_new(uv_loop_t *loop, const char *address,
    admin_ready_fn *ready, char error[ADMIN_ERROR_LEN]);
/* The address it listens at, with the real port. Returns `text`. */
char *admin_address(const struct admin *a, char *text, size_t size);
/* Closes all; the loop must turn once more. NULL is ignored. */
void admin_free(struct admin **a);

#endif
