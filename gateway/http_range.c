/*
 * The Range header; see http_range.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/http_range.h"

#include <ctype.h>
#include <stdbool.h>
#include <strings.h>

/* Digits up to a character that is none; false: none, or too many. */
static bool
read_number(const char **p, uint64_t *value_r)
{
	const char *start = *p;
	uint64_t value = 0;

	while (isdigit((unsigned char)**p)) {
		if (*p - start >= 18) {
			return false;
		}
		value = value * 10 + (uint64_t)(*(*p)++ - '0');
	}
	*value_r = value;
	return *p > start;
}

/* `-N`: the last N bytes. */
static enum http_range
read_suffix(const char *text, uint64_t size, uint64_t *first_r,
    uint64_t *end_r)
{
	uint64_t last;

	if (!read_number(&text, &last) || *text != '\0') {
		return HTTP_RANGE_ALL;
	}
	if (last == 0 || size == 0) {
		return HTTP_RANGE_OUTSIDE;
	}
	*first_r = last < size ? size - last : 0;
	*end_r = size;
	return HTTP_RANGE_PART;
}

enum http_range
http_range_read(const char *text, uint64_t size, uint64_t *first_r,
    uint64_t *end_r)
{
	uint64_t first, last = 0;
	bool has_last;

	if (strncasecmp(text, "bytes=", 6) != 0) {
		return HTTP_RANGE_ALL;
	}
	text += 6;
	if (*text == '-') {
		return read_suffix(text + 1, size, first_r, end_r);
	}
	if (!read_number(&text, &first) || *text++ != '-') {
		return HTTP_RANGE_ALL;
	}
	has_last = read_number(&text, &last);
	if (*text != '\0' || (has_last && last < first)) {
		return HTTP_RANGE_ALL;
	}
	if (first >= size) {
		return HTTP_RANGE_OUTSIDE;
	}
	*first_r = first;
	*end_r = has_last && last < size ? last + 1 : size;
	return HTTP_RANGE_PART;
}
