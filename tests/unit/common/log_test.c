/*
 * log: the form of a line, what is escaped, where it is cut, reopening.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/clock.h"
#include "common/log.h"

static char dir[] = "/tmp/parley-log-XXXXXX";
static char path[64], moved[64];

/* The whole file as a string. */
static const char *
content(const char *file)
{
	static char text[65536];
	FILE *f = fopen(file, "r");
	size_t len;

	assert_non_null(f);
	len = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[len] = '\0';
	return text;
}

static int
setup(void **state UNUSED)
{
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/log", dir);
	snprintf(moved, sizeof(moved), "%s/log.1", dir);
	clock_freeze(0, INT64_C(1770504900123));
	return 0;
}

static int
teardown(void **state UNUSED)
{
	log_fini();
	unlink(path);
	unlink(moved);
	rmdir(dir);
	return 0;
}

static const struct {
	const char *in;
	const char *out;
} escapes[] = {
	{ "plain text", "plain text" },
	{ "a\nb\r\tc", "a\\x0ab\\x0d\\x09c" },
	{ "\x1b[31m\x7f", "\\x1b[31m\\x7f" },
	{ "back\\slash", "back\\x5cslash" },
	{ "\xc3\xa9 \xe2\x80\xa6 \xf0\x9f\x98\x80",
	    "\xc3\xa9 \xe2\x80\xa6 \xf0\x9f\x98\x80" },
	{ "\xc2\x85\xc2\x9b", "\\xc2\\x85\\xc2\\x9b" },
	{ "\xe2\x80\xa8|\xe2\x80\xae", "\\xe2\\x80\\xa8|\\xe2\\x80\\xae" },
	{ "\xe2\x81\xa7", "\\xe2\\x81\\xa7" },
	{ "\xff\xc3", "\\xff\\xc3" },
	{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
};

static void
test_lines(void **state UNUSED)
{
	const char *at;

	assert_true(log_init("chatd", LOG_INFO, path));
	log_info("peer_up", "peer=%s n=%d", "x", 3);
	assert_string_equal(content(path),
	    "2026-02-07T22:55:00.123Z info chatd peer_up peer=x n=3\n");
	for (size_t i = 0; i < ARRAY_LEN(escapes); i++) {
		char wanted[256];

		log_warn("e", "v=%s", escapes[i].in);
		snprintf(wanted, sizeof(wanted),
		    "\n2026-02-07T22:55:00.123Z warn chatd e v=%s\n",
		    escapes[i].out);
		at = content(path);
		if (strstr(at, wanted) == NULL) {
			fail_msg("case %zu: %s", i, at);
		}
	}
}

static void
test_cut(void **state UNUSED)
{
	static char big[5000];
	const char *text;

	memset(big, '\n', sizeof(big) - 1);
	unlink(path);
	assert_true(log_init("chatd", LOG_INFO, path));
	log_error("big", "v=%s", big);
	text = content(path);
	assert_true(strlen(text) <= 2048);
	assert_true(strlen(text) > 2000);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void
test_levels(void **state UNUSED)
{
	uint64_t before = log_count(LOG_WARN);

	unlink(path);
	assert_true(log_init("chatd", LOG_ERROR, path));
	log_warn("w", "a=%d", 1);
	log_debug("d", "a=%d", 1);
	assert_string_equal(content(path), "");
	assert_int_equal(log_count(LOG_WARN), before);
	log_set_level(LOG_DEBUG);
	assert_true(log_enabled(LOG_DEBUG));
	log_debug("d", "a=%d", 1);
	log_warn("w", "a=%d", 1);
	assert_non_null(strstr(content(path), " debug chatd d a=1\n"));
	assert_int_equal(log_count(LOG_WARN), before + 1);
}

static void
test_reopen(void **state UNUSED)
{
	unlink(path);
	assert_true(log_init("chatd", LOG_INFO, path));
	log_info("one", "a=%d", 1);
	assert_int_equal(rename(path, moved), 0);
	log_info("two", "a=%d", 1);
	log_reopen();
	log_info("three", "a=%d", 1);
	assert_non_null(strstr(content(moved), "two"));
	assert_null(strstr(content(moved), "three"));
	assert_non_null(strstr(content(path), "three"));
	assert_false(log_init("chatd", LOG_INFO, "/nonexistent/dir/log"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_reopen),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
