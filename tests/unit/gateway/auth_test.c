/*
 * Where a token may stand in a handshake, and what it becomes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/auth.h"

struct finds {
	const char *header;
	const char *token; /* NULL: none */
};

static void
check(const char *got, size_t len, const char *want)
{
	if (want == NULL) {
		assert_null(got);
		return;
	}
	assert_non_null(got);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(got, want, len);
}

static void
test_bearer(void **state)
{
	static const struct finds cases[] = {
		{ "Bearer abc", "abc" },
		{ "bearer abc", "abc" },
		{ "BEARER   abc  ", "abc" },
		{ "Bearer abc def", "abc" },
		{ "Bearer", NULL },
		{ "Bearer ", NULL },
		{ "Bearerabc", NULL },
		{ "Basic abc", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len;
		const char *got = auth_bearer(cases[i].header, &len);

		check(got, len, cases[i].token);
	}
}

static void
test_cookie(void **state)
{
	static const struct finds cases[] = {
		{ "token=abc", "abc" },
		{ "a=b; token=abc", "abc" },
		{ "a=b;token=abc;c=d", "abc" },
		{ "token=\"abc\"", "abc" },
		{ "token=; token=x", "x" },
		{ "mytoken=abc", NULL },
		{ "a=token=abc", NULL },
		{ "Token=abc", NULL },
		{ "token=", NULL },
		{ "token=\"\"", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		size_t len;
		const char *got = auth_cookie(cases[i].header, &len);

		check(got, len, cases[i].token);
	}
}

static void
test_origin(void **state)
{
	static const char list[] = "https://a.example, https://b.example/";

	(void)state;
	assert_true(auth_origin_allowed("http://h:1", "h:1", NULL));
	assert_true(auth_origin_allowed("https://H", "h", ""));
	assert_false(auth_origin_allowed("http://h:2", "h:1", NULL));
	assert_false(auth_origin_allowed("http://h", "", ""));
	assert_false(auth_origin_allowed("null", "null", ""));
	assert_true(auth_origin_allowed("https://a.example", "h", list));
	assert_true(auth_origin_allowed("https://b.example", "h", list));
	assert_false(auth_origin_allowed("https://a.example.org", "h", list));
	assert_false(auth_origin_allowed("https://a", "h", list));
	assert_false(auth_origin_allowed("", "h", list));
}

static void
test_hash(void **state)
{
	/* SHA-256 of "abc" (FIPS 180-2). */
	static const uint8_t want[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01,
		0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
		0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10,
		0xff, 0x61, 0xf2, 0x00, 0x15, 0xad };
	struct token_hash hash;
	struct uuid route;

	(void)state;
	auth_hash("abc", 3, &hash);
	assert_memory_equal(hash.b, want, sizeof(want));
	route = auth_hash_route(&hash);
	assert_memory_equal(route.b, want, sizeof(route.b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bearer),
		cmocka_unit_test(test_cookie),
		cmocka_unit_test(test_origin),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
