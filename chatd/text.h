/*
 * A run of UTF-8 bytes that belongs to someone else: a column of a database
 * result, a field of a request. Not NUL-terminated. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_TEXT_H
#define CHATD_TEXT_H

#include <stddef.h>

struct text {
	const char *p; /* borrowed; NULL: null */
	size_t len;
};

#define TEXT_NULL ((struct text){ NULL, 0 })

#endif
