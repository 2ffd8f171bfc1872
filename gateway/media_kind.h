/*
 * media_kind: what a stored file is, told by its first bytes and never by what
 * its sender says. The kind gives the ending of its name in the store, and the
 * name alone then says how it is served. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_MEDIA_KIND_H
#define GATEWAY_MEDIA_KIND_H

#include <stdbool.h>
#include <stddef.h>

#include "common/uuid.h"

/* The first bytes that media_kind_of_content looks at. */
#define MEDIA_HEAD_MAX 64
/* A uuid, a dot and an ending. */
#define MEDIA_NAME_MAX (UUID_TEXT_LEN + 8)

struct media_kind {
	const char *ext;
	const char *type;
	bool picture;    /* may be an avatar */
	bool shown;      /* a browser only shows or plays it: no download */
};

/* Never NULL: what is not known is plain bytes. */
const struct media_kind *media_kind_of_content(const void *data, size_t len);
/* NULL: not a name that we give. */
const struct media_kind *media_kind_of_name(const char *name);

#endif
