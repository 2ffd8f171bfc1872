/*
 * Bare libwebsockets on the libuv loop, with the settings that the gateway has:
 * who connects gets a user_info without content, so that parley-load takes it for
 * a gateway, and every frame back as it came. What a gateway serves beyond that
 * is its own work.
 *
 * SPDX-License-Identifier: MIT
 */
#include <libwebsockets.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

#include "bench/ceiling/ceiling.h"

#define FILES_MAX 25000
#define FRAME_MAX 4096

static const char hello[] = "{\"type\":\"user_info\"}";

static int
send_text(struct lws *wsi, const void *text, size_t len)
{
	unsigned char frame[LWS_PRE + FRAME_MAX];

	if (len > FRAME_MAX) {
		return -1;
	}
	memcpy(frame + LWS_PRE, text, len);
	return lws_write(wsi, frame + LWS_PRE, len, LWS_WRITE_TEXT) < 0 ? -1 :
	    0;
}

static int
callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
    void *in, size_t len)
{
	(void)user;
	switch (reason) {
	case LWS_CALLBACK_ESTABLISHED:
		return send_text(wsi, hello, sizeof(hello) - 1);
	case LWS_CALLBACK_RECEIVE:
		return send_text(wsi, in, len);
	default:
		return 0;
	}
}

static const struct lws_protocols protocols[] = {
	{ .name = "echo", .callback = callback, .rx_buffer_size = 1024 },
	{ .name = NULL },
};

static void
on_signal(uv_signal_t *s, int signum)
{
	(void)signum;
	uv_stop(s->loop);
}

int
ceiling_lws(uint32_t port)
{
	struct rlimit files = { FILES_MAX, FILES_MAX };
	uv_loop_t *loop = uv_default_loop();
	void *loops[1] = { loop };
	struct lws_context_creation_info info = {
		.port = (int)port,
		.iface = "127.0.0.1",
		.protocols = protocols,
		.options = LWS_SERVER_OPTION_LIBUV,
		.foreign_loops = loops,
		.pt_serv_buf_size = 16384,
	};
	struct lws_context *context;
	uv_signal_t end;

	setrlimit(RLIMIT_NOFILE, &files);
	lws_set_log_level(LLL_ERR, NULL);
	context = lws_create_context(&info);
	if (context == NULL) {
		fprintf(stderr, "parley-ceiling: cannot listen at port %u\n",
		    port);
		return 1;
	}
	uv_signal_init(loop, &end);
	uv_signal_start(&end, on_signal, SIGTERM);
	return uv_run(loop, UV_RUN_DEFAULT);
}
