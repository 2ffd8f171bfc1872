/*
 * What the machine could do at most: each function does the barest form of one
 * step of the product for some seconds and returns how many a second.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_CEILING_H
#define BENCH_CEILING_H

#include <stdint.h>

/* Monotonic seconds. */
double ceiling_now(void);

/* send() of one frame of `size` bytes to each of `sockets` TCP connections in
 * turn, received by another process, at most `ahead` of them unread (0: as many
 * as the kernel takes); frames a second. */
double ceiling_send(double seconds, uint32_t sockets, uint32_t size,
    uint32_t ahead);
/* Durable inserts of message rows in batches of `batch` over `links` pipelined
 * connections; rows a second. */
double ceiling_insert(double seconds, const char *conninfo, uint32_t batch,
    uint32_t links);
/* Requests in NNG messages of `batch` of them, echoed by another process over
 * ipc, `contexts` in flight; requests a second. */
double ceiling_nng(double seconds, uint32_t batch, uint32_t contexts);
/* PUBLISH of `size` bytes, `batch` in a pipeline, to one subscriber; a second.
 * `address` is a unix socket's path or host:port. */
double ceiling_redis(double seconds, const char *address, uint32_t batch,
    uint32_t size);
/* Serves WebSocket echoes at this port of 127.0.0.1 until SIGTERM; parley-load
 * counts them (request --request echo). Returns main()'s status. */
int ceiling_lws(uint32_t port);

#endif
