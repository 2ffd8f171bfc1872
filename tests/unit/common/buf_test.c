/*
 * buf and rd: what is put comes back, and nothing is read past the end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <stdlib.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"

static void
test_round_trip(void **state UNUSED)
{
	struct uuid id = uuid_v4(), back;
	struct buf b = BUF_INIT;
	const uint8_t *blob;
	struct rd r;
	size_t len;

	buf_put_u8(&b, 0xfe);
	buf_put_u16(&b, 0x1234);
	buf_put_u32(&b, 0xdeadbeef);
	buf_put_u64(&b, UINT64_C(0x0102030405060708));
	buf_put_uuid(&b, &id);
	buf_put_blob(&b, "hello", 5);
	buf_put_blob(&b, NULL, 0);
	assert_memory_equal(b.data + 1, "\x12\x34", 2);

	rd_init(&r, b.data, b.len);
	assert_int_equal(rd_u8(&r), 0xfe);
	assert_int_equal(rd_u16(&r), 0x1234);
	assert_int_equal(rd_u32(&r), 0xdeadbeef);
	assert_true(rd_u64(&r) == UINT64_C(0x0102030405060708));
	back = rd_uuid(&r);
	assert_true(uuid_eq(&back, &id));
	blob = rd_blob(&r, &len);
	assert_int_equal(len, 5);
	assert_memory_equal(blob, "hello", 5);
	assert_non_null(rd_blob(&r, &len));
	assert_int_equal(len, 0);
	assert_true(rd_done(&r));
	buf_fini(&b);
}

/* Every cut of a message must fail, softly and for good. */
static void
test_cut_off(void **state UNUSED)
{
	struct buf b = BUF_INIT;

	buf_put_u64(&b, 7);
	buf_put_blob(&b, "abc", 3);
	for (size_t cut = 0; cut < b.len; cut++) {
		uint8_t *copy = malloc(cut > 0 ? cut : 1);
		struct rd r;
		size_t len;

		memcpy(copy, b.data, cut);
		rd_init(&r, copy, cut);
		rd_u64(&r);
		rd_blob(&r, &len);
		assert_false(rd_ok(&r));
		assert_false(rd_done(&r));
		assert_int_equal(rd_left(&r), 0);
		assert_int_equal(rd_u8(&r), 0);
		assert_null(rd_bytes(&r, 0));
		free(copy);
	}
	buf_fini(&b);
}

static void
test_lying_length(void **state UNUSED)
{
	const uint8_t data[] = { 0xff, 0xff, 0xff, 0xff, 'x' };
	struct rd r;
	size_t len = 9;

	rd_init(&r, data, sizeof(data));
	assert_null(rd_blob(&r, &len));
	assert_int_equal(len, 0);
	assert_false(rd_ok(&r));
}

static void
test_nothing_at_all(void **state UNUSED)
{
	struct rd r;

	rd_init(&r, NULL, 0);
	assert_true(rd_done(&r));
	assert_int_equal(rd_u8(&r), 0);
	assert_false(rd_ok(&r));
}

static void
test_text_and_growth(void **state UNUSED)
{
	struct buf b = BUF_INIT;
	char word[300];

	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	buf_puts(&b, "<");
	for (int i = 0; i < 50; i++) {
		buf_printf(&b, "%d:%s;", i, word);
	}
	buf_puts(&b, ">");
	assert_int_equal(b.len, 2 + 50 * (299 + 2) + 10 + 40 * 2);
	assert_int_equal(b.data[b.len - 1], '>');
	assert_memory_equal(b.data, "<0:www", 6);
	buf_fini(&b);
	assert_null(b.data);
}

static void
test_consume_set_steal(void **state UNUSED)
{
	struct buf b = BUF_INIT;
	uint8_t *data;
	size_t len;

	buf_put(&b, "abcdefgh", 8);
	buf_consume(&b, 0);
	buf_consume(&b, 3);
	assert_int_equal(b.len, 5);
	buf_set_u16(&b, 0, 0x4142);
	assert_memory_equal(b.data, "ABfgh", 5);
	buf_set_u32(&b, 1, 0x31323334);
	assert_memory_equal(b.data, "A1234", 5);
	data = buf_steal(&b, &len);
	assert_int_equal(len, 5);
	assert_null(b.data);
	assert_int_equal(b.len, 0);
	free(data);
	buf_put_u8(&b, 1);
	buf_consume(&b, 1);
	assert_int_equal(b.len, 0);
	buf_reset(&b);
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_lying_length),
		cmocka_unit_test(test_nothing_at_all),
		cmocka_unit_test(test_text_and_growth),
		cmocka_unit_test(test_consume_set_steal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
