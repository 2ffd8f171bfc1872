/*
 * What the answering stand-ins have in common: they serve calls at an address
 * until SIGTERM or SIGINT.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_SERVE_H
#define BENCH_SERVE_H

#include <uv.h>

#include "common/buf.h"
#include "common/rpc.h"

/* Returns main()'s status. */
int stand_in_serve(uv_loop_t *loop, const char *address, rpc_handler_fn *fn);
/* `body` may be NULL. */
void stand_in_answer(struct rpc_in *in, enum err status,
    const struct buf *body);

#endif
