/*
 * fields_check: presence, types and bounds by case table, over rules of every
 * kind and flag.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/fields.h"
#include "common/json_in.h"

#define ID "019bd5e4-0f00-7abc-8def-0123456789ab"

#define MARK(seq) "{\"chat_id\":\"" ID "\",\"last_seq\":" seq "}"

static const struct field_rule rules[] = {
	{ "id", FIELD_KIND_UUID, 0, FIELD_REQUIRED },
	{ "opt", FIELD_KIND_UUID, 0, FIELD_NULLABLE },
	{ "plain", FIELD_KIND_TEXT, 3, 0 },
	{ "soft", FIELD_KIND_TEXT, 0, FIELD_SOFT },
	{ "softid", FIELD_KIND_UUID, 0, FIELD_SOFT },
	{ "flag", FIELD_KIND_BOOL, 0, 0 },
	{ "num", FIELD_KIND_INT, 0, FIELD_NULLABLE },
	{ "ids", FIELD_KIND_UUID_LIST, 2, FIELD_NULLABLE },
	{ "marks", FIELD_KIND_MARK_LIST, 2, FIELD_NULLABLE },
	{ "msg", FIELD_KIND_OBJECT, 0, FIELD_NULLABLE },
	{ "msg.text", FIELD_KIND_TEXT, 5, 0 },
	{ "msg.format", FIELD_KIND_FORMAT, 0, 0 },
	{ NULL, 0, 0, 0 },
};

enum { ID_, OPT, PLAIN, SOFT, SOFTID, FLAG, NUM, IDS, MARKS, MSG, MSG_TEXT, MSG_FORMAT };

#define MAX62 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff22"

static const struct {
	const char *json; /* behind the good id */
	enum err err;
	const char *field;
} cases[] = {
	{ "", ERR_OK, NULL },
	{ ",\"unknown\":[1,{}]", ERR_OK, NULL },
	{ ",\"id\":null", ERR_INVALID_FIELD, "id" },
	{ ",\"id\":\"\"", ERR_INVALID_FIELD, "id" },
	{ ",\"id\":\"" ID " \"", ERR_INVALID_FIELD, "id" },
	{ ",\"id\":7", ERR_INVALID_FIELD, "id" },
	{ ",\"id\":[\"" ID "\"]", ERR_INVALID_FIELD, "id" },
	{ ",\"opt\":null", ERR_OK, NULL },
	{ ",\"opt\":\"x\"", ERR_INVALID_FIELD, "opt" },
	{ ",\"plain\":null", ERR_INVALID_FIELD, "plain" },
	{ ",\"plain\":\"\"", ERR_OK, NULL },
	{ ",\"plain\":\"abc\"", ERR_OK, NULL },
	{ ",\"plain\":\"abcd\"", ERR_INVALID_FIELD, "plain" },
	{ ",\"plain\":\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\"",
	    ERR_OK, NULL },
	{ ",\"plain\":\"\\ud83d\\ude00\\ud83d\\ude00\\ud83d\\ude00\"", ERR_OK,
	    NULL },
	{ ",\"plain\":\"a\\u0000\"", ERR_INVALID_FIELD, "plain" },
	{ ",\"plain\":1", ERR_INVALID_FIELD, "plain" },
	{ ",\"plain\":true", ERR_INVALID_FIELD, "plain" },
	{ ",\"soft\":null", ERR_OK, NULL },
	{ ",\"soft\":\"  \"", ERR_OK, NULL },
	{ ",\"soft\":1", ERR_INVALID_FIELD, "soft" },
	{ ",\"soft\":\"\\u0000\"", ERR_INVALID_FIELD, "soft" },
	{ ",\"softid\":null", ERR_OK, NULL },
	{ ",\"softid\":\" \\u3000\"", ERR_OK, NULL },
	{ ",\"softid\":\"" ID "\"", ERR_OK, NULL },
	{ ",\"softid\":\"x\"", ERR_INVALID_FIELD, "softid" },
	{ ",\"softid\":\"\\u0000\"", ERR_INVALID_FIELD, "softid" },
	{ ",\"softid\":0", ERR_INVALID_FIELD, "softid" },
	{ ",\"flag\":true", ERR_OK, NULL },
	{ ",\"flag\":null", ERR_INVALID_FIELD, "flag" },
	{ ",\"flag\":\"true\"", ERR_INVALID_FIELD, "flag" },
	{ ",\"flag\":1", ERR_INVALID_FIELD, "flag" },
	{ ",\"num\":-5", ERR_OK, NULL },
	{ ",\"num\":9223372036854775806", ERR_OK, NULL },
	{ ",\"num\":9223372036854775808", ERR_INVALID_FIELD, "num" },
	{ ",\"num\":99999999999999999999999", ERR_INVALID_FIELD, "num" },
	{ ",\"num\":-99999999999999999999999", ERR_INVALID_FIELD, "num" },
	{ ",\"num\":1.5", ERR_INVALID_FIELD, "num" },
	{ ",\"num\":1e3", ERR_INVALID_FIELD, "num" },
	{ ",\"num\":\"1\"", ERR_INVALID_FIELD, "num" },
	{ ",\"num\":true", ERR_INVALID_FIELD, "num" },
	{ ",\"ids\":[]", ERR_OK, NULL },
	{ ",\"ids\":[\"" ID "\",\"" ID "\"]", ERR_OK, NULL },
	{ ",\"ids\":[\"" ID "\",\"" ID "\",\"" ID "\"]", ERR_TOO_LARGE, "ids" },
	{ ",\"ids\":[\"" ID "\",\"x\"]", ERR_INVALID_FIELD, "ids" },
	{ ",\"ids\":[null]", ERR_INVALID_FIELD, "ids" },
	{ ",\"ids\":\"" ID "\"", ERR_INVALID_FIELD, "ids" },
	{ ",\"ids\":{}", ERR_INVALID_FIELD, "ids" },
	{ ",\"marks\":[]", ERR_OK, NULL },
	{ ",\"marks\":[" MARK("0") "," MARK("7") "]", ERR_OK, NULL },
	{ ",\"marks\":[" MARK("1") "," MARK("2") "," MARK("3") "]",
	    ERR_TOO_LARGE, "marks" },
	{ ",\"marks\":[" MARK("-1") "]", ERR_INVALID_FIELD, "marks" },
	{ ",\"marks\":[" MARK("null") "]", ERR_INVALID_FIELD, "marks" },
	{ ",\"marks\":[" MARK("1.5") "]", ERR_INVALID_FIELD, "marks" },
	{ ",\"marks\":[{\"chat_id\":\"x\",\"last_seq\":1}]",
	    ERR_INVALID_FIELD, "marks" },
	{ ",\"marks\":[{\"chat_id\":\"" ID "\"}]", ERR_INVALID_FIELD,
	    "marks" },
	{ ",\"marks\":[null]", ERR_INVALID_FIELD, "marks" },
	{ ",\"marks\":{}", ERR_INVALID_FIELD, "marks" },
	{ ",\"msg\":{}", ERR_OK, NULL },
	{ ",\"msg\":null", ERR_OK, NULL },
	{ ",\"msg\":[]", ERR_INVALID_FIELD, "msg" },
	{ ",\"msg\":\"{}\"", ERR_INVALID_FIELD, "msg" },
	{ ",\"msg\":{\"text\":\"12345\"}", ERR_OK, NULL },
	{ ",\"msg\":{\"text\":\"123456\"}", ERR_INVALID_FIELD, "msg.text" },
	{ ",\"msg\":{\"text\":null}", ERR_INVALID_FIELD, "msg.text" },
	{ ",\"msg.text\":9", ERR_OK, NULL },
	{ ",\"msg\":{\"format\":null}", ERR_OK, NULL },
	{ ",\"msg\":{\"format\":\"video\"}", ERR_OK, NULL },
	{ ",\"msg\":{\"format\":\"gif\"}", ERR_INVALID_FIELD, "msg.format" },
	{ ",\"msg\":{\"format\":0}", ERR_INVALID_FIELD, "msg.format" },
	{ ",\"request_id\":\"r\"", ERR_OK, NULL },
	{ ",\"request_id\":\"" MAX62 "\xc3\xa9\xc3\xa9\"", ERR_OK, NULL },
	{ ",\"request_id\":\"" MAX62 "333\"", ERR_INVALID_FIELD, "request_id" },
	{ ",\"request_id\":\"\"", ERR_INVALID_FIELD, "request_id" },
	{ ",\"request_id\":null", ERR_INVALID_FIELD, "request_id" },
	{ ",\"request_id\":5", ERR_INVALID_FIELD, "request_id" },
	{ ",\"request_id\":\"\\u0000\"", ERR_INVALID_FIELD, "request_id" },
};

static struct json_object *
parse(const char *json)
{
	struct json_object *obj = json_in_parse(json, strlen(json));

	assert_non_null(obj);
	return obj;
}

static void
test_cases(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *bad = "unset";
		struct json_object *obj;
		struct fields f;
		char json[512];
		enum err err;

		/* A key that comes again wins: json-c keeps the last. */
		snprintf(json, sizeof(json), "{\"id\":\"" ID "\"%s}",
		    cases[i].json);
		obj = parse(json);
		err = fields_check(rules, obj, &f, &bad);
		if (err != cases[i].err) {
			fail_msg("%s: %s", json, err_reason(err));
		}
		if (cases[i].field == NULL) {
			assert_null(bad);
		} else {
			assert_string_equal(bad, cases[i].field);
		}
		fields_fini(&f);
		json_object_put(obj);
	}
}

static void
test_missing(void **state UNUSED)
{
	struct json_object *obj = parse("{}");
	const char *bad;
	struct fields f;

	assert_int_equal(fields_check(rules, obj, &f, &bad),
	    ERR_INVALID_FIELD);
	assert_string_equal(bad, "id");
	fields_fini(&f);
	json_object_put(obj);
}

static void
test_values(void **state UNUSED)
{
	struct json_object *obj = parse("{\"id\":\"019BD5E4-0F00-7ABC-8DEF-"
	    "0123456789AB\",\"plain\":\"h\\u00e9\",\"flag\":false,\"num\":-42,"
	    "\"ids\":[\"" ID "\"],\"soft\":\"\",\"request_id\":\"rq\","
	    "\"msg\":{\"text\":\"hi\",\"format\":\"file\"}}");
	char text[UUID_TEXT_LEN + 1];
	const char *bad;
	struct fields f;

	assert_int_equal(fields_check(rules, obj, &f, &bad), ERR_OK);
	assert_string_equal(uuid_format(&f.v[ID_].uuid, text), ID);
	assert_false(f.v[OPT].present);
	assert_true(f.v[PLAIN].present);
	assert_string_equal(f.v[PLAIN].text, "h\xc3\xa9");
	assert_int_equal(f.v[PLAIN].text_len, 3);
	assert_true(f.v[SOFT].present);
	assert_int_equal(f.v[SOFT].text_len, 0);
	assert_true(f.v[FLAG].present);
	assert_false(f.v[FLAG].truth);
	assert_int_equal(f.v[NUM].number, -42);
	assert_int_equal(f.v[IDS].list_len, 1);
	assert_true(uuid_eq(&f.v[IDS].list[0], &f.v[ID_].uuid));
	assert_true(f.v[MSG].present);
	assert_string_equal(f.v[MSG_TEXT].text, "hi");
	assert_int_equal(f.v[MSG_FORMAT].format, FORMAT_FILE);
	assert_string_equal(f.request_id, "rq");
	fields_fini(&f);
	json_object_put(obj);
}

/* The request id is there for the error, whichever field is bad. */
static void
test_request_id_with_error(void **state UNUSED)
{
	struct json_object *obj = parse("{\"id\":1,\"request_id\":\"rq\"}");
	const char *bad;
	struct fields f;

	assert_int_equal(fields_check(rules, obj, &f, &bad),
	    ERR_INVALID_FIELD);
	assert_string_equal(f.request_id, "rq");
	fields_fini(&f);
	json_object_put(obj);
}

static void
test_absent_format_is_text(void **state UNUSED)
{
	struct json_object *obj = parse("{\"id\":\"" ID "\",\"msg\":{}}");
	const char *bad;
	struct fields f;

	assert_int_equal(fields_check(rules, obj, &f, &bad), ERR_OK);
	assert_false(f.v[MSG_FORMAT].present);
	assert_int_equal(f.v[MSG_FORMAT].format, FORMAT_TEXT);
	fields_fini(&f);
	json_object_put(obj);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_request_id_with_error),
		cmocka_unit_test(test_absent_format_is_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
