/*
 * http: one HTTP request and its answer.
 *
 *   headers -> (body) -> handler -> [call to chatd, file work] -> http_answer_*
 *      `- refused early: answered at once; the body's rest is read and dropped
 *         for a while, or a reset would eat the answer
 *
 * An answer is always written from the library's WRITEABLE callback, so a
 * handler may give it at any time. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_HTTP_H
#define GATEWAY_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/buf.h"
#include "common/uuid.h"
#include "gateway/auth.h"

struct gateway;
struct lws;
struct out_frame;
struct http_route;
struct form;
struct stream;
struct upload;

/* `{id}` places of a route's path. */
#define HTTP_IDS_MAX 2

enum http_method {
	HTTP_GET,
	HTTP_HEAD,
	HTTP_POST,
	HTTP_PUT,
	HTTP_PATCH,
	HTTP_DELETE,
	HTTP_OPTIONS,
	HTTP_OTHER,
};

enum http_state {
	HTTP_READING,  /* the body is arriving */
	HTTP_WORKING,  /* with a handler; reading is paused */
	HTTP_ANSWERED, /* the answer waits to be written */
	HTTP_STREAMING, /* its head is written, a file follows */
	HTTP_SENT,     /* written; the library completes the transaction */
	HTTP_DROPPING, /* written early; the body's rest is dropped */
};

struct http {
	struct gateway *gw;          /* borrowed */
	struct lws *wsi;             /* borrowed */
	enum http_state state;
	enum http_method method;
	const struct http_route *route;   /* borrowed, constant; NULL: none */
	struct address client;       /* who asks: see remote.h */
	char origin[256];            /* allowed by CORS; "": none */
	char content_type[256];
	char if_none_match[80];
	char if_modified_since[40];
	char if_range[80];
	char range[80];
	char *q;                     /* owned; `q` of the query; NULL: none */
	bool has_body;               /* body_len bytes were announced */
	bool body_done;
	unsigned told_done;          /* how often the library has said so */
	bool checking;               /* the token, before the body is read */
	bool close;                  /* no further request on this connection */
	uint64_t body_len;
	uint64_t received;
	uint64_t started_ms;
	uint64_t dropping_ms;        /* since when */
	struct buf body;             /* a JSON body */
	struct form *form;           /* owned; a multipart body */
	struct upload *upload;       /* of media_upload.c; NULL: none */
	struct stream *stream;       /* of media_serve.c; NULL: none */
	struct out_frame *answer;    /* head and body; NULL: none yet */
	uint64_t call;               /* rpc id; 0: none */
	struct uuid ids[HTTP_IDS_MAX]; /* of the path */
	bool has_bearer;
	struct token_hash bearer;    /* of the Bearer token */
	bool may_fail;               /* counted as a failed login until it
	                              * turns out to be none */
	struct uuid user;            /* who asks, where the route wants it */
	struct uuid token;
	void (*next)(struct http *h); /* once the token is checked */
};

/* `body` is copied; NULL with a length: h->stream will give it. `headers` are
 * complete lines, each ended by \r\n, or NULL. */
void http_answer(struct http *h, int status, const char *type,
    const char *headers, const void *body, size_t len);
void http_answer_json(struct http *h, int status, const void *json,
    size_t len);
/* {"error":"text"} */
void http_answer_error(struct http *h, int status, const char *text);

/* 429, to come back after so many ms. */
void http_answer_limited(struct http *h, int64_t wait_ms);

/* Writes head and body of an answer without a request's context, for handshakes
 * that are refused: the connection ends afterwards. */
void http_refuse_upgrade(struct lws *wsi, int status, const char *text);

/* The value of a header, or an empty string (also when it is too long). */
const char *http_header(struct lws *wsi, int token, char *value, size_t max);

/* For CORS and cookies: whether this page's origin is one of ours. */
bool http_origin_allowed(struct lws *wsi, const char *origin);

/* From the library's callback. -1: close the connection. */
int http_begin(struct http **hp, struct gateway *gw, struct lws *wsi,
    const char *path);
int http_body(struct http *h, const void *data, size_t len);
int http_body_done(struct http *h);
int http_writable(struct http *h);
void http_end(struct http **hp);

#endif
