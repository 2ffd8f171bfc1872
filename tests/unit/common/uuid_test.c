/*
 * UUIDs: text form, version 7's order, hash.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <string.h>

#include "common/attr.h"
#include "common/clock.h"
#include "common/uuid.h"

static const struct {
	const char *text;
	const char *back; /* NULL: refused */
} parse_cases[] = {
	{ "019bd5e4-0f00-7abc-8def-0123456789ab",
	    "019bd5e4-0f00-7abc-8def-0123456789ab" },
	{ "019BD5E4-0F00-7ABC-8DEF-0123456789AB",
	    "019bd5e4-0f00-7abc-8def-0123456789ab" },
	{ "00000000-0000-0000-0000-000000000000",
	    "00000000-0000-0000-0000-000000000000" },
	{ "", NULL },
	{ "019bd5e4-0f00-7abc-8def-0123456789a", NULL },
	{ "019bd5e4-0f00-7abc-8def-0123456789abc", NULL },
	{ "019bd5e4-0f00-7abc-8def-0123456789ag", NULL },
	{ "019bd5e4+0f00-7abc-8def-0123456789ab", NULL },
	{ "019bd5e40f00-7abc-8def-0123456789ab--", NULL },
	{ "{19bd5e4-0f00-7abc-8def-0123456789a}", NULL },
	{ "019bd5e40-f00-7abc-8def-0123456789ab", NULL },
	{ " 19bd5e4-0f00-7abc-8def-0123456789ab", NULL },
	{ "@19bd5e4-0f00-7abc-8def-0123456789ab", NULL },
	{ "`19bd5e4-0f00-7abc-8def-0123456789ab", NULL },
};

static void
test_parse(void **state UNUSED)
{
	for (size_t i = 0; i < ARRAY_LEN(parse_cases); i++) {
		const char *text = parse_cases[i].text;
		char back[UUID_TEXT_LEN + 1];
		struct uuid id;
		bool good = uuid_parse(text, strlen(text), &id);

		if (good != (parse_cases[i].back != NULL)) {
			fail_msg("case %zu: %s", i, text);
		}
		if (good) {
			assert_string_equal(uuid_format(&id, back),
			    parse_cases[i].back);
		}
	}
}

static void
test_v7(void **state UNUSED)
{
	const int64_t ms = INT64_C(0x019bd5e40f00);
	struct uuid before, id;

	clock_freeze(0, ms);
	before = uuid_v7();
	assert_memory_equal(before.b, "\x01\x9b\xd5\xe4\x0f\x00", 6);
	/* More than the counter holds, within one millisecond. */
	for (int i = 0; i < 10000; i++) {
		id = uuid_v7();
		assert_true(uuid_cmp(&before, &id) < 0);
		assert_int_equal(id.b[6] >> 4, 7);
		assert_int_equal(id.b[8] >> 6, 2);
		before = id;
	}
	/* The clock goes back an hour: order still holds. */
	clock_freeze(0, ms - 3600000);
	id = uuid_v7();
	assert_true(uuid_cmp(&before, &id) < 0);
	clock_freeze(0, ms + 3600000);
	before = id;
	id = uuid_v7();
	assert_true(uuid_cmp(&before, &id) < 0);
	assert_memory_equal(id.b, "\x01\x9b\xd6\x1a\xfd\x80", 6);
}

static void
test_v4(void **state UNUSED)
{
	struct uuid a = uuid_v4(), b = uuid_v4();

	assert_int_equal(a.b[6] >> 4, 4);
	assert_int_equal(a.b[8] >> 6, 2);
	assert_false(uuid_eq(&a, &b));
	assert_false(uuid_is_nil(&a));
	memset(&a, 0, sizeof(a));
	assert_true(uuid_is_nil(&a));
}

static void
test_hash(void **state UNUSED)
{
	struct uuid a = uuid_v4(), b = a;

	assert_true(uuid_hash(&a) == uuid_hash(&b));
	b.b[15] ^= 1;
	assert_true(uuid_hash(&a) != uuid_hash(&b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_v7),
		cmocka_unit_test(test_v4),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
