/*
 * Bodies whole, cut at every place and byte by byte must read alike; malformed
 * ones must be refused alike.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/attr.h"
#include "gateway/multipart.h"

#define TYPE "multipart/form-data; boundary=XX"

struct log {
	char text[4096];
	size_t len;
};

static void
put(struct log *l, const char *data, size_t len)
{
	assert_true(l->len + len < sizeof(l->text));
	memcpy(l->text + l->len, data, len);
	l->len += len;
	l->text[l->len] = '\0';
}

static bool
on_begin(void *arg, const char *name, bool is_file)
{
	put(arg, is_file ? "<f " : "<", is_file ? 3 : 1);
	put(arg, name, strlen(name));
	put(arg, ":", 1);
	return strcmp(name, "refuse") != 0;
}

static bool
on_data(void *arg, const void *data, size_t len)
{
	put(arg, data, len);
	return true;
}

static bool
on_end(void *arg)
{
	put(arg, ">", 1);
	return true;
}

static const struct multipart_handler handler = {
	.begin = on_begin,
	.data = on_data,
	.end = on_end,
};

struct body {
	const char *type;
	const char *body;
	const char *log; /* NULL: refused or never complete */
};

#define PART(name, content) \
	"--XX\r\nContent-Disposition: form-data; name=\"" name \
	"\"\r\n\r\n" content "\r\n"

static const struct body bodies[] = {
	{ TYPE, PART("a", "1") "--XX--\r\n", "<a:1>" },
	{ TYPE, PART("a", "1") PART("b", "") "--XX--", "<a:1><b:>" },
	{ TYPE, "preamble\r\n" PART("a", "1") "--XX--\r\nepilogue", "<a:1>" },
	{ TYPE, PART("a", "\r\n--X\r\n--XY\r\n") "--XX--",
	    "<a:\r\n--X\r\n--XY\r\n>" },
	{ TYPE, PART("a", "\r\r\n\r\n") "--XX--", "<a:\r\r\n\r\n>" },
	{ TYPE, PART("a", "--XX") "--XX--", NULL },
	{ TYPE, PART("a", " --XX") "--XX--", "<a: --XX>" },
	{ TYPE, "--XX \t\r\ncontent-disposition:form-data;name=a\r\n\r\n1\r\n"
	    "--XX--", "<a:1>" },
	{ TYPE, "--XX\r\nContent-Type: text/plain\r\nContent-Disposition: "
	    "form-data; name=\"f\"; filename=\"x.png\"\r\n\r\nDATA\r\n--XX--",
	    "<f f:DATA>" },
	{ TYPE, "--XX\r\nContent-Disposition: form-data; name=\"a\\\"b\"\r\n"
	    "\r\n1\r\n--XX--", "<a\"b:1>" },
	{ "Multipart/Form-Data; charset=x; Boundary=\"X X\"",
	    "--X X\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n"
	    "--X X--", "<a:1>" },
	/* Malformed. */
	{ TYPE, "", NULL },
	{ TYPE, "nothing", NULL },
	{ TYPE, PART("a", "1"), NULL },
	{ TYPE, PART("a", "1") "--XX", NULL },
	{ TYPE, PART("a", "1") "--XX-x", NULL },
	{ TYPE, "--XX\r\n\r\n1\r\n--XX--", NULL },
	{ TYPE, "--XX\r\nContent-Disposition: form-data\r\n\r\n1\r\n--XX--",
	    NULL },
	{ TYPE, PART("refuse", "1") "--XX--", NULL },
};

/* Feeds the body in pieces of `step`, the first of `first` bytes. */
static void
feed(const struct body *b, size_t first, size_t step)
{
	size_t left = strlen(b->body);
	const char *p = b->body;
	struct log l = { .len = 0 };
	struct multipart *mp = multipart_new(b->type, &handler, &l);
	bool good = true;

	assert_non_null(mp);
	while (left > 0 && good) {
		size_t n = p == b->body && first > 0 ? first : step;

		n = n < left ? n : left;
		good = multipart_feed(mp, p, n);
		p += n;
		left -= n;
	}
	assert_int_equal(good && multipart_done(mp), b->log != NULL);
	if (b->log != NULL) {
		assert_string_equal(l.text, b->log);
	}
	multipart_free(&mp);
}

static void
test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		feed(&bodies[i], 0, 10000);
		feed(&bodies[i], 0, 1);
		feed(&bodies[i], 0, 3);
		for (size_t n = 1; n < strlen(bodies[i].body); n++) {
			feed(&bodies[i], n, 10000);
		}
	}
}

static void
test_types(void **state)
{
	static const char *const bad[] = {
		"application/json",
		"multipart/form-data",
		"multipart/form-data; boundary=",
		"multipart/form-data; boundary=\"\"",
		"multipart/form-data; boundary=\"open",
		"multipart/form-data; boundary=0123456789012345678901234567890"
		"1234567890123456789012345678901234567890",
		"multipart/mixed; boundary=XX",
		"",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_null(multipart_new(bad[i], &handler, NULL));
	}
	assert_true(multipart_is("multipart/form-data; boundary=X"));
	assert_false(multipart_is("application/json"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
