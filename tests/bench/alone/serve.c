/*
 * See serve.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/alone/serve.h"

#include <signal.h>

/* As many as a gateway has in flight. */
#define IN_FLIGHT_MAX 1000000

static void
on_signal(uv_signal_t *signal, int signum)
{
	(void)signum;
	uv_stop(signal->loop);
}

int
stand_in_serve(uv_loop_t *loop, const char *address, rpc_handler_fn *fn)
{
	struct rpc_server *server = rpc_server_new(loop, address,
	    IN_FLIGHT_MAX, fn, NULL);
	uv_signal_t ends[2];
	static const int signals[2] = { SIGTERM, SIGINT };

	if (server == NULL) {
		return 1;
	}
	for (int i = 0; i < 2; i++) {
		uv_signal_init(loop, &ends[i]);
		uv_signal_start(&ends[i], on_signal, signals[i]);
	}
	uv_run(loop, UV_RUN_DEFAULT);
	for (int i = 0; i < 2; i++) {
		uv_close((uv_handle_t *)&ends[i], NULL);
	}
	rpc_server_free(&server);
	uv_run(loop, UV_RUN_NOWAIT);
	return 0;
}

void
stand_in_answer(struct rpc_in *in, enum err status, const struct buf *body)
{
	struct rpc_out out = { .status = status };

	if (body != NULL) {
		out.body = body->data;
		out.body_len = body->len;
	}
	rpc_reply(in, &out);
}
