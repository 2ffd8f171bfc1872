/*
 * chatd: decides, stores, publishes, answers. The only process that knows the
 * database.
 *
 * Threads
 *   main      the libuv loop; owns all state; never blocks once it runs.
 *             Reached by others only through the loop's own wake-ups.
 *   NNG       the library's; receive and send messages and post them to an
 *             inbox of the loop. Touch nothing of ours.
 *   tunnels   links of TLS between NNG and the network, if there are any
 *             (common/rpc_tunnel.c).
 *   libuv     the thread pool, sized below: password hashes (password_workers
 *             at a time), connecting to PostgreSQL (one at a time), name
 *             look-ups. Each works on its own job alone. These may block.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>

#include "chatd/service.h"
#include "chatd/settings.h"
#include "common/daemon.h"
#include "common/rpc.h"

/* Before the pool's first use. Two threads beyond the hashes, so that a storm
 * of logins does not keep the database from being connected. */
static bool
init(uv_loop_t *loop)
{
	char threads[16];

	snprintf(threads, sizeof(threads), "%d",
	    (int)settings.password_workers + 2);
	setenv("UV_THREADPOOL_SIZE", threads, 0);
	return service_init(loop);
}

int
main(int argc, char **argv)
{
	static const struct daemon_spec spec = {
		.name = "chatd",
		.summary = "stores messages, decides who may and who hears",
		.rows = settings_rows,
		.admin_default = "127.0.0.1:9110",
		.init = init,
		.drain = service_drain,
		.fini = service_fini,
		.reload = service_reload,
		.dump = service_dump,
		.check = service_check,
		.preflight = service_preflight,
	};
	int status;

	status = daemon_main(argc, argv, &spec);
	rpc_end();
	return status;
}
