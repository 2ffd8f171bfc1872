/*
 * gateway: holds the clients' WebSockets and speaks HTTP with them; asks chatd
 * everything, tells presenced who is here, and hears of events from Redis. It
 * keeps nothing that a restart may not lose.
 *
 * Threads
 *   main      the uv loop: owns all state; libwebsockets, hiredis, all timers.
 *             Nothing on it may block.
 *   nng       NNG's own: only post to an inbox (common/rpc_client.c).
 *   tunnels   links of TLS (common/rpc_tunnel.c), if there are any.
 *   uv pool   writes, stores and reads uploaded files (media.c); owns one
 *             upload or stream at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/daemon.h"
#include "common/rpc.h"
#include "gateway/app.h"
#include "gateway/media_s3.h"
#include "gateway/settings.h"

/* While there is no other thread yet. */
static int
preflight(void)
{
	return media_s3_start() ? -1 : 2;
}

int
main(int argc, char **argv)
{
	const struct daemon_spec spec = {
		.name = "gateway",
		.summary = "serves chat clients over WebSocket and HTTP",
		.rows = settings_rows,
		.admin_default = "127.0.0.1:9100",
		.init = app_init,
		.drain = app_drain,
		.fini = app_fini,
		.reload = app_reload,
		.dump = app_dump,
		.check = app_check,
		.preflight = preflight,
	};
	int status;

	status = daemon_main(argc, argv, &spec);
	media_s3_end();
	rpc_end();
	return status;
}
