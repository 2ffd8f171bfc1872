/*
 * Which URLs a media message may carry: absolute http or https, on one of the
 * origins of the settings. Everything else (`javascript:`, `data:`, another
 * host, a host hidden behind userinfo) is refused. Pure; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_MEDIA_URL_H
#define CHATD_MEDIA_URL_H

#include <stdbool.h>

#include "chatd/text.h"
#include "common/attr.h"

struct media_origins;

/* Of the comma-separated `list`; where that is empty, the origin of
 * `public_url`. NULL when a part is no http(s) origin; it is then in *bad_r
 * (free() it). */
MUST_CHECK struct media_origins *media_origins_new(const char *list,
    const char *public_url, char **bad_r);
void media_origins_free(struct media_origins **o);
MUST_CHECK bool media_url_allowed(const struct media_origins *o,
    struct text url);

#endif
