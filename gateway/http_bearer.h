/*
 * Who asks: the Bearer token of an HTTP request, asked of chatd. Cookies are
 * not taken here, so no foreign page can act for its visitor.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_HTTP_BEARER_H
#define GATEWAY_HTTP_BEARER_H

#include "gateway/http.h"

/* Notes the token's hash while the headers are at hand. */
void http_bearer_read(struct http *h);
/* Fills h->user and h->token and calls `next`; or answers 401 or 503. */
void http_authenticate(struct http *h, void (*next)(struct http *h));

#endif
