/*
 * The Bearer token of an HTTP request.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/http_bearer.h"

#include <libwebsockets.h>
#include <sodium.h>

#include "common/rpc.h"
#include "gateway/gateway.h"
#include "gateway/limits.h"
#include "gateway/routes.h"
#include "gateway/settings.h"
#include "gateway/trace.h"

void
http_bearer_read(struct http *h)
{
	/* "Bearer " and spaces; what is longer is no token of ours. */
	char text[AUTH_TOKEN_MAX + 64];
	const char *token;
	size_t len;

	http_header(h->wsi, WSI_TOKEN_HTTP_AUTHORIZATION, text, sizeof(text));
	token = auth_bearer(text, &len);
	h->has_bearer = token != NULL && len <= AUTH_TOKEN_MAX;
	if (h->has_bearer) {
		auth_hash(token, len, &h->bearer);
	}
	sodium_memzero(text, sizeof(text));
}

/* How long until the user may ask this; 0: he may. A file is weighed by what
 * its request announces, before any of it is read. */
static int64_t
wait_of(const struct http *h)
{
	struct limits *l = h->gw->limits;
	int64_t wait = limits_user_id(l, &h->user, h->route->limit, 1);

	if (wait == 0 && h->route->limit == LIMIT_UPLOADS) {
		wait = limits_user_id(l, &h->user, LIMIT_UPLOAD_BYTES,
		    h->body_len);
	}
	return wait;
}

static void
on_checked(void *arg, enum err status, const struct frame *reply)
{
	struct http *h = arg;
	int64_t wait;

	h->call = 0;
	if (status == ERR_OK && reply != NULL) {
		h->user = reply->user;
		h->token = reply->token;
		wait = wait_of(h);
		if (wait > 0) {
			http_answer_limited(h, wait);
		} else {
			h->next(h);
		}
	} else if (status == ERR_TOKEN_UNKNOWN ||
	    status == ERR_TOKEN_EXPIRED) {
		http_answer_error(h, 401, "Unauthorized");
	} else {
		http_answer_error(h, 503, "Service unavailable");
	}
}

void
http_authenticate(struct http *h, void (*next)(struct http *h))
{
	const struct rpc_request req = {
		.kind = CALL_check_token,
		.route = auth_hash_route(&h->bearer),
		.timeout_ms = settings.request_timeout,
		.trace = trace_new(),
		.body = h->bearer.b,
		.body_len = sizeof(h->bearer.b),
	};

	if (!h->has_bearer) {
		http_answer_error(h, 401, "Unauthorized");
		return;
	}
	h->next = next;
	h->call = rpc_call(h->gw->chatd, &req, on_checked, h);
}
