/*
 * Answers are built as one block, head and body, so that a small one is a
 * single write. Every answer forbids content sniffing; those under /api are
 * JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include <libwebsockets.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/json_out.h"
#include "gateway/auth.h"
#include "gateway/gateway.h"
#include "gateway/http.h"
#include "gateway/out_frame.h"
#include "gateway/routes.h"
#include "gateway/settings.h"
#include "gateway/stats.h"
#include "gateway/tls_port.h"

static const struct {
	int status;
	const char *phrase;
} phrases[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 411, "Length Required" },
	{ 413, "Content Too Large" },
	{ 416, "Range Not Satisfiable" },
	{ 426, "Upgrade Required" },
	{ 429, "Too Many Requests" },
	{ 500, "Internal Server Error" },
	{ 503, "Service Unavailable" },
};

static const char *
phrase_of(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(phrases); i++) {
		if (phrases[i].status == status) {
			return phrases[i].phrase;
		}
	}
	return "Status";
}

const char *
http_header(struct lws *wsi, int token, char *value, size_t max)
{
	size_t len;

	if (lws_hdr_copy(wsi, value, (int)max,
	    (enum lws_token_indexes)token) < 0) {
		value[0] = '\0';
	}
	/* White space around a value is no part of it. */
	len = strlen(value);
	while (len > 0 && (value[len - 1] == ' ' || value[len - 1] == '\t')) {
		value[--len] = '\0';
	}
	memmove(value, value + strspn(value, " \t"),
	    len + 1 - strspn(value, " \t"));
	return value;
}

bool
http_origin_allowed(struct lws *wsi, const char *origin)
{
	char host[256];
	const char *authority = strstr(settings.public_url, "://");

	/* What came by plain http may be of anyone on the way: where people
	 * come by https it is another origin, though the host is the same. */
	if (strncasecmp(settings.public_url, "https:", 6) == 0 &&
	    strncasecmp(origin, "https:", 6) != 0) {
		return auth_origin_allowed(origin, NULL, settings.cors_origins);
	}
	http_header(wsi, WSI_TOKEN_HOST, host, sizeof(host));
	if (auth_origin_allowed(origin, host, settings.cors_origins)) {
		return true;
	}
	return authority != NULL &&
	    auth_origin_allowed(origin, authority + 3, NULL);
}

static void
put_head(struct buf *b, int status, const char *type, size_t len)
{
	buf_printf(b, "HTTP/1.1 %d %s\r\n", status, phrase_of(status));
	if (type != NULL) {
		buf_printf(b, "content-type: %s\r\n", type);
	}
	if (status != 204 && status != 304) {
		buf_printf(b, "content-length: %zu\r\n", len);
	}
	buf_puts(b, "x-content-type-options: nosniff\r\n");
	buf_puts(b, tls_port_hsts());
}

static void
put_cors(struct buf *b, const struct http *h)
{
	/* A cache must not keep for one origin what another one got. */
	buf_puts(b, "vary: origin\r\n");
	if (h->origin[0] == '\0') {
		return;
	}
	buf_printf(b, "access-control-allow-origin: %s\r\n"
	    "access-control-expose-headers: content-disposition, "
	    "content-range, etag\r\n", h->origin);
}

void
http_answer(struct http *h, int status, const char *type, const char *headers,
    const void *body, size_t len)
{
	struct buf b = BUF_INIT;

	if (h->state >= HTTP_ANSWERED) {
		return;
	}
	if ((h->has_body && !h->body_done) || h->gw->draining) {
		h->close = true;
	}
	put_head(&b, status, type, len);
	put_cors(&b, h);
	if (headers != NULL) {
		buf_puts(&b, headers);
	}
	if (h->close) {
		buf_puts(&b, "connection: close\r\n");
	}
	buf_puts(&b, "\r\n");
	if (h->method != HTTP_HEAD && body != NULL) {
		buf_put(&b, body, len);
	}
	h->answer = out_frame_new(b.data, b.len);
	buf_fini(&b);
	h->state = HTTP_ANSWERED;
	stats_http(status, h->route != NULL ? h->route->path : NULL,
	    (clock_mono_ms() - h->started_ms) * 1000);
	/* The library does not serve a paused socket's WRITEABLE. */
	lws_rx_flow_control(h->wsi, 1);
	lws_callback_on_writable(h->wsi);
}

void
http_answer_json(struct http *h, int status, const void *json, size_t len)
{
	http_answer(h, status, "application/json",
	    status == 503 || status == 429
	    ? "cache-control: no-store\r\nretry-after: 1\r\n"
	    : "cache-control: no-store\r\n", json, len);
}

static void
put_error(struct buf *b, const char *text)
{
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_key_str(&j, "error", text);
	json_obj_end(&j);
}

void
http_answer_error(struct http *h, int status, const char *text)
{
	struct buf b = BUF_INIT;

	put_error(&b, text);
	http_answer_json(h, status, b.data, b.len);
	buf_fini(&b);
}

void
http_answer_limited(struct http *h, int64_t wait_ms)
{
	char headers[96];
	struct buf b = BUF_INIT;

	put_error(&b, "Too many requests");
	snprintf(headers, sizeof(headers), "cache-control: no-store\r\n"
	    "retry-after: %lld\r\n", (long long)((wait_ms + 999) / 1000));
	http_answer(h, 429, "application/json", headers, b.data, b.len);
	buf_fini(&b);
}

void
http_refuse_upgrade(struct lws *wsi, int status, const char *text)
{
	struct buf body = BUF_INIT;
	struct buf b = BUF_INIT;
	struct out_frame *f;

	put_error(&body, text);
	put_head(&b, status, "application/json", body.len);
	if (status == 426) {
		buf_puts(&b, "upgrade: websocket\r\n"
		    "sec-websocket-version: 13\r\n");
	}
	buf_puts(&b, "connection: close\r\n\r\n");
	buf_put(&b, body.data, body.len);
	f = out_frame_new(b.data, b.len);
	if (lws_write(wsi, f->data, f->len, LWS_WRITE_HTTP_HEADERS) >= 0) {
		stats_http(status, NULL, 0);
	}
	out_frame_unref(&f);
	buf_fini(&b);
	buf_fini(&body);
}
