/*
 * multipart: a streaming reader of multipart/form-data bodies (RFC 7578). It is
 * fed chunks of any size and tells of each part's name and content; it keeps no
 * more than a boundary's length and one part's headers. Anything that is not
 * well-formed makes it fail for good. Pure; not thread safe.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_MULTIPART_H
#define GATEWAY_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct multipart;

struct multipart_handler {
	/* A part begins. `is_file`: it has a filename. False ends the parsing:
	 * the body is refused. */
	bool (*begin)(void *arg, const char *name, bool is_file);
	bool (*data)(void *arg, const void *data, size_t len);
	bool (*end)(void *arg);
};

/* NULL: this Content-Type is no multipart/form-data with a usable boundary. */
MUST_CHECK struct multipart *multipart_new(const char *content_type,
    const struct multipart_handler *handler, void *arg);
void multipart_free(struct multipart **mp);

/* Whether the Content-Type says multipart/form-data at all. */
bool multipart_is(const char *content_type);

/* False: malformed, or the handler refused. */
MUST_CHECK bool multipart_feed(struct multipart *mp, const void *data,
    size_t len);
/* True when the final boundary has been seen. */
bool multipart_done(const struct multipart *mp);

#endif
