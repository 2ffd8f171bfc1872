/*
 * The frame is parsed strictly here once, so that chatd never sees what is no
 * JSON object; the bytes are then passed on as they came.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/request.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_in.h"
#include "common/mem.h"

/* The member's text if it is one of 1 to REQUEST_TEXT_MAX code points without
 * U+0000, as a new string; else NULL. */
static char *
short_text(struct json_object *obj, const char *key)
{
	struct json_object *v;
	const char *text;
	size_t len;

	if (!json_object_object_get_ex(obj, key, &v) ||
	    !json_object_is_type(v, json_type_string)) {
		return NULL;
	}
	text = json_object_get_string(v);
	len = (size_t)json_object_get_string_len(v);
	if (len == 0 || memchr(text, '\0', len) != NULL ||
	    utf8_count(text, len) > REQUEST_TEXT_MAX) {
		return NULL;
	}
	return mem_strndup(text, len);
}

static struct uuid
uuid_member(struct json_object *obj, const char *key)
{
	struct uuid id = { { 0 } };
	struct json_object *v;

	if (obj != NULL && json_object_object_get_ex(obj, key, &v) &&
	    json_object_is_type(v, json_type_string) &&
	    !uuid_parse(json_object_get_string(v),
	    (size_t)json_object_get_string_len(v), &id)) {
		memset(&id, 0, sizeof(id));
	}
	return id;
}

static void
read_members(struct json_object *obj, struct request *r)
{
	struct json_object *msg = NULL;

	r->type = short_text(obj, "type");
	r->request_id = short_text(obj, "request_id");
	if (!json_object_object_get_ex(obj, "msg", &msg) ||
	    !json_object_is_type(msg, json_type_object)) {
		msg = NULL;
	}
	r->chat = uuid_member(obj, "chat_id");
	if (uuid_is_nil(&r->chat)) {
		r->chat = uuid_member(msg, "chat_id");
	}
	r->front_msg_id = uuid_member(msg, "front_msg_id");
}

enum err
request_parse(const char *text, size_t len, struct request *r)
{
	struct json_object *obj;

	memset(r, 0, sizeof(*r));
	obj = json_in_parse(text, len);
	if (obj == NULL) {
		return ERR_INVALID_JSON;
	}
	read_members(obj, r);
	json_object_put(obj);
	if (r->type != NULL) {
		r->row = contract_request(r->type, strlen(r->type));
	}
	return r->row != NULL ? ERR_OK : ERR_UNKNOWN_TYPE;
}

void
request_fini(struct request *r)
{
	free(r->type);
	free(r->request_id);
	memset(r, 0, sizeof(*r));
}
