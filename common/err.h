/*
 * Domain errors, from err.def. Functions return `enum err`, ERR_OK (0) when all
 * is well. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

#include <stdbool.h>

enum err {
#define ERR(symbol, number, reason, http) ERR_##symbol = number,
#include "common/err.def"
#undef ERR
};

/* The word on the wire and in logs; "unknown_error" for a number of no row. */
const char *err_reason(enum err e);
int err_http_status(enum err e);
/* Whether the same request may succeed at another process or later: the peer
 * was overloaded, unavailable, or dropped it unexecuted. */
bool err_is_passing(enum err e);

#endif
