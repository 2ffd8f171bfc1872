/*
 * Where a connection's outbox meets libwebsockets. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_CONN_IO_H
#define GATEWAY_CONN_IO_H

#include "gateway/outbox.h"

/* The outbox's arg is the conn. */
extern const struct outbox_io conn_io;

#endif
