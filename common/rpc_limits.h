/*
 * Bounds of the calls between processes, shared by both ends.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_LIMITS_H
#define COMMON_RPC_LIMITS_H

/* The largest NNG message either side takes (NNG closes the connection beyond
 * it). A batch of 16 reads whose answers are 4 MiB each still fits. */
#define RPC_MESSAGE_MAX ((size_t)72 << 20)
/* A batch is closed when its bodies reach this. */
#define RPC_BATCH_BYTES ((size_t)512 << 10)

#define RPC_HELLO_TIMEOUT_MS 1000
#define RPC_HELLO_RETRY_MS 200

#endif
