/*
 * json_in: exactly RFC 8259's grammar, and Unicode text.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/json_in.h"

static const char *const good[] = {
	"{}", "[]", "0", "-0", "\"\"", "true", "false", "null", " {} ",
	"\t\r\n[ ]\n", "12", "-12.5e+10", "0.0", "1E5", "1e-0", "0e0",
	"{\"a\":1}", "{\"a\":1,\"a\":2}", "{\"\":{}}",
	" { \"a\" : [ 1 , { \"b\" : null } , \"x\" ] , \"c\" : false } ",
	"[[],[[]],{}]", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uABcd\"",
	"\"\\ud83d\\ude00\"", "\"\\uD83D\\uDE00\"", "\"\\u0000\"",
	"\"\x7f\"", "\"\xc2\x80\"", "\"\xf0\x9f\x98\x80\"",
	"\"\xf4\x8f\xbf\xbf\"", "\"\xed\x9f\xbf\"", "\"\xee\x80\x80\"",
	"\"\xe2\x80\xa8\"", "1e400", "123456789012345678901234567890",
	"[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]",
};

static const char *const bad[] = {
	"", " ", "{", "}", "[", "]", "{]", "[}", "{}{}", "{} x", "1 2",
	"{\"a\"}", "{\"a\":}", "{a:1}", "{'a':1}", "{\"a\":1,}", "[1,]",
	"[,1]", "[1 2]", "{\"a\":1 \"b\":2}", "{,}", "{\"a\":1,,\"b\":2}",
	"{1:2}", "{\"a\" 1}", "{\"a\"::1}", "[1,,2]",
	"01", "-01", "00", "+1", ".5", "1.", "1.e5", "1e", "1e+", "-", "--1",
	"0x10", "1_000", "NaN", "Infinity", "-Infinity", "nul", "nulll",
	"True", "TRUE", "tru", "undefined", "// c\n{}", "{}/* c */",
	"\"", "\"a", "\"\\\"", "\"\\x41\"", "\"\\u12\"", "\"\\u12g4\"",
	"\"\\u\"", "\"\\\"", "'a'", "\"\n\"", "\"\t\"", "\"\x01\"",
	"\"\x1f\"", "\"\\a\"", "\"\\ud800\"", "\"\\udc00\"",
	"\"\\ud800\\u0041\"", "\"\\ud800x\"", "\"\\ud800\\n\"",
	"\"\\ud83d\\ud83d\"", "\"\\ude00\\ud83d\"",
	"\"\x80\"", "\"\xbf\"", "\"\xc0\x80\"", "\"\xc1\xbf\"",
	"\"\xe0\x80\x80\"", "\"\xe0\x9f\xbf\"", "\"\xed\xa0\x80\"",
	"\"\xed\xbf\xbf\"", "\"\xf0\x80\x80\x80\"", "\"\xf4\x90\x80\x80\"",
	"\"\xf5\x80\x80\x80\"", "\"\xff\"", "\"\xc3\"", "\"\xe2\x82\"",
	"\"\xf0\x9f\x98\"", "\"\xc3(\"", "\xef\xbb\xbf{}", "\x0c{}", "\x0b{}",
	"\xc2\xa0{}", "{\"\xff\":1}",
	"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]",
};

/* A copy without room behind it: a sanitizer sees reads past the end. */
static char *
exact(const char *text, size_t len)
{
	char *copy = malloc(len > 0 ? len : 1);

	memcpy(copy, text, len);
	return copy;
}

static void
test_grammar(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		size_t len = strlen(good[i]);
		char *text = exact(good[i], len);

		if (!json_in_valid(text, len)) {
			fail_msg("refused: %s", good[i]);
		}
		free(text);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		size_t len = strlen(bad[i]);
		char *text = exact(bad[i], len);

		if (json_in_valid(text, len)) {
			fail_msg("accepted: %s", bad[i]);
		}
		assert_null(json_in_parse(text, len));
		free(text);
	}
	assert_false(json_in_valid("{}\0", 3));
	assert_false(json_in_valid("\"a\0b\"", 5));
}

/* Each strict prefix of an object is refused, whatever it ends in. */
static void
test_prefixes(void **state UNUSED)
{
	static const char text[] = "{\"type\":\"send_message\",\"msg\":{\"n\":"
	    "[-1.5e3,true,null,\"\\ud83d\\ude00 \xf0\x9f\x98\x80\"]}}";

	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		char *copy = exact(text, len);

		assert_false(json_in_valid(copy, len));
		free(copy);
	}
	assert_true(json_in_valid(text, sizeof(text) - 1));
}

static struct json_object *
parse(const char *text)
{
	return json_in_parse(text, strlen(text));
}

static void
test_parse(void **state UNUSED)
{
	struct json_object *obj, *value;

	assert_null(parse("[]"));
	assert_null(parse("null"));
	assert_null(parse("\"x\""));
	assert_null(parse("1"));
	/* Would be the key "type" to json-c. */
	assert_null(parse("{\"type\\u0000x\":1}"));

	obj = parse("  {\"a\":\"x\\u0000y\",\"b\":1,\"b\":2}\n ");
	assert_non_null(obj);
	assert_true(json_object_object_get_ex(obj, "a", &value));
	assert_int_equal(json_object_get_string_len(value), 3);
	assert_true(json_object_object_get_ex(obj, "b", &value));
	assert_int_equal(json_object_get_int(value), 2);
	json_object_put(obj);

	/* As deep as the scanner lets through, json-c goes too. */
	obj = parse("{\"a\":[[[[[[[[[[[[[[{}]]]]]]]]]]]]]]}");
	assert_non_null(obj);
	json_object_put(obj);
}

static void
test_long_string(void **state UNUSED)
{
	size_t len = 60000;
	char *text = malloc(len);
	struct json_object *obj, *value;

	memset(text, 'a', len);
	memcpy(text, "{\"s\":\"", 6);
	memcpy(text + len - 2, "\"}", 2);
	obj = json_in_parse(text, len);
	assert_non_null(obj);
	assert_true(json_object_object_get_ex(obj, "s", &value));
	assert_int_equal(json_object_get_string_len(value), len - 8);
	json_object_put(obj);
	memset(text, '[', len);
	assert_false(json_in_valid(text, len));
	free(text);
}

static void
test_utf8(void **state UNUSED)
{
	static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
	size_t len = sizeof(text) - 1;

	assert_true(utf8_valid(text, len));
	assert_true(utf8_valid("", 0));
	assert_false(utf8_valid("a\xc3", 2));
	assert_int_equal(utf8_count(text, len), 5);
	assert_int_equal(utf8_count("", 0), 0);
	assert_int_equal(utf8_prefix(text, len, 0), 0);
	assert_int_equal(utf8_prefix(text, len, 1), 1);
	assert_int_equal(utf8_prefix(text, len, 2), 3);
	assert_int_equal(utf8_prefix(text, len, 3), 6);
	assert_int_equal(utf8_prefix(text, len, 4), 10);
	assert_int_equal(utf8_prefix(text, len, 5), 11);
	assert_int_equal(utf8_prefix(text, len, 500), 11);
}

static const struct {
	const char *text;
	const char *trimmed;
} trim_cases[] = {
	{ "", "" },
	{ "a", "a" },
	{ "  a b ", "a b" },
	{ "\t\n\x0b\x0c\r ", "" },
	{ "\xc2\xa0x\xc2\xa0", "x" },
	{ "\xc2\x85\xe1\x9a\x80\xe2\x80\x80\xe2\x80\x8ax", "x" },
	{ "x\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaf\xe2\x81\x9f\xe3\x80\x80",
	    "x" },
	/* No white space: zero width space, byte order mark, Mongolian vowel
	 * separator. */
	{ "\xe2\x80\x8b", "\xe2\x80\x8b" },
	{ "\xef\xbb\xbf", "\xef\xbb\xbf" },
	{ "\xe1\xa0\x8e", "\xe1\xa0\x8e" },
	{ " \xf0\x9f\x98\x80 ", "\xf0\x9f\x98\x80" },
	{ "\xc3\xa0", "\xc3\xa0" },
};

static void
test_trim(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(trim_cases); i++) {
		const char *want = trim_cases[i].trimmed;
		const char *text = trim_cases[i].text;
		size_t len = strlen(text);

		assert_int_equal(utf8_blank(text, len), *want == '\0');
		utf8_trim(&text, &len);
		assert_int_equal(len, strlen(want));
		assert_memory_equal(text, want, len);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grammar),
		cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_long_string),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_trim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
