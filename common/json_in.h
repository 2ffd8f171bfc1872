/*
 * Strict JSON in. json-c, even strict, lets through what RFC 8259 forbids or
 * PostgreSQL refuses (overlong UTF-8, surrogates, NaN, control characters,
 * clamped numbers); json_in_valid is a scanner for exactly the RFC's grammar,
 * run before json-c builds the tree. Lone surrogate escapes are refused: no
 * Unicode text holds them. `\u0000` is valid JSON; fields_check refuses it.
 *
 * Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_JSON_IN_H
#define COMMON_JSON_IN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct json_object;

#define JSON_IN_DEPTH_MAX 16

/* Whether these bytes are one JSON text, in valid UTF-8, nested at most
 * JSON_IN_DEPTH_MAX deep. */
MUST_CHECK bool json_in_valid(const char *text, size_t len);
/* Checks and parses; NULL when it is not a valid JSON *object*. The caller owns
 * the result (json_object_put). */
MUST_CHECK struct json_object *json_in_parse(const char *text, size_t len);

/* A member that is looked for while a text is checked. */
struct json_pick {
	bool inner;       /* of the object under `outer`, else of the text's own */
	const char *key;
	const char *text; /* found: between its quotes, borrowed; NULL: absent,
	                   * or no string */
	size_t len;
	bool seen;        /* the key is there */
};

enum json_picked {
	JSON_PICKED,
	JSON_PICK_PARSE,   /* valid, but not to be read so: json_in_parse it */
	JSON_PICK_INVALID, /* json_in_parse would be NULL */
};

/* Checks like json_in_parse and fills `picks` on the way, without building
 * anything. Escapes in a key or in a string that is looked for, and keys that
 * are there twice, are left to the whole parser (JSON_PICK_PARSE). */
MUST_CHECK enum json_picked json_in_pick(const char *text, size_t len,
    const char *outer, struct json_pick *picks, size_t n);

/* Valid UTF-8 (RFC 3629: no overlong forms, no surrogates, up to U+10FFFF). */
MUST_CHECK bool utf8_valid(const char *text, size_t len);
/* Code points of a valid UTF-8 text. */
size_t utf8_count(const char *text, size_t len);
/* Bytes of the first `points` code points, at most len. */
size_t utf8_prefix(const char *text, size_t len, size_t points);
/* Narrows to the text without leading and trailing Unicode white space
 * (the White_Space property). */
void utf8_trim(const char **text, size_t *len);
/* Whether nothing but Unicode white space is in it. */
bool utf8_blank(const char *text, size_t len);

#endif
