/*
 * What a client may send, through the gateway's look at it, the scanner, json-c,
 * every row's field rules and the error frame. Beyond not crashing: what the
 * scanner lets through json-c reads, and printed it reads the same; our check of
 * UTF-8 agrees with one that decodes and encodes again; no text is altered by our
 * printer; what fields_check lets through keeps its bounds; what we answer is
 * valid JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz/fuzz.h"

#include <json-c/json.h>
#include <string.h>

#include "common/buf.h"
#include "common/contract.h"
#include "common/error_frame.h"
#include "common/fields.h"
#include "common/json_in.h"
#include "common/json_out.h"
#include "gateway/request.h"

/* ---- a second opinion on UTF-8 ------------------------------------------- */

/* Takes any lead byte with its continuations at its word; 0: none there. */
static size_t
decode_loosely(const uint8_t *p, size_t left, uint32_t *point_r)
{
	size_t n = p[0] < 0x80 ? 1 : (p[0] & 0xe0) == 0xc0 ? 2
	    : (p[0] & 0xf0) == 0xe0 ? 3 : (p[0] & 0xf8) == 0xf0 ? 4 : 0;
	uint32_t v = n == 1 ? p[0] : p[0] & (0x7fu >> n);

	if (n == 0 || n > left) {
		return 0;
	}
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			return 0;
		}
		v = v << 6 | (p[i] & 0x3f);
	}
	*point_r = v;
	return n;
}

/* Bytes that the point takes in its only valid writing; 0: it has none. */
static size_t
encoded_len(uint32_t v)
{
	if (v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff)) {
		return 0;
	}
	return v < 0x80 ? 1 : v < 0x800 ? 2 : v < 0x10000 ? 3 : 4;
}

/* Code points of the text; SIZE_MAX: no valid UTF-8. */
static size_t
second_count(const uint8_t *p, size_t len)
{
	size_t points = 0;

	for (size_t at = 0; at < len; points++) {
		uint32_t v = 0;
		size_t n = decode_loosely(p + at, len - at, &v);

		if (n == 0 || n != encoded_len(v)) {
			return SIZE_MAX;
		}
		at += n;
	}
	return points;
}

static void
check_utf8(const char *text, size_t len)
{
	size_t points = second_count((const uint8_t *)text, len);
	bool valid = utf8_valid(text, len);
	size_t room = len;

	CHECK(valid == (points != SIZE_MAX));
	if (!valid) {
		return;
	}
	CHECK(utf8_count(text, len) == points);
	CHECK(utf8_prefix(text, len, points) == len);
	CHECK(utf8_valid(text, utf8_prefix(text, len, points / 2)));
	utf8_trim(&text, &room);
	CHECK(room <= len && utf8_valid(text, room));
	CHECK((room == 0) == utf8_blank(text, room));
}

/* ---- there and back ------------------------------------------------------ */

/* What our printer makes of a text, read by the parser, is the text. */
static void
check_printer(const char *text, size_t len)
{
	struct json_object *obj, *v = NULL;
	struct buf b = BUF_INIT;
	struct json_out j;

	if (!utf8_valid(text, len)) {
		return;
	}
	json_out_init(&j, &b);
	json_obj(&j);
	json_key_strn(&j, "text", text, len);
	json_obj_end(&j);
	obj = json_in_parse((char *)b.data, b.len);
	CHECK(obj != NULL && json_object_object_get_ex(obj, "text", &v));
	CHECK((size_t)json_object_get_string_len(v) == len);
	CHECK(memcmp(json_object_get_string(v), text, len) == 0);
	json_object_put(obj);
	buf_fini(&b);
}

static void
check_again(struct json_object *obj)
{
	const char *text = json_object_to_json_string_ext(obj,
	    JSON_C_TO_STRING_PLAIN);
	struct json_object *again = json_in_parse(text, strlen(text));

	CHECK(again != NULL);
	CHECK(json_object_equal(obj, again));
	json_object_put(again);
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* What is picked from the text is what the whole parser finds there. */
static void
check_same(const struct request *r, enum err err, const char *text, size_t len)
{
	struct request whole;

	CHECK(request_parse_whole(text, len, &whole) == err);
	CHECK(whole.row == r->row);
	CHECK(same_text(whole.type, r->type));
	CHECK(same_text(whole.request_id, r->request_id));
	CHECK(uuid_eq(&whole.chat, &r->chat));
	CHECK(uuid_eq(&whole.front_msg_id, &r->front_msg_id));
	request_fini(&whole);
}

static void
check_request(const char *text, size_t len, bool is_object)
{
	struct request r;
	enum err err = request_parse(text, len, &r);

	CHECK((err == ERR_INVALID_JSON) == !is_object);
	CHECK((err == ERR_OK) == (r.row != NULL));
	CHECK(r.row == NULL || strcmp(r.row->name, r.type) == 0);
	CHECK(r.request_id == NULL ||
	    utf8_count(r.request_id, strlen(r.request_id)) <= 64);
	check_same(&r, err, text, len);
	request_fini(&r);
}

/* ---- the rows ------------------------------------------------------------ */

static void
check_values(const struct field_rule *rules, const struct fields *f)
{
	for (size_t i = 0; rules[i].path != NULL; i++) {
		const struct field_value *v = &f->v[i];

		if (!v->present) {
			CHECK((rules[i].flags & FIELD_REQUIRED) == 0);
			continue;
		}
		if (rules[i].kind == FIELD_KIND_TEXT) {
			CHECK(utf8_valid(v->text, v->text_len));
			CHECK(strlen(v->text) == v->text_len);
			CHECK(rules[i].max == 0 ||
			    utf8_count(v->text, v->text_len) <= rules[i].max);
		}
		CHECK(rules[i].kind != FIELD_KIND_UUID_LIST ||
		    rules[i].max == 0 || v->list_len <= rules[i].max);
	}
}

static void
check_answer(const struct contract_row *row, const struct fields *f,
    enum err err, const char *bad)
{
	struct error_frame e = { .request = row->name, .reason = err,
		.field = bad, .request_id = f->request_id };
	struct buf b = BUF_INIT;
	struct json_out j;

	CHECK(bad != NULL);
	error_frame_put(&b, &e);
	CHECK(json_in_valid((char *)b.data, b.len));
	buf_reset(&b);
	json_out_init(&j, &b);
	json_str(&j, f->request_id);
	CHECK(json_in_valid((char *)b.data, b.len));
	buf_fini(&b);
}

static void
try_all_rows(struct json_object *obj)
{
	const struct contract_row *row;

	for (size_t i = 0; (row = contract_row_at(i)) != NULL; i++) {
		const char *bad;
		struct fields f;
		enum err err;

		if (row->fields == NULL) {
			continue;
		}
		err = fields_check(row->fields, obj, &f, &bad);
		if (err == ERR_OK) {
			CHECK(bad == NULL);
			check_values(row->fields, &f);
		} else {
			check_answer(row, &f, err, bad);
		}
		fields_fini(&f);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *text = (const char *)data;
	bool valid = json_in_valid(text, len);
	struct json_object *obj = json_in_parse(text, len);

	CHECK(valid || obj == NULL);
	CHECK(!valid || utf8_valid(text, len));
	check_utf8(text, len);
	check_printer(text, len);
	check_request(text, len, obj != NULL);
	if (obj != NULL) {
		check_again(obj);
		try_all_rows(obj);
		json_object_put(obj);
	}
	return 0;
}
