/*
 * A presenced that remembers nobody: every session and heartbeat is fine, and
 * everybody is online.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/alone/alone.h"
#include "bench/alone/serve.h"
#include "common/buf.h"

static void
on_frame(void *arg, struct rpc_in *in)
{
	struct buf body = BUF_INIT;
	struct rd r;
	uint32_t count;

	(void)arg;
	if (in->frame.kind == CALL_who_is_online) {
		rd_init(&r, in->frame.body, in->frame.body_len);
		count = rd_u32(&r);
		buf_put_u32(&body, count);
		while (count-- > 0) {
			buf_put_u8(&body, 1);
		}
	}
	stand_in_answer(in, ERR_OK, &body);
	buf_fini(&body);
}

int
serve_presenced(uv_loop_t *loop)
{
	return stand_in_serve(loop, setup.address, on_frame);
}
