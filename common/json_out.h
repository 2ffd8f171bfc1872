/*
 * JSON out: a printer that appends to a buf, places the commas and escapes
 * correctly (RFC 8259; U+007F and above as they are). Input text must be valid
 * UTF-8. Keys are literals of ours and are not escaped. Not thread safe.
 *
 *	struct json_out j;
 *	json_out_init(&j, &buf);
 *	json_obj(&j);
 *	json_key_str(&j, "type", "chat_read");
 *	json_key_uuid(&j, "chat_id", &id);
 *	json_obj_end(&j);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_JSON_OUT_H
#define COMMON_JSON_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/uuid.h"

struct json_out {
	struct buf *b;   /* borrowed */
	bool need_comma;
};

void json_out_init(struct json_out *j, struct buf *b);

/* Values, in arrays or after json_key. */
void json_obj(struct json_out *j);
void json_obj_end(struct json_out *j);
void json_arr(struct json_out *j);
void json_arr_end(struct json_out *j);
void json_str(struct json_out *j, const char *text); /* NULL: null */
void json_strn(struct json_out *j, const char *text, size_t len);
void json_int(struct json_out *j, int64_t v);
void json_boolean(struct json_out *j, bool v);
void json_null(struct json_out *j);
void json_uuid(struct json_out *j, const struct uuid *id); /* NULL: null */
/* ISO-8601 UTC; a negative time is null. */
void json_time(struct json_out *j, int64_t unix_ms);
/* Text that is JSON already. */
void json_raw(struct json_out *j, const char *text, size_t len);

void json_key(struct json_out *j, const char *key);
void json_key_obj(struct json_out *j, const char *key);
void json_key_arr(struct json_out *j, const char *key);
void json_key_str(struct json_out *j, const char *key, const char *text);
void json_key_strn(struct json_out *j, const char *key, const char *text,
    size_t len);
void json_key_int(struct json_out *j, const char *key, int64_t v);
void json_key_bool(struct json_out *j, const char *key, bool v);
void json_key_null(struct json_out *j, const char *key);
void json_key_uuid(struct json_out *j, const char *key, const struct uuid *id);
void json_key_time(struct json_out *j, const char *key, int64_t unix_ms);

#endif
