/*
 * What an operator can set of a gateway. Filled by common/config before any
 * part starts, constant afterwards. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_SETTINGS_H
#define GATEWAY_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/config.h"
#include "common/contract.h"
#include "common/rate.h"
#include "gateway/limits.h"

struct settings {
	char *listen;
	char *tls_cert;
	char *tls_key;
	char *tls_min_version;
	int64_t tls_hsts;
	char *chatd;
	char *presenced;
	char *redis_url;
	char *public_url;
	char *cors_origins;
	char *www_dir;
	char *media_dir;
	char *media_s3_endpoint;
	char *media_s3_bucket;
	char *media_s3_region;
	char *media_s3_access_key;
	char *media_s3_secret_key;
	int64_t ping_interval;
	int64_t ping_timeout;
	int64_t request_timeout;
	int64_t request_attempt;
	int64_t message_max;
	int64_t body_max;
	int64_t avatar_max;
	int64_t file_max;
	int64_t uploads_max;
	int64_t connections_max;
	int64_t frames_queued_max;
	int64_t outbox_max;
	int64_t heartbeat;
	int64_t recheck_interval;
	int64_t header_timeout;
	int64_t body_timeout;
	int64_t openings_max;
	int64_t opening_wait;
	int64_t drain_spread;
	int64_t abuse_max;
	int64_t abuse_window;
	char *trusted_proxies;
	bool proxy_protocol;
	int64_t address_connections_max;
	int64_t address_handshakes_max;
	struct rate user_rates[LIMIT_COUNT];
	struct rate caller_rates[CALLER_LIMIT_COUNT];
};

extern struct settings settings;
extern const struct config_row settings_rows[];

#endif
