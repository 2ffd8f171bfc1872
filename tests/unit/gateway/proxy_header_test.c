/*
 * proxy_header: whole, in pieces, and wrong. Every case is fed byte by byte as
 * the reader asks for them: it must never ask beyond the header's end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/attr.h"
#include "gateway/proxy_header.h"

#define SIG "\r\n\r\n\0\r\nQUIT\n"

/* Gives what is asked for, at most `step` bytes at a time. */
static enum proxy_result
feed(const char *data, size_t len, size_t step, size_t *used_r,
    struct address *client_r)
{
	char given[2048];
	size_t used = 0, need;
	enum proxy_result result;

	while ((result = proxy_header_read(given, used, &need, client_r)) ==
	    PROXY_MORE) {
		assert_true(need > 0);
		need = need < step ? need : step;
		if (used + need > len) {
			break;
		}
		memcpy(given + used, data + used, need);
		used += need;
	}
	*used_r = used;
	return result;
}

static const struct {
	const char *data;
	size_t len;
	enum proxy_result result;
	const char *client;
} cases[] = {
#define CASE(text, result, client) { text, sizeof(text) - 1, result, client }
	CASE("PROXY TCP4 198.51.100.1 192.0.2.1 56324 443\r\n", PROXY_CLIENT,
	    "198.51.100.1"),
	CASE("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
	    PROXY_CLIENT, "255.255.255.255"),
	CASE("PROXY TCP6 2001:db8::1 ::1 1 0\r\n", PROXY_CLIENT,
	    "2001:db8::1"),
	CASE("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
	    PROXY_CLIENT, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
	CASE("PROXY UNKNOWN\r\n", PROXY_SELF, NULL),
	CASE("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n", PROXY_SELF, NULL),
	CASE("PROXY TCP4 198.51.100.1 192.0.2.1 56324\r\n", PROXY_BAD, NULL),
	CASE("PROXY TCP4 198.51.100.1 192.0.2.1 1 2 3\r\n", PROXY_BAD, NULL),
	CASE("PROXY TCP4  198.51.100.1 192.0.2.1 1 2\r\n", PROXY_BAD, NULL),
	CASE("PROXY TCP4 198.51.100.1 192.0.2.1 1 70000\r\n", PROXY_BAD, NULL),
	CASE("PROXY TCP4 198.51.100.1 192.0.2.1 1 02\r\n", PROXY_BAD, NULL),
	CASE("PROXY TCP4 2001:db8::1 ::1 1 2\r\n", PROXY_BAD, NULL),
	CASE("PROXY TCP6 198.51.100.1 192.0.2.1 1 2\r\n", PROXY_BAD, NULL),
	CASE("PROXY TCP4 198.51.100.1 192.0.2.1 1 2\n", PROXY_BAD, NULL),
	CASE("PROXY TCP5 198.51.100.1 192.0.2.1 1 2\r\n", PROXY_BAD, NULL),
	CASE("PROXY UDP4 198.51.100.1 192.0.2.1 1 2\r\n", PROXY_BAD, NULL),
	CASE("PROXY TCP4 localhost 192.0.2.1 1 2\r\n", PROXY_BAD, NULL),
	CASE("PROXY \r\nGET / HTTP/1.1\r\n", PROXY_BAD, NULL),
	CASE("GET /ws HTTP/1.1\r\n", PROXY_BAD, NULL),
	CASE("PROXYTCP4 198.51.100.1 192.0.2.1 1 2\r\n", PROXY_BAD, NULL),
	CASE("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello", PROXY_BAD, NULL),
	CASE(SIG "\x21\x11\x00\x0c" "\xc6\x33\x64\x01\xc0\x00\x02\x01\x1f\x90"
	    "\x01\xbb", PROXY_CLIENT, "198.51.100.1"),
	CASE(SIG "\x21\x11\x00\x10" "\xc6\x33\x64\x01\xc0\x00\x02\x01\x1f\x90"
	    "\x01\xbb" "\x04\x00\x01X", PROXY_CLIENT, "198.51.100.1"),
	CASE(SIG "\x21\x21\x00\x24" "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
	    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01" "\0\x01\0\x02", PROXY_CLIENT,
	    "2001:db8::1"),
	CASE(SIG "\x20\x00\x00\x00", PROXY_SELF, NULL),
	CASE(SIG "\x20\x11\x00\x02xx", PROXY_SELF, NULL),
	CASE(SIG "\x21\x00\x00\x00", PROXY_SELF, NULL),
	CASE(SIG "\x21\x31\x00\x02xx", PROXY_SELF, NULL),
	CASE(SIG "\x21\x11\x00\x0b" "12345678901", PROXY_BAD, NULL),
	CASE(SIG "\x21\x21\x00\x0c" "123456789012", PROXY_BAD, NULL),
	CASE(SIG "\x11\x11\x00\x0c" "123456789012", PROXY_BAD, NULL),
	CASE(SIG "\x22\x11\x00\x0c" "123456789012", PROXY_BAD, NULL),
	CASE(SIG "\x21\x11\xff\xff", PROXY_BAD, NULL),
};

static void
test_cases(void **state)
{
	char text[ADDRESS_TEXT_LEN + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		for (size_t step = 1; step < 400; step += 7) {
			struct address client;
			size_t used;
			enum proxy_result result = feed(cases[i].data,
			    cases[i].len, step, &used, &client);

			if (result != cases[i].result) {
				fail_msg("case %zu, step %zu: %d", i, step,
				    result);
			}
			if (result != PROXY_BAD) {
				assert_int_equal(used, cases[i].len);
			}
			if (result == PROXY_CLIENT) {
				assert_string_equal(address_format(&client,
				    text), cases[i].client);
			}
		}
	}
}

/* Nothing behind the header is ever asked for. */
static void
test_what_follows_stays(void **state)
{
	char data[512];
	size_t used;
	struct address client;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (cases[i].result == PROXY_BAD) {
			continue;
		}
		memcpy(data, cases[i].data, cases[i].len);
		memset(data + cases[i].len, '\n', 64);
		assert_int_equal(feed(data, cases[i].len + 64, 1024, &used,
		    &client), cases[i].result);
		assert_int_equal(used, cases[i].len);
	}
}

static void
test_endless_line(void **state)
{
	char data[200];
	size_t used;
	struct address client;

	(void)state;
	memset(data, '1', sizeof(data));
	memcpy(data, "PROXY TCP4 ", 11);
	assert_int_equal(feed(data, sizeof(data), 1024, &used, &client),
	    PROXY_BAD);
	assert_int_equal(used, 107);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_what_follows_stays),
		cmocka_unit_test(test_endless_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
