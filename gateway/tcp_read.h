/*
 * tcp_read: how many bytes of a TCP connection its reader has taken so far, by
 * the kernel's account. More may arrive while it is asked: one figure is never
 * too low, the other never too high. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_TCP_READ_H
#define GATEWAY_TCP_READ_H

#include <stdint.h>

/* 0 for what is no TCP socket. */
uint64_t tcp_read_at_most(int fd);
uint64_t tcp_read_at_least(int fd);

#endif
