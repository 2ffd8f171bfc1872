/*
 * http_range: which part of a file a Range header asks for (RFC 9110, 14.2).
 * One range only: several at once, or what is not understood, may be answered
 * with the whole, and are. Pure; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_HTTP_RANGE_H
#define GATEWAY_HTTP_RANGE_H

#include <stdint.h>

#include "common/attr.h"

enum http_range {
	HTTP_RANGE_ALL,     /* first and end are left alone */
	HTTP_RANGE_PART,    /* [first, end) of the file, not empty */
	HTTP_RANGE_OUTSIDE, /* 416 */
};

/* `text` is the header's value, `size` the file's in bytes. */
MUST_CHECK enum http_range http_range_read(const char *text, uint64_t size,
    uint64_t *first_r, uint64_t *end_r);

#endif
