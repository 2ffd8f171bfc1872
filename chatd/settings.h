/*
 * chatd's settings. Constant once they are loaded.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_SETTINGS_H
#define CHATD_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/rate.h"

struct settings {
	char *listen;
	char *database_url;
	char *migrate_url;
	bool migrate;
	bool migrate_only;
	char *redis_url;
	char *presenced;
	char *public_url;
	char *media_origins;
	int64_t token_ttl;
	int64_t logout_grace;
	int64_t password_memory;
	int64_t password_ops;
	int64_t password_workers;
	int64_t password_queue;
	struct rate rate_login_failures;
	struct rate rate_login_failures_name;
	int64_t login_familiar;
	int64_t database_connections;
	int64_t status_group_max;
	int64_t group_members_max;
	int64_t message_spread_min;
	int64_t presence_timeout;
	int64_t in_flight_max;
};

extern struct settings settings;
extern const struct config_row settings_rows[];

#endif
