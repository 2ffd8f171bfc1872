/*
 * Connections whose end was told before their coming, which NNG (1.5) does where
 * both happen at once, on threads of its own. Loop's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_ENDED_H
#define COMMON_RPC_ENDED_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

/* The coming follows within moments if it follows at all: of a connection that
 * was refused there is only an end. So the oldest may be forgotten. */
#define RPC_ENDED_MAX 64

struct rpc_ended {
	int ids[RPC_ENDED_MAX]; /* 0: none */
	size_t next;
};

/* The end of a connection that has not come. */
static inline void
rpc_ended_note(struct rpc_ended *e, int id)
{
	e->ids[e->next++ % RPC_ENDED_MAX] = id;
}

/* One comes. True: it is gone already. */
MUST_CHECK static inline bool
rpc_ended_take(struct rpc_ended *e, int id)
{
	for (size_t i = 0; i < RPC_ENDED_MAX; i++) {
		if (e->ids[i] == id) {
			e->ids[i] = 0;
			return true;
		}
	}
	return false;
}

#endif
