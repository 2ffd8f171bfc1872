/*
 * The library's HTTP events. A request's object lives from its headers until
 * the library unbinds the transaction, which it does before it takes the next
 * one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "gateway/http.h"
#include "gateway/ws.h"

static int
begin(struct gateway *gw, struct lws *wsi, struct socket *s, const char *path)
{
	http_end(&s->http);
	return http_begin(&s->http, gw, wsi, path);
}

int
http_callback(struct gateway *gw, struct lws *wsi,
    enum lws_callback_reasons reason, struct socket *s, void *in, size_t len)
{
	switch (reason) {
	case LWS_CALLBACK_HTTP:
		return begin(gw, wsi, s, in);
	case LWS_CALLBACK_HTTP_BODY:
		return s->http != NULL ? http_body(s->http, in, len) : -1;
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		return s->http != NULL ? http_body_done(s->http) : -1;
	case LWS_CALLBACK_HTTP_WRITEABLE:
		return s->http != NULL ? http_writable(s->http) : 0;
	case LWS_CALLBACK_HTTP_FILE_COMPLETION:
		return lws_http_transaction_completed(wsi) ? -1 : 0;
	case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
	case LWS_CALLBACK_CLOSED_HTTP:
		http_end(&s->http);
		return 0;
	default:
		return 0;
	}
}
