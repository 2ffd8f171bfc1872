/*
 * tcp_read: how many bytes of a TCP connection its reader has taken so far, by
 * the kernel's account. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_TCP_READ_H
#define GATEWAY_TCP_READ_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

/* False: it cannot be told, as it is no TCP socket, its connection was reset, or
 * bytes arrive faster than one can look. */
MUST_CHECK bool tcp_read_count(int fd, uint64_t *count_r);

#endif
