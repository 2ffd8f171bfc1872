/*
 * The contract table at run time, expanded from contract.def: look up a frame's
 * type, its field rules, its lane and route. Constant data; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_CONTRACT_H
#define COMMON_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* MSG_open_chat ... and the kinds of CALL rows: the envelope's `kind`. */
enum msg_kind {
	MSG_NONE = 0,
#define REQUEST(number, name, family, lane, route, limit, flags) \
	MSG_##name = number,
#define HTTP_CALL(number, name, method, path, lane, flags) MSG_##name = number,
#define ADMIN(number, name, lane, flags) MSG_##name = number,
#define CALL(number, name, from, to, lane, flags) CALL_##name = number,
#define FIELD(name, ident, path, kind, max, flags)
#define END(name)
#define EVENT(name)
#include "common/contract.def"
#undef REQUEST
#undef HTTP_CALL
#undef ADMIN
#undef CALL
#undef FIELD
#undef END
#undef EVENT
};

/* Index of each field in its request's rules: FIELD_send_message_content. */
#define REQUEST(number, name, family, lane, route, limit, flags) \
	enum field_##name {
#define HTTP_CALL(number, name, method, path, lane, flags) enum field_##name {
#define ADMIN(number, name, lane, flags) enum field_##name {
#define FIELD(name, ident, path, kind, max, flags) FIELD_##name##_##ident,
#define END(name) FIELD_COUNT_##name };
#define CALL(number, name, from, to, lane, flags)
#define EVENT(name)
#include "common/contract.def"
#undef REQUEST
#undef HTTP_CALL
#undef ADMIN
#undef CALL
#undef FIELD
#undef END
#undef EVENT

/* More fields than any row has. */
#define CONTRACT_FIELDS_MAX 12

enum lane {
	LANE_SEND, /* the hot path: message sends */
	LANE_READ, /* everything else that answers quickly */
	LANE_SLOW, /* password hashing: never shares a batch */
	LANE_OPENING, /* what connecting clients wait for: comes in storms */
	LANE_COUNT,
};

enum route {
	ROUTE_USER,
	ROUTE_CHAT,
};

/* By which of its user's rates a request counts. */
enum limit {
	LIMIT_NONE,
	LIMIT_SENDS,
	LIMIT_READS,
	LIMIT_SEARCHES,
	LIMIT_CHANGES,
	LIMIT_TYPING,
	LIMIT_UPLOADS,      /* HTTP: requests that bring a file */
	LIMIT_UPLOAD_BYTES,
	LIMIT_COUNT,
};

enum row_class {
	ROW_REQUEST,
	ROW_HTTP,
	ROW_CALL,
	ROW_ADMIN,
};

/* Which processes may make a call: a set. */
enum process_bits {
	PROCESS_GATEWAY = 1,
	PROCESS_CHATD = 2,
	PROCESS_PRESENCED = 4,
	PROCESS_SERVICES = 7,
	PROCESS_PARLEYCTL = 8, /* an operator's tool */
	PROCESS_ANY = 15,
};

enum row_flags {
	ROW_IDEMPOTENT = 1,
	ROW_FRAMES = 2,
};

enum field_kind {
	FIELD_KIND_UUID,
	FIELD_KIND_TEXT,
	FIELD_KIND_BOOL,
	FIELD_KIND_INT,
	FIELD_KIND_UUID_LIST,
	FIELD_KIND_MARK_LIST, /* [{"chat_id":uuid,"last_seq":integer}] */
	FIELD_KIND_OBJECT,
	FIELD_KIND_FORMAT, /* text | image | video | audio | file */
};

enum field_flags {
	FIELD_REQUIRED = 1,
	FIELD_NULLABLE = 2,
	FIELD_SOFT = 4,
};

struct field_rule {
	const char *path;  /* "chat_id" or "msg.content"; NULL ends the rules */
	enum field_kind kind;
	unsigned max;
	unsigned flags;
};

struct contract_row {
	enum msg_kind kind;
	enum row_class class;
	const char *name;
	enum lane lane;
	enum route route;
	unsigned flags;
	unsigned from;                   /* PROCESS_ bits of the callers */
	const struct field_rule *fields; /* up to path NULL; NULL for calls */
};

enum message_format {
	FORMAT_TEXT,
	FORMAT_IMAGE,
	FORMAT_VIDEO,
	FORMAT_AUDIO,
	FORMAT_FILE,
	FORMAT_COUNT,
};

/* The row of a client's `type`; NULL when there is none. */
const struct contract_row *contract_request(const char *type, size_t len);
/* The row of an envelope kind; NULL when there is none. */
const struct contract_row *contract_row(unsigned kind);
/* Of a REQUEST; LIMIT_NONE for all others. */
enum limit contract_limit(enum msg_kind kind);
/* Row i of all rows, in table order; NULL past the end. */
const struct contract_row *contract_row_at(size_t i);

const char *format_name(enum message_format f);
MUST_CHECK bool format_parse(const char *text, size_t len,
    enum message_format *format_r);

#endif
