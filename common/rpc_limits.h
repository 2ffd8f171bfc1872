/*
 * Bounds of the calls between processes, shared by both ends.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_LIMITS_H
#define COMMON_RPC_LIMITS_H

/* The largest NNG message either side takes (NNG closes the connection beyond
 * it). 18 reads of a batch whose answers are 4 MiB each still fit; the rest is
 * answered ERR_UNAVAILABLE, and so asked again. */
#define RPC_MESSAGE_MAX ((size_t)72 << 20)
/* A batch is closed when its bodies reach this. */
#define RPC_BATCH_BYTES ((size_t)512 << 10)

#define RPC_HELLO_TIMEOUT_MS 1000
#define RPC_HELLO_RETRY_MS 200
/* A dialler that brought no connection for so long is made anew. NNG 1.5 gives
 * one up for good when the other end hangs up amid the greeting: at once by
 * ipc, where a process that is killed leaves such connections behind. Less than
 * a call waits, more than connecting takes when a packet is lost. */
#define RPC_REDIAL_IPC_MS 1000
#define RPC_REDIAL_MS 3500
/* A peer that cannot be reached for so long is told of in the log. */
#define RPC_TELL_DOWN_MS 5000

#endif
