/*
 * The table of chatd's settings; common/config.h says how they are given.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/settings.h"

#include <stddef.h>

#include "common/bus_tls.h"
#include "common/rpc_links.h"

struct settings settings;

#define DAY_MS INT64_C(86400000)

const struct config_row settings_rows[] = {
	{ "listen", CONFIG_TEXT, &settings.listen,
	    "ipc:///run/parley/chatd-1.sock", 0, 0, CONFIG_REQUIRED,
	    "NNG address that gateways and presenceds call" },
	{ "database_url", CONFIG_TEXT, &settings.database_url, NULL, 0, 0,
	    CONFIG_REQUIRED | CONFIG_SECRET,
	    "PostgreSQL, as a URI or as key=value pairs" },
	{ "migrate_url", CONFIG_TEXT, &settings.migrate_url, NULL, 0, 0,
	    CONFIG_SECRET,
	    "PostgreSQL as the role that owns the schema; "
	    "empty: database_url" },
	{ "migrate", CONFIG_BOOL, &settings.migrate, "on", 0, 0, 0,
	    "apply the schema's migrations at start" },
	{ "migrate_only", CONFIG_BOOL, &settings.migrate_only, "off", 0, 0, 0,
	    "apply the schema's migrations and end" },
	{ "redis_url", CONFIG_TEXT, &settings.redis_url,
	    "redis://127.0.0.1:6379", 0, 0,
	    CONFIG_REQUIRED | CONFIG_SECRET, "Redis for live events: "
	    BUS_URL_FORMS },
	BUS_TLS_ROWS,
	{ "presenced", CONFIG_TEXT, &settings.presenced,
	    "ipc:///run/parley/presenced-1.sock", 0, 0, CONFIG_REQUIRED,
	    "addresses of all presenceds, comma-separated" },
	RPC_LINK_ROWS,
	RPC_LISTEN_ROWS,
	RPC_ADMIN_ROWS,
	{ "public_url", CONFIG_TEXT, &settings.public_url,
	    "http://localhost:8080", 0, 0, CONFIG_REQUIRED,
	    "where clients reach the gateways; pictures are linked there" },
	{ "media_origins", CONFIG_TEXT, &settings.media_origins, "", 0, 0, 0,
	    "origins that media messages may link to, comma-separated; empty: "
	    "that of public_url" },
	{ "token_ttl", CONFIG_MS, &settings.token_ttl, "30d", 1000,
	    3650 * DAY_MS, 0, "how long a token holds after login" },
	{ "logout_grace", CONFIG_MS, &settings.logout_grace, "0", 0, DAY_MS, 0,
	    "how long a token stays usable after logout" },
	{ "password_memory", CONFIG_BYTES, &settings.password_memory, "64M",
	    8192, INT64_C(4) << 30, 0, "memory of one password hash" },
	{ "password_ops", CONFIG_INT, &settings.password_ops, "2", 1, 100, 0,
	    "passes of one password hash" },
	{ "password_workers", CONFIG_INT, &settings.password_workers, "2", 1,
	    64, 0, "password hashes at a time" },
	{ "password_queue", CONFIG_INT, &settings.password_queue, "64", 0,
	    100000, 0, "password hashes waiting; beyond: refused, from whom "
	    "most wait first" },
	{ "rate_login_failures", CONFIG_RATE, &settings.rate_login_failures,
	    "10/10m burst 30", 1, 1000000, CONFIG_RELOAD,
	    "failed logins at one name from one address (of IPv6: its /64)" },
	{ "rate_login_failures_name", CONFIG_RATE,
	    &settings.rate_login_failures_name, "60/h burst 100", 1, 1000000,
	    CONFIG_RELOAD, "failed logins at one name, over all addresses that "
	    "are not familiar to it" },
	{ "login_familiar", CONFIG_MS, &settings.login_familiar, "30d", 0,
	    3650 * DAY_MS, CONFIG_RELOAD, "an address is familiar to a name so "
	    "long after a login" },
	{ "database_connections", CONFIG_INT, &settings.database_connections,
	    "5", 1, 64, 0, "connections to PostgreSQL: one for sends, one for "
	    "sends to large groups, the others for all else" },
	{ "status_group_max", CONFIG_INT, &settings.status_group_max, "50", 0,
	    1000, 0, "members of the largest group that hears of statuses" },
	{ "group_members_max", CONFIG_INT, &settings.group_members_max, "1024",
	    2, 10000, 0, "members of a group; beyond: too_large" },
	{ "message_spread_min", CONFIG_INT, &settings.message_spread_min, "64",
	    2, 1000000, 0, "a message that so many members hear, or more, is "
	    "one event to all gateways, not one a member" },
	{ "presence_timeout", CONFIG_MS, &settings.presence_timeout, "300ms",
	    10, 5000, 0, "longest wait for presenced; then all are Offline" },
	{ "in_flight_max", CONFIG_INT, &settings.in_flight_max, "10000", 16,
	    1000000, 0, "requests at a time; beyond: refused" },
	CONFIG_END,
};
