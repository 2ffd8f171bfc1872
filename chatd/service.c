/*
 * Making and releasing the parts of chatd, draining, and a little housekeeping.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/service.h"

#include <stdlib.h>

#include "chatd/db.h"
#include "chatd/db_tls.h"
#include "chatd/dispatch.h"
#include "chatd/events.h"
#include "chatd/groups.h"
#include "chatd/live.h"
#include "chatd/login_guard.h"
#include "chatd/media_url.h"
#include "chatd/migrate.h"
#include "chatd/openings.h"
#include "chatd/password.h"
#include "chatd/presence.h"
#include "chatd/receipts.h"
#include "chatd/search_copy.h"
#include "chatd/settings.h"
#include "chatd/store_tokens.h"
#include "chatd/typing.h"
#include "chatd/view.h"
#include "chatd/writer.h"
#include "common/bus_tls.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/rpc_links.h"
#include "common/turn.h"

#define DRAIN_LOOK_MS 20
#define PURGE_FIRST_MS 60000
#define PURGE_EVERY_MS (3600 * 1000)

static struct service svc;
static uv_timer_t *drain_timer; /* owned; freed by its close callback */
static uv_timer_t *purge_timer;

/* ---- timers -------------------------------------------------------------- */

static void
free_handle(uv_handle_t *handle)
{
	free(handle);
}

static uv_timer_t *
timer_start(uv_timer_cb fn, uint64_t first_ms, uint64_t every_ms)
{
	uv_timer_t *t = mem_zalloc(sizeof(*t));

	uv_timer_init(svc.loop, t);
	uv_timer_start(t, fn, first_ms, every_ms);
	return t;
}

static void
timer_close(uv_timer_t **t)
{
	if (*t != NULL) {
		uv_close((uv_handle_t *)*t, free_handle);
		*t = NULL;
	}
}

static void
on_purged(void *arg, struct db_result *res)
{
	(void)arg;
	if (db_outcome(res) == DB_OK && db_affected(res, 0) > 0) {
		log_info("tokens_purged", "count=%zu", db_affected(res, 0));
	}
}

static void
on_purge(uv_timer_t *t)
{
	struct db_unit *u = db_unit_new(svc.db, 0, 0);

	(void)t;
	store_tokens_purge_step(u);
	db_submit(u, on_purged, NULL);
	groups_purge(svc.groups);
}

/* ---- life ---------------------------------------------------------------- */

bool
service_check(char *why)
{
	const struct rpc_addresses addresses[] = {
		{ "listen", settings.listen },
		{ "presenced", settings.presenced },
		{ NULL, NULL },
	};

	return rpc_links_check("chatd", addresses, why) &&
	    bus_tls_check(settings.redis_url, rpc_links.insecure, why) &&
	    db_url_check("database_url", settings.database_url,
	    rpc_links.insecure, why) &&
	    db_url_check("migrate_url", settings.migrate_url,
	    rpc_links.insecure, why);
}

void
service_reload(void)
{
	rpc_links_reload();
	bus_tls_reload();
}

int
service_preflight(void)
{
	const char *url = settings.migrate_url != NULL &&
	    settings.migrate_url[0] != '\0' ? settings.migrate_url :
	    settings.database_url;

	if (settings.migrate_only || settings.migrate) {
		if (!migrate_run(url,
		    settings.migrate_only ? MIGRATE_STOPPED : 0)) {
			return 1;
		}
		return settings.migrate_only ? 0 : -1;
	}
	return migrate_check(settings.database_url) ? -1 : 1;
}

static bool
init_origins(void)
{
	char *bad;

	svc.origins = media_origins_new(settings.media_origins,
	    settings.public_url, &bad);
	if (svc.origins == NULL) {
		log_error("bad_origin", "value=%s remedy=\"media_origins takes "
		    "origins such as https://media.example.org, public_url an "
		    "http or https URL\"", bad);
		free(bad);
		return false;
	}
	view_init(settings.public_url);
	return true;
}

static bool
init_passwords(void)
{
	struct passwords_conf conf = {
		.memory = (size_t)settings.password_memory,
		.ops = (unsigned)settings.password_ops,
		.workers = (size_t)settings.password_workers,
		.queue_max = (size_t)settings.password_queue,
	};

	svc.passwords = passwords_new(svc.loop, &conf);
	return svc.passwords != NULL;
}

bool
service_init(uv_loop_t *loop)
{
	svc = (struct service){ .loop = loop };
	if (!init_origins()) {
		return false;
	}
	svc.turn = turn_new(loop);
	svc.db = db_open(loop, settings.database_url,
	    (unsigned)settings.database_connections);
	if (svc.db == NULL) {
		return false;
	}
	svc.events = events_new(loop, settings.redis_url);
	if (svc.events == NULL) {
		return false;
	}
	svc.live = live_new(loop, svc.events);
	svc.presence = presence_new(loop, svc.turn, settings.presenced,
	    settings.presence_timeout);
	if (svc.presence == NULL || !init_passwords()) {
		return false;
	}
	svc.login_guard = login_guard_new();
	svc.search_copy = search_copy_new(&svc);
	svc.token_checks = gather_new(&svc, &openings_tokens);
	svc.user_infos = gather_new(&svc, &openings_user_infos);
	svc.writer = writer_new(&svc);
	svc.receipts = receipts_new(&svc);
	svc.groups = groups_new(&svc);
	svc.typing = typing_new(&svc);
	svc.dispatch = dispatch_new(&svc, settings.listen,
	    (size_t)settings.in_flight_max);
	if (svc.dispatch == NULL) {
		return false;
	}
	purge_timer = timer_start(on_purge, PURGE_FIRST_MS, PURGE_EVERY_MS);
	return true;
}

static void
on_drain(uv_timer_t *t)
{
	(void)t;
	if (db_settle(svc.db) && dispatch_drained(svc.dispatch) &&
	    passwords_pending(svc.passwords) == 0 &&
	    db_pending(svc.db) == 0 && events_settled(svc.events)) {
		timer_close(&drain_timer);
		daemon_stopped();
	}
}

void
service_drain(void)
{
	dispatch_drain(svc.dispatch);
	search_copy_stop(svc.search_copy);
	groups_settle(svc.groups);
	drain_timer = timer_start(on_drain, 0, DRAIN_LOOK_MS);
}

/* Each close answers what it still holds, so the answers' ways go last. */
void
service_fini(void)
{
	timer_close(&drain_timer);
	timer_close(&purge_timer);
	gather_close(svc.token_checks);
	gather_close(svc.user_infos);
	writer_close(svc.writer);
	receipts_close(svc.receipts);
	if (svc.groups != NULL) {
		groups_settle(svc.groups);
	}
	typing_close(svc.typing);
	search_copy_stop(svc.search_copy);
	if (svc.db != NULL) {
		db_close(svc.db);
	}
	if (svc.passwords != NULL) {
		passwords_close(svc.passwords);
	}
	presence_close(svc.presence);
	live_free(&svc.live);
	events_free(&svc.events);
	dispatch_free(&svc.dispatch);
	typing_free(&svc.typing);
	groups_free(&svc.groups);
	receipts_free(&svc.receipts);
	writer_free(&svc.writer);
	gather_free(&svc.user_infos);
	gather_free(&svc.token_checks);
	search_copy_free(&svc.search_copy);
	login_guard_free(&svc.login_guard);
	passwords_free(&svc.passwords);
	presence_free(&svc.presence);
	db_free(&svc.db);
	turn_free(&svc.turn);
	media_origins_free(&svc.origins);
}

void
service_dump(void)
{
	log_info("state", "requests=%zu sends=%zu receipts=%zu "
	    "database_units=%zu database_up=%d hashes=%zu publishes=%zu",
	    dispatch_pending(svc.dispatch), writer_pending(svc.writer),
	    receipts_pending(svc.receipts), db_pending(svc.db),
	    db_up(svc.db) ? 1 : 0, passwords_pending(svc.passwords),
	    events_backlog(svc.events));
}
