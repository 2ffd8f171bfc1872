/*
 * http_form: the forms of HTTP requests and the file that may be in one, which
 * goes to the media store as it arrives. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_HTTP_FORM_H
#define GATEWAY_HTTP_FORM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

struct http;

/* Whether this request's body is a form, by its route and its type. */
bool http_form_wanted(const struct http *h);
/* Makes h->form; false: answered, the body is refused. */
MUST_CHECK bool http_form_begin(struct http *h);

/* The form is complete. Stores its file, which must be a picture if the route
 * says so, and calls `next` with its URL; or answers. */
void http_form_store(struct http *h,
    void (*next)(struct http *h, const char *url));

#endif
