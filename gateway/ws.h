/*
 * The two faces of the library's one callback: WebSockets (ws.c) and HTTP
 * (http_lws.c). Each reason is one call. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_WS_H
#define GATEWAY_WS_H

#include <libwebsockets.h>

#include "gateway/gateway.h"

/* What the library keeps for us with each socket. */
struct socket {
	struct conn *conn; /* a WebSocket */
	struct http *http; /* a request in progress */
};

/* All answer as the library wants it: 0 goes on, -1 closes. */
int ws_callback(struct gateway *gw, struct lws *wsi,
    enum lws_callback_reasons reason, struct socket *s, void *in,
    size_t len);
int http_callback(struct gateway *gw, struct lws *wsi,
    enum lws_callback_reasons reason, struct socket *s, void *in,
    size_t len);

#endif
