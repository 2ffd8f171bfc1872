/*
 * The life of a request. The bounds: JSON bodies by body_max, forms by their
 * file (and as many at a time as media_upload.h allows), a body must be complete
 * within body_timeout, a file within FILE_TIMES of it, and a body that is no
 * longer wanted is read for DROP_TIME_MS at most. Idle sockets are the library's
 * business (timeout_secs, keepalive_timeout).
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/http.h"

#include <libwebsockets.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/rpc.h"
#include "gateway/form.h"
#include "gateway/gateway.h"
#include "gateway/http_bearer.h"
#include "gateway/http_form.h"
#include "gateway/limits.h"
#include "gateway/media_serve.h"
#include "gateway/media_upload.h"
#include "gateway/out_frame.h"
#include "gateway/remote.h"
#include "gateway/routes.h"
#include "gateway/settings.h"
#include "gateway/static_files.h"

/* No header can be longer: see max_http_header_data in server.c. */
#define HEADERS_MAX 8192
/* A file may take so many times body_timeout. */
#define FILE_TIMES 5
#define DROP_TIME_MS 5000
/* When to try again after a connection too many. */
#define REFUSED_WAIT_MS 10000
/* With bytes of the next request in its hands the library tells of a body's end
 * again and again; of one that was itself pipelined it would do so for ever, and
 * only the connection's end stops it. */
#define TOLD_DONE_MAX 1000
/* What is dropped at most after an early answer. */
#define DROP_BYTES_MAX (64u * 1024 * 1024)

/* ---- the head ----------------------------------------------------------- */

static enum http_method
method_of(struct lws *wsi)
{
	static const struct {
		enum lws_token_indexes token;
		enum http_method method;
	} methods[] = {
		{ WSI_TOKEN_GET_URI, HTTP_GET },
		{ WSI_TOKEN_HEAD_URI, HTTP_HEAD },
		{ WSI_TOKEN_POST_URI, HTTP_POST },
		{ WSI_TOKEN_PUT_URI, HTTP_PUT },
		{ WSI_TOKEN_PATCH_URI, HTTP_PATCH },
		{ WSI_TOKEN_DELETE_URI, HTTP_DELETE },
		{ WSI_TOKEN_OPTIONS_URI, HTTP_OPTIONS },
	};

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (lws_hdr_total_length(wsi, methods[i].token) > 0) {
			return methods[i].method;
		}
	}
	return HTTP_OTHER;
}

/* The query's `q`, with its escapes undone by the library. */
static char *
read_q(struct lws *wsi)
{
	char text[HEADERS_MAX];
	const char *q;

	if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_URI_ARGS) <= 0) {
		return NULL;
	}
	q = lws_get_urlarg_by_name(wsi, "q=", text, sizeof(text));
	return q != NULL ? mem_strndup(q, strlen(q)) : NULL;
}

static void
read_headers(struct http *h)
{
	char origin[sizeof(h->origin)];

	http_header(h->wsi, WSI_TOKEN_HTTP_CONTENT_TYPE, h->content_type,
	    sizeof(h->content_type));
	http_header(h->wsi, WSI_TOKEN_HTTP_IF_NONE_MATCH, h->if_none_match,
	    sizeof(h->if_none_match));
	http_header(h->wsi, WSI_TOKEN_HTTP_IF_MODIFIED_SINCE,
	    h->if_modified_since, sizeof(h->if_modified_since));
	http_header(h->wsi, WSI_TOKEN_HTTP_IF_RANGE, h->if_range,
	    sizeof(h->if_range));
	http_header(h->wsi, WSI_TOKEN_HTTP_RANGE, h->range, sizeof(h->range));
	h->q = read_q(h->wsi);
	http_header(h->wsi, WSI_TOKEN_ORIGIN, origin, sizeof(origin));
	if (origin[0] != '\0' && http_origin_allowed(h->wsi, origin)) {
		memcpy(h->origin, origin, sizeof(origin));
	}
}

static bool
takes_body(const struct http *h)
{
	return h->method == HTTP_POST || h->method == HTTP_PUT ||
	    h->method == HTTP_PATCH;
}

/* One Host, and what the standards have no reading for refused. False:
 * answered. */
static bool
head_valid(struct http *h)
{
	char host[256];
	char version[16];

	http_header(h->wsi, WSI_TOKEN_HTTP, version, sizeof(version));
	http_header(h->wsi, WSI_TOKEN_HOST, host, sizeof(host));
	/* Several come joined by a comma. */
	if (strchr(host, ',') != NULL ||
	    (host[0] == '\0' && strcmp(version, "HTTP/1.0") != 0)) {
		h->close = true;
		http_answer_error(h, 400, "Bad request");
		return false;
	}
	/* The library would take the body for the next request. */
	if (h->has_body && !takes_body(h)) {
		h->has_body = false;
		h->close = true;
		http_answer_error(h, 400, "Bad request");
		return false;
	}
	return true;
}

/* Reads Content-Length strictly: the library takes any number's beginning. A
 * body of unknown length cannot be told from the next request. */
static bool
read_body_length(struct http *h)
{
	char text[32];
	uint64_t len = 0;

	if (lws_hdr_total_length(h->wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) >
	    0) {
		return false;
	}
	if (lws_hdr_total_length(h->wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) ==
	    0) {
		return !takes_body(h);
	}
	http_header(h->wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH, text,
	    sizeof(text));
	if (text[0] == '\0' || strlen(text) > 15 ||
	    strspn(text, "0123456789") != strlen(text)) {
		return false;
	}
	len = strtoull(text, NULL, 10);
	h->has_body = len > 0;
	h->body_len = len;
	/* The library tells of an empty body's end only for POST. */
	h->body_done = len == 0;
	return true;
}

/* ---- what is asked for -------------------------------------------------- */

static bool
is_api(const char *path)
{
	return strcmp(path, "/api") == 0 || strncmp(path, "/api/", 5) == 0;
}

static void
answer_preflight(struct http *h)
{
	if (h->origin[0] == '\0') {
		http_answer_error(h, 403, "Not allowed");
		return;
	}
	http_answer(h, 204, NULL,
	    "access-control-allow-methods: GET, POST, DELETE\r\n"
	    "access-control-allow-headers: authorization, content-type, "
	    "range\r\n"
	    "access-control-max-age: 600\r\n", NULL, 0);
}

/* How long until the address may ask this; 0: it may. */
static int64_t
wait_of(const struct http *h)
{
	if (h->route->kind == MSG_register) {
		return limits_address(h->gw->limits, &h->client,
		    CALLER_REGISTRATIONS);
	}
	if (h->route->kind == MSG_login) {
		return limits_address(h->gw->limits, &h->client,
		    CALLER_LOGINS);
	}
	return 0;
}

/* Decides before the body whether it is wanted; false: answered. */
static bool
accept_body(struct http *h)
{
	const struct http_route *route = h->route;
	int64_t wait = wait_of(h);

	if (wait > 0) {
		http_answer_limited(h, wait);
		return false;
	}
	if (route->bearer && !h->has_bearer) {
		http_answer_error(h, 401, "Unauthorized");
		return false;
	}
	if (route->body == BODY_NONE) {
		return true;
	}
	if (http_form_wanted(h)) {
		return http_form_begin(h);
	}
	if (h->body_len > (uint64_t)settings.body_max) {
		http_answer_error(h, 413, "Request too large");
		return false;
	}
	return true;
}

static void
run_handler(struct http *h)
{
	h->state = HTTP_WORKING;
	/* Pipelined bytes wait in the kernel: the library would take them for
	 * more of this body. */
	lws_rx_flow_control(h->wsi, 0);
	if (h->route->bearer && h->form == NULL) {
		http_authenticate(h, h->route->handle);
	} else {
		h->route->handle(h);
	}
}

/* The token is good: what it sends may be written down. */
static void
on_admitted(struct http *h)
{
	h->checking = false;
	if (h->state != HTTP_READING) {
		return; /* what had come of the body was refused meanwhile */
	}
	if (h->upload != NULL) {
		media_upload_admit(h);
	}
	if (h->body_done) {
		run_handler(h);
	} else {
		lws_rx_flow_control(h->wsi, 1);
	}
}

/* A form is not for everyone to fill our disk with: the token goes first. */
static void
begin_body(struct http *h)
{
	if (h->form != NULL && h->route->bearer) {
		h->checking = true;
		lws_rx_flow_control(h->wsi, 0);
		http_authenticate(h, on_admitted);
	} else if (!h->has_body) {
		run_handler(h);
	} else if (h->form != NULL) {
		media_upload_admit(h);
	}
}

static int
begin_api(struct http *h, const char *path)
{
	bool known;

	if (h->method == HTTP_OPTIONS) {
		answer_preflight(h);
		return 0;
	}
	h->route = route_find(h->method, path, h->ids, &known);
	if (h->route == NULL) {
		if (known) {
			http_answer_error(h, 405, "Method not allowed");
		} else {
			http_answer_error(h, 404, "Not found");
		}
		return 0;
	}
	if (accept_body(h)) {
		begin_body(h);
	}
	return 0;
}

static int
begin_file(struct http *h, const char *path)
{
	static const char text[] = "Not found\n";

	if (h->method == HTTP_OPTIONS && strncmp(path, "/media/", 7) == 0) {
		answer_preflight(h);
		return 0;
	}
	if (h->method != HTTP_GET && h->method != HTTP_HEAD) {
		http_answer(h, 405, "text/plain", "allow: GET, HEAD\r\n",
		    "Method not allowed\n", 19);
		return 0;
	}
	if (strncmp(path, "/media/", 7) == 0) {
		media_serve(h, path + 7);
		return 0;
	}
	if (!static_files_serve(h->gw->files, h, path)) {
		http_answer(h, 404, "text/plain", NULL, text,
		    sizeof(text) - 1);
	}
	return 0;
}

/* A connection beyond its limits, or a request beyond its address's rate; false:
 * answered. */
static bool
admit(struct http *h)
{
	struct remote *remote = lws_get_opaque_user_data(h->wsi);
	int64_t wait;

	if (remote == NULL) {
		h->close = true;
		http_answer_error(h, 503, "Service unavailable");
		return false; /* not accepted by us: there is none */
	}
	remote_arrived(remote);
	h->client = remote_client(remote, h->wsi);
	if (remote_refused(remote) != NULL) {
		h->close = true;
		http_answer_limited(h, REFUSED_WAIT_MS);
		return false;
	}
	wait = limits_address(h->gw->limits, &h->client, CALLER_REQUESTS);
	if (wait > 0) {
		http_answer_limited(h, wait);
	}
	return wait == 0;
}

static void
answer_no_upgrade(struct http *h)
{
	static const char body[] =
	    "{\"error\":\"WebSocket handshake expected\"}";

	http_answer(h, 426, "application/json",
	    "upgrade: websocket\r\nsec-websocket-version: 13\r\n", body,
	    sizeof(body) - 1);
}

int
http_begin(struct http **hp, struct gateway *gw, struct lws *wsi,
    const char *path)
{
	struct http *h = mem_zalloc(sizeof(*h));

	*hp = h;
	h->gw = gw;
	gw->requests++;
	h->wsi = wsi;
	h->state = HTTP_READING;
	h->started_ms = clock_mono_ms();
	h->method = method_of(wsi);
	read_headers(h);
	http_bearer_read(h);
	if (!read_body_length(h)) {
		h->close = true;
		http_answer_error(h, 411, "Length required");
		return 0;
	}
	if (!head_valid(h)) {
		return 0;
	}
	if (!admit(h)) {
		return 0;
	}
	if (strcmp(path, "/ws") == 0) {
		answer_no_upgrade(h);
		return 0;
	}
	return is_api(path) ? begin_api(h, path) : begin_file(h, path);
}

/* ---- the body ----------------------------------------------------------- */

static int
drop(struct http *h)
{
	if (h->received > DROP_BYTES_MAX ||
	    clock_mono_ms() - h->dropping_ms > DROP_TIME_MS) {
		return -1;
	}
	return 0;
}

static bool
is_late(const struct http *h)
{
	uint64_t times = h->route != NULL && h->route->body == BODY_FILE
	    ? FILE_TIMES : 1;

	return clock_mono_ms() - h->started_ms >
	    times * (uint64_t)settings.body_timeout;
}

int
http_body(struct http *h, const void *data, size_t len)
{
	h->received += len;
	if (h->state != HTTP_READING) {
		return h->state == HTTP_DROPPING ? drop(h) : 0;
	}
	if (is_late(h)) {
		return -1;
	}
	if (h->route == NULL || h->route->body == BODY_NONE) {
		return h->received > (uint64_t)settings.body_max ? -1 : 0;
	}
	if (h->form == NULL) {
		buf_put(&h->body, data, len);
	} else if (!form_feed(h->form, data, len)) {
		http_answer_error(h, 400, "Invalid multipart data");
	}
	return 0;
}

int
http_body_done(struct http *h)
{
	h->body_done = true;
	if (h->told_done++ > 0) {
		/* Nor can it be trusted to read that request: our answer is the
		 * connection's last. */
		h->close = true;
		return h->told_done > TOLD_DONE_MAX ? -1 : 0;
	}
	switch (h->state) {
	case HTTP_READING:
		if (h->route != NULL && !h->checking) {
			run_handler(h);
		}
		return 0;
	case HTTP_DROPPING:
		return -1;
	default:
		return 0;
	}
}

/* ---- the answer --------------------------------------------------------- */

/* 1: all is written; 0: a file follows; -1: broken. */
static int
write_answer(struct http *h)
{
	bool more = media_stream_follows(h);
	int n;

	h->state = more ? HTTP_STREAMING : HTTP_SENT;
	n = lws_write(h->wsi, h->answer->data, h->answer->len,
	    more ? LWS_WRITE_HTTP : LWS_WRITE_HTTP_FINAL);
	out_frame_unref(&h->answer);
	if (n < 0) {
		return -1;
	}
	if (more) {
		media_stream_start(h);
	}
	return more ? 0 : 1;
}

int
http_writable(struct http *h)
{
	struct lws *wsi = h->wsi;
	int n;

	if (h->state == HTTP_STREAMING) {
		n = media_stream_write(h);
		if (n <= 0) {
			return n;
		}
		h->state = HTTP_SENT;
	} else if (h->state != HTTP_ANSWERED) {
		return 0;
	} else {
		n = write_answer(h);
		if (n <= 0) {
			return n;
		}
	}
	if (h->has_body && !h->body_done) {
		h->state = HTTP_DROPPING;
		h->dropping_ms = clock_mono_ms();
		return 0;
	}
	if (h->close) {
		return -1;
	}
	/* Ends in http_end, now or when the rest has left. */
	return lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* A body may hold a password. */
static void
forget_secrets(struct buf *b)
{
	if (b->data != NULL) {
		sodium_memzero(b->data, b->cap);
	}
}

void
http_end(struct http **hp)
{
	struct http *h = *hp;

	if (h == NULL) {
		return;
	}
	*hp = NULL;
	if (h->call != 0) {
		rpc_cancel(h->gw->chatd, h->call);
	}
	h->gw->requests--;
	media_forget(h);
	media_stream_end(h);
	form_free(&h->form);
	forget_secrets(&h->body);
	buf_fini(&h->body);
	out_frame_unref(&h->answer);
	free(h->q);
	free(h);
}
