/*
 * json_out and the error frames: commas, escapes, order of keys. What is
 * printed must be valid and mean the same when it is read back.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/error_frame.h"
#include "common/json_in.h"
#include "common/json_out.h"

static void
expect(struct buf *b, const char *text)
{
	assert_true(json_in_valid((char *)b->data, b->len));
	buf_put_u8(b, '\0');
	assert_string_equal((char *)b->data, text);
	buf_reset(b);
}

static void
test_structure(void **state UNUSED)
{
	struct buf b = BUF_INIT;
	struct json_out j;
	struct uuid id;

	assert_true(uuid_parse("019bd5e4-0f00-7abc-8def-0123456789ab",
	    UUID_TEXT_LEN, &id));
	json_out_init(&j, &b);
	json_obj(&j);
	json_key_str(&j, "type", "x");
	json_key_str(&j, "nothing", NULL);
	json_key_strn(&j, "cut", "abc", 2);
	json_key_int(&j, "min", INT64_MIN);
	json_key_int(&j, "max", INT64_MAX);
	json_key_int(&j, "zero", 0);
	json_key_bool(&j, "yes", true);
	json_key_bool(&j, "no", false);
	json_key_null(&j, "null");
	json_key_uuid(&j, "id", &id);
	json_key_uuid(&j, "no_id", NULL);
	json_key_time(&j, "time", INT64_C(1770504900123));
	json_key_time(&j, "never", -1);
	json_key_arr(&j, "list");
	json_int(&j, 1);
	json_obj(&j);
	json_obj_end(&j);
	json_arr(&j);
	json_arr_end(&j);
	json_uuid(&j, &id);
	json_raw(&j, "[7]", 3);
	json_time(&j, 0);
	json_arr_end(&j);
	json_key_obj(&j, "empty");
	json_obj_end(&j);
	json_key_int(&j, "end", -1);
	json_obj_end(&j);
	expect(&b, "{\"type\":\"x\",\"nothing\":null,\"cut\":\"ab\","
	    "\"min\":-9223372036854775808,\"max\":9223372036854775807,"
	    "\"zero\":0,\"yes\":true,\"no\":false,\"null\":null,"
	    "\"id\":\"019bd5e4-0f00-7abc-8def-0123456789ab\",\"no_id\":null,"
	    "\"time\":\"2026-02-07T22:55:00.123Z\",\"never\":null,"
	    "\"list\":[1,{},[],\"019bd5e4-0f00-7abc-8def-0123456789ab\",[7],"
	    "\"1970-01-01T00:00:00.000Z\"],\"empty\":{},\"end\":-1}");
	buf_fini(&b);
}

static void
test_escapes(void **state UNUSED)
{
	struct buf b = BUF_INIT;
	struct json_out j;

	json_out_init(&j, &b);
	json_str(&j, "a\"b\\c/\b\f\n\r\t\x01\x1f\x7f\xc3\xa9\xe2\x80\xa8");
	expect(&b, "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xc3\xa9"
	    "\xe2\x80\xa8\"");
	json_out_init(&j, &b);
	json_str(&j, "");
	expect(&b, "\"\"");
	json_out_init(&j, &b);
	json_strn(&j, "\0\0", 2);
	expect(&b, "\"\\u0000\\u0000\"");
	buf_fini(&b);
}

/* All bytes of ASCII in texts of all small lengths, through json-c and back. */
static void
test_read_back(void **state UNUSED)
{
	struct buf b = BUF_INIT;

	for (size_t len = 0; len < 400; len++) {
		struct json_object *obj, *value;
		struct json_out j;
		char text[400];

		for (size_t i = 0; i < len; i++) {
			text[i] = (char)((i * 7 + len) % 128);
		}
		buf_reset(&b);
		json_out_init(&j, &b);
		json_obj(&j);
		json_key_strn(&j, "t", text, len);
		json_obj_end(&j);
		obj = json_in_parse((char *)b.data, b.len);
		assert_non_null(obj);
		assert_true(json_object_object_get_ex(obj, "t", &value));
		assert_int_equal(json_object_get_string_len(value), len);
		assert_memory_equal(json_object_get_string(value), text, len);
		json_object_put(obj);
	}
	buf_fini(&b);
}

static void
test_error_frames(void **state UNUSED)
{
	struct error_frame e = { .reason = ERR_INVALID_JSON };
	struct buf b = BUF_INIT;
	const struct uuid nil = { { 0 } }, id = { { [15] = 1 } };

	error_frame_put(&b, &e);
	expect(&b, "{\"type\":\"error\",\"request\":null,\"reason\":"
	    "\"invalid_json\",\"field\":null,\"chat_id\":null,"
	    "\"front_msg_id\":null}");
	/* A client's nil id is none, too. */
	e.chat_id = &nil;
	e.front_msg_id = &nil;
	error_frame_put(&b, &e);
	expect(&b, "{\"type\":\"error\",\"request\":null,\"reason\":"
	    "\"invalid_json\",\"field\":null,\"chat_id\":null,"
	    "\"front_msg_id\":null}");
	e.request = "send_message";
	e.reason = ERR_RATE_LIMITED;
	e.field = "msg.content";
	e.chat_id = &id;
	e.front_msg_id = &id;
	e.request_id = "r\"1";
	e.retry_after_ms = 1500;
	error_frame_put(&b, &e);
	expect(&b, "{\"type\":\"error\",\"request\":\"send_message\","
	    "\"reason\":\"rate_limited\",\"field\":\"msg.content\","
	    "\"chat_id\":\"00000000-0000-0000-0000-000000000001\","
	    "\"front_msg_id\":\"00000000-0000-0000-0000-000000000001\","
	    "\"request_id\":\"r\\\"1\",\"retry_after_ms\":1500}");
	/* Words between our processes never reach a client. */
	e = (struct error_frame){ .reason = ERR_OVERLOADED };
	error_frame_put(&b, &e);
	expect(&b, "{\"type\":\"error\",\"request\":null,\"reason\":"
	    "\"unavailable\",\"field\":null,\"chat_id\":null,"
	    "\"front_msg_id\":null}");
	buf_fini(&b);
}

static void
test_chat_forbidden(void **state UNUSED)
{
	struct buf b = BUF_INIT;
	struct uuid id = { { 0 } };

	chat_forbidden_put(&b, &id, NULL, NULL);
	expect(&b, "{\"type\":\"chat_forbidden\",\"chat_id\":"
	    "\"00000000-0000-0000-0000-000000000000\"}");
	chat_forbidden_put(&b, &id, &id, "q");
	expect(&b, "{\"type\":\"chat_forbidden\",\"chat_id\":"
	    "\"00000000-0000-0000-0000-000000000000\",\"front_msg_id\":"
	    "\"00000000-0000-0000-0000-000000000000\",\"request_id\":\"q\"}");
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_read_back),
		cmocka_unit_test(test_error_frames),
		cmocka_unit_test(test_chat_forbidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
