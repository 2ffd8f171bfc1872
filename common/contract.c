/*
 * The contract table at run time. All of it is constant data made by the
 * compiler: nothing to set up, nothing to lock. A type is found by comparing
 * lengths first, which for a table of this size beats hashing the text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/contract.h"

#include <string.h>

/* The words of contract.def. */
#define SEND LANE_SEND
#define READ LANE_READ
#define SLOW LANE_SLOW
#define OPENING LANE_OPENING
#define CHAT ROUTE_CHAT
#define USER ROUTE_USER
#define IDEMPOTENT ROW_IDEMPOTENT
#define FRAMES ROW_FRAMES
#define UUID FIELD_KIND_UUID
#define TEXT FIELD_KIND_TEXT
#define BOOL FIELD_KIND_BOOL
#define INT FIELD_KIND_INT
#define UUID_LIST FIELD_KIND_UUID_LIST
#define MARK_LIST FIELD_KIND_MARK_LIST
#define OBJECT FIELD_KIND_OBJECT
#define FORMAT FIELD_KIND_FORMAT
#define REQUIRED FIELD_REQUIRED
#define NULLABLE FIELD_NULLABLE
#define SOFT FIELD_SOFT
#define FROM_gateway PROCESS_GATEWAY
#define FROM_chatd PROCESS_CHATD
#define FROM_presenced PROCESS_PRESENCED
#define FROM_any PROCESS_ANY

/* ---- field rules -------------------------------------------------------- */

#define OPEN_RULES(name) \
	static const struct field_rule rules_##name[] = {
#define REQUEST(number, name, family, lane, route, limit, flags) OPEN_RULES(name)
#define HTTP_CALL(number, name, method, path, lane, flags) OPEN_RULES(name)
#define ADMIN(number, name, lane, flags) OPEN_RULES(name)
#define FIELD(name, ident, path, kind, max, flags) { path, kind, max, flags },
#define END(name) { NULL, 0, 0, 0 } };
#define CALL(number, name, from, to, lane, flags)
#define EVENT(name)
#include "common/contract.def"
#undef REQUEST
#undef HTTP_CALL
#undef ADMIN
#undef FIELD
#undef END
#undef CALL

#define FIELD(name, ident, path, kind, max, flags)
#define END(name) \
	_Static_assert((int)FIELD_COUNT_##name <= CONTRACT_FIELDS_MAX, \
	    "raise CONTRACT_FIELDS_MAX");
#define REQUEST(number, name, family, lane, route, limit, flags)
#define HTTP_CALL(number, name, method, path, lane, flags)
#define ADMIN(number, name, lane, flags)
#define CALL(number, name, from, to, lane, flags)
#include "common/contract.def"
#undef REQUEST
#undef HTTP_CALL
#undef ADMIN
#undef END
#undef CALL

/* ---- rows --------------------------------------------------------------- */

#define END(name)

enum row_index {
#define REQUEST(number, name, family, lane, route, limit, flags) ROW_##name,
#define HTTP_CALL(number, name, method, path, lane, flags) ROW_##name,
#define ADMIN(number, name, lane, flags) ROW_##name,
#define CALL(number, name, from, to, lane, flags) ROW_CALL_##name,
#include "common/contract.def"
#undef REQUEST
#undef HTTP_CALL
#undef ADMIN
#undef CALL
	ROW_COUNT
};

static const struct contract_row rows[ROW_COUNT] = {
#define REQUEST(number, name, family, lane, route, limit, flags) \
	{ MSG_##name, ROW_REQUEST, #name, lane, route, flags, \
	    PROCESS_GATEWAY, rules_##name },
#define HTTP_CALL(number, name, method, path, lane, flags) \
	{ MSG_##name, ROW_HTTP, #name, lane, USER, flags, PROCESS_GATEWAY, \
	    rules_##name },
#define ADMIN(number, name, lane, flags) \
	{ MSG_##name, ROW_ADMIN, #name, lane, USER, flags, PROCESS_PARLEYCTL, \
	    rules_##name },
#define CALL(number, name, from, to, lane, flags) \
	{ CALL_##name, ROW_CALL, #name, lane, USER, flags, FROM_##from, NULL },
#include "common/contract.def"
#undef REQUEST
#undef HTTP_CALL
#undef ADMIN
#undef CALL
};

static const struct {
	size_t len;
	enum row_index row;
} requests[] = {
#define REQUEST(number, name, family, lane, route, limit, flags) \
	{ sizeof(#name) - 1, ROW_##name },
#define HTTP_CALL(number, name, method, path, lane, flags)
#define ADMIN(number, name, lane, flags)
#define CALL(number, name, from, to, lane, flags)
#include "common/contract.def"
#undef REQUEST
#undef HTTP_CALL
#undef ADMIN
#undef CALL
};

const struct contract_row *
contract_request(const char *type, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		const struct contract_row *row = &rows[requests[i].row];

		if (requests[i].len == len &&
		    memcmp(row->name, type, len) == 0) {
			return row;
		}
	}
	return NULL;
}

const struct contract_row *
contract_row(unsigned kind)
{
	/* Two rows of one number do not compile. */
	switch (kind) {
#define REQUEST(number, name, family, lane, route, limit, flags) \
	case number: \
		return &rows[ROW_##name];
#define HTTP_CALL(number, name, method, path, lane, flags) \
	case number: \
		return &rows[ROW_##name];
#define ADMIN(number, name, lane, flags) \
	case number: \
		return &rows[ROW_##name];
#define CALL(number, name, from, to, lane, flags) \
	case number: \
		return &rows[ROW_CALL_##name];
#include "common/contract.def"
#undef REQUEST
#undef HTTP_CALL
#undef ADMIN
#undef CALL
	default:
		return NULL;
	}
}

enum limit
contract_limit(enum msg_kind kind)
{
	switch ((unsigned)kind) {
#define REQUEST(number, name, family, lane, route, limit, flags) \
	case number: \
		return LIMIT_##limit;
#define HTTP_CALL(number, name, method, path, lane, flags)
#define ADMIN(number, name, lane, flags)
#define CALL(number, name, from, to, lane, flags)
#include "common/contract.def"
#undef REQUEST
#undef HTTP_CALL
#undef ADMIN
#undef CALL
	default:
		return LIMIT_NONE;
	}
}

const struct contract_row *
contract_row_at(size_t i)
{
	return i < ROW_COUNT ? &rows[i] : NULL;
}

/* ---- message formats ---------------------------------------------------- */

static const char *const format_names[FORMAT_COUNT] = {
	[FORMAT_TEXT] = "text",
	[FORMAT_IMAGE] = "image",
	[FORMAT_VIDEO] = "video",
	[FORMAT_AUDIO] = "audio",
	[FORMAT_FILE] = "file",
};

const char *
format_name(enum message_format f)
{
	return (unsigned)f < FORMAT_COUNT ? format_names[f] : "text";
}

bool
format_parse(const char *text, size_t len, enum message_format *format_r)
{
	for (unsigned f = 0; f < FORMAT_COUNT; f++) {
		if (strlen(format_names[f]) == len &&
		    memcmp(format_names[f], text, len) == 0) {
			*format_r = (enum message_format)f;
			return true;
		}
	}
	return false;
}
