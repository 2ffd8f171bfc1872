/*
 * What a client may send, through the scanner, json-c, every row's field rules
 * and the error frame. Beyond not crashing: what the scanner lets through
 * json-c reads; what fields_check lets through keeps its bounds; what we answer is
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
	size_t room = len;

	CHECK(valid || obj == NULL);
	CHECK(!valid || utf8_valid(text, len));
	if (utf8_valid(text, len)) {
		CHECK(utf8_prefix(text, len, utf8_count(text, len)) == len);
		utf8_trim(&text, &room);
		CHECK(room <= len && utf8_valid(text, room));
	}
	if (obj != NULL) {
		try_all_rows(obj);
		json_object_put(obj);
	}
	return 0;
}
