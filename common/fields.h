/*
 * Walks a row's field rules over a parsed JSON object: presence, type, length
 * in code points, UUID form. Handlers read the result by index and never touch the
 * JSON again. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_FIELDS_H
#define COMMON_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/contract.h"
#include "common/err.h"
#include "common/uuid.h"

struct json_object;

/* How far a client holds a chat. */
struct field_mark {
	struct uuid chat;
	int64_t last_seq; /* not negative */
};

struct field_value {
	bool present; /* false: absent (or null, where null is allowed) */
	struct uuid uuid;
	const char *text; /* borrowed from the JSON object; NUL-terminated */
	size_t text_len;  /* bytes */
	int64_t number;
	bool truth;
	enum message_format format;
	struct uuid *list; /* owned by struct fields */
	struct field_mark *marks; /* owned by struct fields */
	size_t list_len;   /* of either */
};

struct fields {
	struct field_value v[CONTRACT_FIELDS_MAX];
	const char *request_id; /* borrowed; NULL when absent */
};

/*
 * Fills `f` from `obj` by `rules`. On ERR_INVALID_FIELD or ERR_TOO_LARGE,
 * *bad_field_r is the path of the first bad field (static text). `f` is always
 * safe to give to fields_fini.
 */
MUST_CHECK enum err fields_check(const struct field_rule *rules,
    struct json_object *obj, struct fields *f, const char **bad_field_r);
void fields_fini(struct fields *f);

#endif
