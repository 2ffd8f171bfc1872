/*
 * The order of making is the order of dependence; ending goes the other way
 * round, the sockets first, so that every connection leaves parts that still
 * exist.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/app.h"

#include <stdlib.h>

#include "common/bus.h"
#include "common/bus_tls.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/rpc.h"
#include "common/rpc_links.h"
#include "gateway/catchup.h"
#include "gateway/conn.h"
#include "gateway/drain.h"
#include "gateway/fanout.h"
#include "gateway/limits.h"
#include "gateway/media.h"
#include "gateway/remote.h"
#include "gateway/presence.h"
#include "gateway/receipts.h"
#include "gateway/server.h"
#include "gateway/settings.h"
#include "gateway/static_files.h"
#include "gateway/stats.h"
#include "gateway/tls_port.h"
#include "gateway/tokens.h"
#include "gateway/trace.h"

/* Calls to one service that may wait or be in flight. */
#define PENDING_MAX 50000
#define PRESENCED_TIMEOUT_MS 2000
#define PRESENCED_ATTEMPT_MS 1500
#define BUS_BACKLOG_MAX (64u * 1024)

static struct gateway *gw;

/* ---- the links ---------------------------------------------------------- */

static void
on_chatd_change(void *arg, bool any_up)
{
	(void)arg;
	daemon_need("chatd", any_up);
}

static void
on_chatd_lost(void *arg)
{
	(void)arg;
	if (gw->fanout != NULL) {
		fanout_chatd_lost(gw->fanout);
	}
}

static void
on_version_mismatch(void *arg)
{
	/* The client has logged which peer, which version, and the remedy. */
	(void)arg;
	daemon_fail();
}

static bool
start_calls(void)
{
	struct rpc_client_conf conf = {
		.service = "chatd",
		.addresses = settings.chatd,
		.timeout_ms = settings.request_timeout,
		.attempt_ms = settings.request_attempt,
		.pending_max = PENDING_MAX,
		.on_change = on_chatd_change,
		.on_lost = on_chatd_lost,
		.on_version_mismatch = on_version_mismatch,
	};

	gw->chatd = rpc_client_new(gw->loop, &conf);
	if (gw->chatd == NULL) {
		return false;
	}
	conf.service = "presenced";
	conf.addresses = settings.presenced;
	conf.timeout_ms = PRESENCED_TIMEOUT_MS;
	conf.attempt_ms = PRESENCED_ATTEMPT_MS;
	conf.on_change = NULL;
	conf.on_lost = NULL;
	gw->presenced = rpc_client_new(gw->loop, &conf);
	return gw->presenced != NULL;
}

static void
on_message(void *arg, const char *topic, size_t topic_len,
    const uint8_t *data, size_t len)
{
	struct gateway *g = arg;

	fanout_on_message(g->fanout, topic, topic_len, data, len);
}

static void
on_subscriptions(void *arg, bool up, uint64_t away_ms)
{
	struct gateway *g = arg;

	daemon_need("redis", up);
	fanout_on_subscriptions(g->fanout, up, away_ms);
}

static bool
start_bus(void)
{
	const struct bus_conf conf = {
		.url = settings.redis_url,
		.name = "parley-gateway",
		.backlog_max = BUS_BACKLOG_MAX,
		.on_message = on_message,
		.on_subscriptions = on_subscriptions,
		.arg = gw,
	};

	gw->bus = bus_new(gw->loop, &conf);
	if (gw->bus == NULL) {
		return false;
	}
	fanout_start(gw->fanout);
	return true;
}

/* ---- as the skeleton wants it ------------------------------------------- */

bool
app_check(char *why)
{
	const struct rpc_addresses addresses[] = {
		{ "chatd", settings.chatd },
		{ "presenced", settings.presenced },
		{ NULL, NULL },
	};

	return remote_check(why) &&
	    rpc_links_check("gateway", addresses, why) &&
	    bus_tls_check(settings.redis_url, rpc_links.insecure, why) &&
	    tls_port_check(why);
}

bool
app_init(uv_loop_t *loop)
{
	gw = mem_zalloc(sizeof(*gw));
	gw->loop = loop;
	gw->id = uuid_v4();
	daemon_need("chatd", false);
	daemon_need("redis", false);
	stats_init();
	trace_init();
	gw->trusted = remote_read_trusted();
	gw->limits = limits_new(gw);
	gw->conns = conns_new(gw);
	gw->fanout = fanout_new(gw);
	gw->receipts = receipts_new(gw);
	gw->catchup = catchup_new(gw);
	gw->tokens = tokens_new(gw);
	gw->media = media_new(gw);
	gw->files = static_files_new(settings.www_dir);
	/* The port first: when it is busy, nothing else should have begun. */
	gw->server = server_new(gw);
	if (gw->server == NULL || !start_calls() || !start_bus()) {
		return false;
	}
	gw->presence = presence_new(gw);
	return true;
}

void
app_drain(void)
{
	drain_start(gw, daemon_stopped);
}

void
app_fini(void)
{
	if (gw == NULL) {
		return;
	}
	/* First: closing the server turns the loop, and the drain asks it. */
	drain_free();
	server_free(&gw->server);
	presence_free(&gw->presence);
	static_files_free(&gw->files);
	media_free(&gw->media);
	tokens_free(&gw->tokens);
	catchup_free(&gw->catchup);
	receipts_free(&gw->receipts);
	bus_free(&gw->bus);
	fanout_free(&gw->fanout);
	conns_free(&gw->conns);
	limits_free(&gw->limits);
	nets_free(&gw->trusted);
	rpc_client_free(&gw->presenced);
	rpc_client_free(&gw->chatd);
	free(gw);
	gw = NULL;
}

void
app_reload(void)
{
	rpc_links_reload();
	bus_tls_reload();
	tls_port_reload();
	static_files_free(&gw->files);
	gw->files = static_files_new(settings.www_dir);
}

void
app_dump(void)
{
	log_info("dump", "connections=%zu sessions=%zu users=%zu "
	    "chatd_calls=%zu presenced_calls=%zu catch_ups=%zu marks=%zu "
	    "presence=%zu", gw->conns->count, gw->conns->live,
	    fanout_users(gw->fanout), rpc_client_pending(gw->chatd),
	    rpc_client_pending(gw->presenced), catchup_waiting(gw->catchup),
	    receipts_pending(gw->receipts), presence_pending(gw->presence));
}
