/*
 * The frame is checked strictly here once, so that chatd never sees what is no
 * JSON object; the bytes are then passed on as they came. What is read of it is
 * picked during the check. Only a frame that writes a key with escapes or twice
 * is parsed as a whole, which takes five times as long.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/request.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_in.h"
#include "common/mem.h"

enum member {
	MEMBER_TYPE,
	MEMBER_REQUEST_ID,
	MEMBER_CHAT,
	MEMBER_MSG_CHAT,
	MEMBER_FRONT,
	MEMBER_COUNT,
};

static const struct json_pick members[MEMBER_COUNT] = {
	[MEMBER_TYPE] = { .key = "type" },
	[MEMBER_REQUEST_ID] = { .key = "request_id" },
	[MEMBER_CHAT] = { .key = "chat_id" },
	[MEMBER_MSG_CHAT] = { .inner = true, .key = "chat_id" },
	[MEMBER_FRONT] = { .inner = true, .key = "front_msg_id" },
};

/* Whether it is a text of 1 to REQUEST_TEXT_MAX code points without U+0000. */
static bool
is_short(const struct json_pick *m)
{
	return m->text != NULL && m->len > 0 &&
	    memchr(m->text, '\0', m->len) == NULL &&
	    utf8_count(m->text, m->len) <= REQUEST_TEXT_MAX;
}

static struct uuid
read_uuid(const struct json_pick *m)
{
	struct uuid id = { { 0 } };

	if (m->text != NULL && !uuid_parse(m->text, m->len, &id)) {
		memset(&id, 0, sizeof(id));
	}
	return id;
}

static enum err
read_members(const struct json_pick *found, struct request *r)
{
	const struct json_pick *type = &found[MEMBER_TYPE];

	if (is_short(type)) {
		r->row = contract_request(type->text, type->len);
		r->unknown = r->row == NULL
		    ? mem_strndup(type->text, type->len) : NULL;
		r->type = r->row != NULL ? r->row->name : r->unknown;
	}
	if (is_short(&found[MEMBER_REQUEST_ID])) {
		r->request_id = mem_strndup(found[MEMBER_REQUEST_ID].text,
		    found[MEMBER_REQUEST_ID].len);
	}
	r->chat = read_uuid(&found[MEMBER_CHAT]);
	if (uuid_is_nil(&r->chat)) {
		r->chat = read_uuid(&found[MEMBER_MSG_CHAT]);
	}
	r->front_msg_id = read_uuid(&found[MEMBER_FRONT]);
	return r->row != NULL ? ERR_OK : ERR_UNKNOWN_TYPE;
}

enum err
request_parse_whole(const char *text, size_t len, struct request *r)
{
	struct json_object *obj = json_in_parse(text, len);
	struct json_object *msg = NULL, *v;
	struct json_pick found[MEMBER_COUNT];
	enum err err;

	memset(r, 0, sizeof(*r));
	if (obj == NULL) {
		return ERR_INVALID_JSON;
	}
	memcpy(found, members, sizeof(found));
	if (!json_object_object_get_ex(obj, "msg", &msg) ||
	    !json_object_is_type(msg, json_type_object)) {
		msg = NULL;
	}
	for (int i = 0; i < MEMBER_COUNT; i++) {
		struct json_object *in = found[i].inner ? msg : obj;

		if (in != NULL && json_object_object_get_ex(in, found[i].key,
		    &v) && json_object_is_type(v, json_type_string)) {
			found[i].text = json_object_get_string(v);
			found[i].len = (size_t)json_object_get_string_len(v);
		}
	}
	err = read_members(found, r);
	json_object_put(obj);
	return err;
}

enum err
request_parse(const char *text, size_t len, struct request *r)
{
	struct json_pick found[MEMBER_COUNT];

	memcpy(found, members, sizeof(found));
	switch (json_in_pick(text, len, "msg", found, MEMBER_COUNT)) {
	case JSON_PICKED:
		memset(r, 0, sizeof(*r));
		return read_members(found, r);
	case JSON_PICK_INVALID:
		memset(r, 0, sizeof(*r));
		return ERR_INVALID_JSON;
	default:
		return request_parse_whole(text, len, r);
	}
}

void
request_fini(struct request *r)
{
	free(r->unknown);
	free(r->request_id);
	memset(r, 0, sizeof(*r));
}
