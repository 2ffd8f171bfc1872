/*
 * One row a setting; the row is also its help text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/settings.h"

#include <stddef.h>

#include "common/bus_tls.h"
#include "common/rpc_links.h"

#define S(field) (&settings.field)
#define SECONDS(n) ((n) * INT64_C(1000))
#define USER(limit) (&settings.user_rates[LIMIT_##limit])
#define ADDRESS(limit) (&settings.caller_rates[CALLER_##limit])
#define MANY INT64_C(1000000)
#define KIB(n) ((n) * INT64_C(1024))

#ifndef PARLEY_WWW_DIR
#define PARLEY_WWW_DIR "/usr/local/share/parley/www"
#endif

struct settings settings;

const struct config_row settings_rows[] = {
	{ "listen", CONFIG_TEXT, S(listen), "0.0.0.0:8080", 0, 0,
	    CONFIG_REQUIRED, "host:port for WebSocket and HTTP clients" },
	{ "tls_cert", CONFIG_TEXT, S(tls_cert), "", 0, 0, 0,
	    "file of the certificate and its chain for clients, who then speak "
	    "https and wss; read again at SIGHUP; empty: no TLS" },
	{ "tls_key", CONFIG_TEXT, S(tls_key), "", 0, 0, 0,
	    "file of its key, without pass phrase, closed to other accounts" },
	{ "tls_min_version", CONFIG_TEXT, S(tls_min_version), "1.2", 0, 0,
	    CONFIG_REQUIRED, "least version of TLS that clients may speak: 1.2 "
	    "or 1.3" },
	{ "tls_hsts", CONFIG_MS, S(tls_hsts), "0", 0, SECONDS(86400 * 730), 0,
	    "browsers are told to come by https alone for so long "
	    "(Strict-Transport-Security); 0: they are not told" },
	{ "chatd", CONFIG_TEXT, S(chatd), "ipc:///run/parley/chatd-1.sock", 0,
	    0, CONFIG_REQUIRED, "addresses of the chatds, comma-separated" },
	{ "presenced", CONFIG_TEXT, S(presenced),
	    "ipc:///run/parley/presenced-1.sock", 0, 0, CONFIG_REQUIRED,
	    "addresses of the presenceds, comma-separated" },
	RPC_LINK_ROWS,
	{ "redis_url", CONFIG_TEXT, S(redis_url), "redis://127.0.0.1:6379", 0,
	    0, CONFIG_REQUIRED | CONFIG_SECRET,
	    "Redis for live events: " BUS_URL_FORMS },
	BUS_TLS_ROWS,
	{ "public_url", CONFIG_TEXT, S(public_url), "http://localhost:8080", 0,
	    0, CONFIG_REQUIRED,
	    "URL by which clients reach the gateways, without a final /" },
	{ "cors_origins", CONFIG_TEXT, S(cors_origins), "", 0, 0, 0,
	    "origins of web pages elsewhere that may call us, "
	    "comma-separated" },
	{ "www_dir", CONFIG_TEXT, S(www_dir), PARLEY_WWW_DIR, 0, 0, 0,
	    "directory of the web client's files" },
	{ "media_dir", CONFIG_TEXT, S(media_dir), "/var/lib/parley/media", 0,
	    0, 0, "directory of uploaded files, shared by all gateways; with "
	    "media_s3_endpoint: of uploads under way" },
	{ "media_s3_endpoint", CONFIG_TEXT, S(media_s3_endpoint), "", 0, 0, 0,
	    "URL of an S3-compatible service that keeps uploaded files; "
	    "empty: media_dir does" },
	{ "media_s3_bucket", CONFIG_TEXT, S(media_s3_bucket), "", 0, 0, 0,
	    "bucket of uploaded files there" },
	{ "media_s3_region", CONFIG_TEXT, S(media_s3_region), "us-east-1", 0,
	    0, 0, "region that requests to it are signed for" },
	{ "media_s3_access_key", CONFIG_TEXT, S(media_s3_access_key), "", 0,
	    0, CONFIG_SECRET, "access key id for the bucket" },
	{ "media_s3_secret_key", CONFIG_TEXT, S(media_s3_secret_key), "", 0,
	    0, CONFIG_SECRET, "secret access key that goes with it" },
	{ "ping_interval", CONFIG_MS, S(ping_interval), "30s", 100,
	    SECONDS(3600), 0, "an idle connection is pinged this often" },
	{ "ping_timeout", CONFIG_MS, S(ping_timeout), "10s", 100,
	    SECONDS(600), 0, "a ping unanswered for so long ends it" },
	{ "request_timeout", CONFIG_MS, S(request_timeout), "5s", 100,
	    SECONDS(3600), 0, "chatd's time to answer; then: unavailable" },
	{ "request_attempt", CONFIG_MS, S(request_attempt), "1500ms", 100,
	    SECONDS(3600), 0, "one chatd's part of it; then another is asked "
	    "what may be asked twice" },
	{ "message_max", CONFIG_BYTES, S(message_max), "64k", KIB(1),
	    KIB(768), 0, "largest message of a client, over all fragments" },
	{ "body_max", CONFIG_BYTES, S(body_max), "64k", KIB(1), KIB(1024), 0,
	    "largest JSON body of an HTTP request" },
	{ "avatar_max", CONFIG_BYTES, S(avatar_max), "2M", KIB(1),
	    KIB(1024 * 64), 0, "largest picture of a user or a group" },
	{ "file_max", CONFIG_BYTES, S(file_max), "20M", KIB(1),
	    KIB(1024 * 1024), 0, "largest file of a message" },
	{ "uploads_max", CONFIG_INT, S(uploads_max), "64", 1, 10000, 0,
	    "uploads at a time; beyond: 503" },
	{ "connections_max", CONFIG_INT, S(connections_max), "10000", 1,
	    1000000, 0, "WebSocket connections; beyond: closed with 1013" },
	{ "header_timeout", CONFIG_MS, S(header_timeout), "10s", 1000,
	    SECONDS(600), 0, "a client's time to send a request's head, or to "
	    "go on with its body" },
	{ "body_timeout", CONFIG_MS, S(body_timeout), "2m", 1000,
	    SECONDS(3600), 0, "a client's time to send a whole body; files get "
	    "five times as long" },
	{ "openings_max", CONFIG_INT, S(openings_max), "256", 1, 1000000, 0,
	    "connections that open at a time; others wait for their turn" },
	{ "opening_wait", CONFIG_MS, S(opening_wait), "30s", 100,
	    SECONDS(3600), 0, "for so long; then closed with 1013" },
	{ "frames_queued_max", CONFIG_INT, S(frames_queued_max), "64", 1,
	    10000, 0,
	    "frames of one client that may wait; then reading pauses" },
	{ "outbox_max", CONFIG_BYTES, S(outbox_max), "2M", KIB(16),
	    KIB(1024 * 256), 0,
	    "bytes that may wait for one client; beyond: closed with 1013" },
	{ "heartbeat", CONFIG_MS, S(heartbeat), "2s", 50, SECONDS(60), 0,
	    "how often presenced hears that this gateway lives" },
	{ "recheck_interval", CONFIG_MS, S(recheck_interval), "60s", 100,
	    SECONDS(3600), 0, "how often the tokens in use are checked" },
	{ "drain_spread", CONFIG_MS, S(drain_spread), "3s", 0, SECONDS(600),
	    0, "at a graceful stop, connections are closed over this time" },
	{ "abuse_max", CONFIG_INT, S(abuse_max), "100", 1, 1000000, 0,
	    "malformed frames within abuse_window that a client may send" },
	{ "abuse_window", CONFIG_MS, S(abuse_window), "10s", 100,
	    SECONDS(3600), 0, "see abuse_max" },
	{ "trusted_proxies", CONFIG_TEXT, S(trusted_proxies), "", 0, 0, 0,
	    "addresses and networks of the load balancers in front, "
	    "comma-separated; only they are believed whose client it is" },
	{ "proxy_protocol", CONFIG_BOOL, S(proxy_protocol), "off", 0, 0, 0,
	    "those speak the PROXY protocol (1 or 2) on every connection; "
	    "off: X-Forwarded-For is read" },
	{ "address_connections_max", CONFIG_INT, S(address_connections_max),
	    "8000", 1, MANY, CONFIG_RELOAD,
	    "connections of one address; beyond: closed with 1013, or 429" },
	{ "address_handshakes_max", CONFIG_INT, S(address_handshakes_max),
	    "6000", 1, MANY, CONFIG_RELOAD, "connections of one address that "
	    "have not yet sent a whole request; beyond: closed" },
	{ "rate_sends", CONFIG_RATE, USER(SENDS), "100/s burst 5000", 1, MANY,
	    CONFIG_RELOAD, "messages that one user may send" },
	{ "rate_reads", CONFIG_RATE, USER(READS), "200/s burst 5000", 1, MANY,
	    CONFIG_RELOAD, "chats, pages and people that one user may open, "
	    "and chats he may mark as read" },
	{ "rate_searches", CONFIG_RATE, USER(SEARCHES), "50/s burst 1000", 1,
	    MANY, CONFIG_RELOAD, "searches of one user" },
	{ "rate_changes", CONFIG_RATE, USER(CHANGES), "50/s burst 2000", 1,
	    MANY, CONFIG_RELOAD, "changes by one user: chats, groups, members, "
	    "contacts, names" },
	{ "rate_typing", CONFIG_RATE, USER(TYPING), "20/s burst 200", 1, MANY,
	    CONFIG_RELOAD, "typing notices of one user; beyond: dropped "
	    "without a word" },
	{ "rate_uploads", CONFIG_RATE, USER(UPLOADS), "20/s burst 500", 1,
	    MANY, CONFIG_RELOAD, "files that one user may upload" },
	{ "rate_upload_bytes", CONFIG_RATE, USER(UPLOAD_BYTES),
	    "50M/s burst 4G", KIB(1), KIB(KIB(KIB(1024))), CONFIG_RELOAD,
	    "bytes of these" },
	{ "rate_address_frames", CONFIG_RATE, ADDRESS(FRAMES),
	    "10000/s burst 200000", 1, MANY, CONFIG_RELOAD,
	    "frames of all WebSockets of one address" },
	{ "rate_address_requests", CONFIG_RATE, ADDRESS(REQUESTS),
	    "1000/s burst 20000", 1, MANY, CONFIG_RELOAD,
	    "HTTP requests and handshakes of one address" },
	{ "rate_address_connects", CONFIG_RATE, ADDRESS(CONNECTS),
	    "1000/s burst 20000", 1, MANY, CONFIG_RELOAD,
	    "new connections of one address" },
	{ "rate_address_refusals", CONFIG_RATE, ADDRESS(REFUSALS),
	    "100/s burst 1000", 1, MANY, CONFIG_RELOAD, "connections of one "
	    "address that are told why they are refused; beyond: closed" },
	{ "rate_address_registrations", CONFIG_RATE, ADDRESS(REGISTRATIONS),
	    "2000/h burst 5000", 1, MANY, CONFIG_RELOAD,
	    "registrations from one address" },
	{ "rate_address_logins", CONFIG_RATE, ADDRESS(LOGINS),
	    "100/s burst 5000", 1, MANY, CONFIG_RELOAD,
	    "logins from one address" },
	{ "rate_address_login_failures", CONFIG_RATE, ADDRESS(LOGIN_FAILURES),
	    "1/s burst 200", 1, MANY, CONFIG_RELOAD,
	    "failed logins from one address" },
	CONFIG_END,
};
