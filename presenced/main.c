/*
 * presenced: who is online. Gateways tell it their sessions, chatds ask it and
 * are told of every transition. The book is in Redis; what this process holds
 * may be lost at any time, so any number of presenceds serve side by side.
 *
 *   gateway --sessions_changed, heartbeat--> presence_handle -> store -> Redis
 *   chatd   --who_is_online----------------/                     ^
 *   chatd  <--presence_changed-- report <- lease, due, memory ---+
 *
 * Threads: the loop's, which owns all of the above; NNG's own, which only post
 * to the inboxes of rpc_client and rpc_server; that of links of TLS
 * (common/rpc_tunnel.c), if there are any. Nothing here blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/daemon.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/rpc.h"
#include "common/bus_tls.h"
#include "common/rpc_links.h"
#include "presenced/due.h"
#include "presenced/lease.h"
#include "presenced/memory.h"
#include "presenced/presence.h"
#include "presenced/report.h"
#include "presenced/store.h"

#define IN_FLIGHT_MAX 2000
#define CHATD_PENDING_MAX 64
#define DRAIN_LOOK_MS 10

static struct {
	/* settings */
	char *listen;
	char *redis_url;
	char *chatd;
	int64_t grace;
	int64_t lease;
	/* parts, in the order they start; owned */
	struct store *store;
	struct report *report;
	struct due *due;
	struct memory *memory;
	struct lease *leases;
	struct rpc_client *client;
	struct rpc_server *server;
	struct presence presence;
	uv_timer_t drain_timer;
	bool drain_timer_open;
} p;

static const struct config_row rows[] = {
	{ "listen", CONFIG_TEXT, &p.listen, "ipc:///run/parley/presenced-1.sock",
	    0, 0, CONFIG_REQUIRED, "NNG URL at which gateways and chatds call" },
	{ "redis_url", CONFIG_TEXT, &p.redis_url, "redis://127.0.0.1:6379", 0,
	    0, CONFIG_REQUIRED | CONFIG_SECRET,
	    "Redis for the presence book: " BUS_URL_FORMS },
	BUS_TLS_ROWS,
	{ "chatd", CONFIG_TEXT, &p.chatd, "ipc:///run/parley/chatd-1.sock", 0,
	    0, CONFIG_REQUIRED, "addresses of all chatds, comma-separated" },
	RPC_LINK_ROWS,
	RPC_LISTEN_ROWS,
	{ "grace", CONFIG_MS, &p.grace, "5s", 0, 600000, 0,
	    "a user is offline so long after the last session ended" },
	{ "lease", CONFIG_MS, &p.lease, "6s", 500, 600000, 0,
	    "a gateway silent for so long is dead; the same in all presenceds, "
	    "and three heartbeats of the gateways or more" },
	CONFIG_END,
};

static void
on_store_ready(void *arg UNUSED, bool ready)
{
	daemon_need("redis", ready);
	if (!ready) {
		lease_link_lost(p.leases);
	}
}

static void
on_chatd_change(void *arg UNUSED, bool any_up)
{
	if (any_up) {
		report_kick(p.report);
	}
}

static void
on_chatd_version(void *arg UNUSED)
{
	log_error("wrong_peer", "peer=chatd cause=\"it speaks another envelope "
	    "version\" remedy=\"run the same release of all processes\"");
	daemon_fail();
}

static void
start_book(uv_loop_t *loop)
{
	const struct lease_conf conf = {
		.store = p.store,
		.due = p.due = due_new(p.store, p.report, p.lease, p.grace),
		.memory = p.memory = memory_new(p.store, p.report, p.lease),
		.report = p.report,
		.lease_ms = p.lease,
		.grace_ms = p.grace,
	};

	p.leases = lease_new(loop, &conf);
	p.presence = (struct presence){ p.store, p.memory, p.report };
}

static bool
init(uv_loop_t *loop)
{
	const struct store_conf store = {
		.redis_url = p.redis_url,
		.lease_ms = p.lease,
		.grace_ms = p.grace,
		.on_ready = on_store_ready,
	};
	const struct rpc_client_conf chatd = {
		.service = "chatd",
		.addresses = p.chatd,
		.timeout_ms = REPORT_TIMEOUT_MS,
		.attempt_ms = REPORT_ATTEMPT_MS,
		.pending_max = CHATD_PENDING_MAX,
		.on_change = on_chatd_change,
		.on_version_mismatch = on_chatd_version,
	};

	daemon_need("redis", false);
	uv_timer_init(loop, &p.drain_timer);
	p.drain_timer_open = true;
	p.store = store_new(loop, &store);
	if (p.store == NULL) {
		return false;
	}
	p.report = report_new(p.store);
	start_book(loop);
	p.client = rpc_client_new(loop, &chatd);
	if (p.client == NULL) {
		return false;
	}
	report_set_chatd(p.report, p.client);
	p.server = rpc_server_new(loop, p.listen, IN_FLIGHT_MAX,
	    presence_handle, &p.presence);
	return p.server != NULL;
}

static void
on_drain_look(uv_timer_t *timer UNUSED)
{
	if (rpc_server_drained(p.server) &&
	    report_in_flight(p.report) == 0) {
		daemon_stopped();
	}
}

static void
drain(void)
{
	rpc_server_drain(p.server);
	report_stop(p.report);
	uv_timer_start(&p.drain_timer, on_drain_look, 0, DRAIN_LOOK_MS);
}

static void
fini(void)
{
	rpc_server_free(&p.server);
	store_free(&p.store); /* answers what it still holds */
	rpc_client_free(&p.client);
	lease_free(&p.leases);
	memory_free(&p.memory);
	due_free(&p.due);
	report_free(&p.report);
	if (p.drain_timer_open) {
		uv_close((uv_handle_t *)&p.drain_timer, NULL);
	}
}

static bool
check(char *why)
{
	const struct rpc_addresses addresses[] = {
		{ "listen", p.listen }, { "chatd", p.chatd }, { NULL, NULL },
	};

	return rpc_links_check("presenced", addresses, why) &&
	    bus_tls_check(p.redis_url, rpc_links.insecure, why);
}

static void
reload(void)
{
	rpc_links_reload();
	bus_tls_reload();
}

static void
dump(void)
{
	log_info("dump_presence", "redis_pending=%zu calls_in_flight=%zu "
	    "reports_in_flight=%zu users_remembered=%zu unsettled=%zu "
	    "contact_ms=%lld", store_pending(p.store),
	    rpc_server_in_flight(p.server), report_in_flight(p.report),
	    memory_users(p.memory), memory_unsettled(p.memory),
	    (long long)lease_contact_ms(p.leases));
}

static const struct daemon_spec spec = {
	.name = "presenced",
	.summary = "keeps who is online",
	.rows = rows,
	.admin_default = "127.0.0.1:9103",
	.init = init,
	.drain = drain,
	.fini = fini,
	.reload = reload,
	.dump = dump,
	.check = check,
};

int
main(int argc, char **argv)
{
	int status;

	status = daemon_main(argc, argv, &spec);
	rpc_end();
	return status;
}
