/*
 * Forms: wanted texts, one file, their bounds.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "gateway/form.h"

#define FILE_MAX (2u * 1024 * 1024)
#define TYPE "multipart/form-data; boundary=XX"
#define TEXT(name) \
	"--XX\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define FILE_PART(name) \
	"--XX\r\nContent-Disposition: form-data; name=\"" name \
	"\"; filename=\"f\"\r\n\r\n"

static const char *const names[] = { "username", "name", NULL };

static bool
feed(struct form *f, const char *text)
{
	return form_feed(f, text, strlen(text));
}

static bool
feed_many(struct form *f, size_t len)
{
	char block[4096];

	memset(block, 'x', sizeof(block));
	while (len > 0) {
		size_t n = len < sizeof(block) ? len : sizeof(block);

		if (!form_feed(f, block, n)) {
			return false;
		}
		len -= n;
	}
	return true;
}

static void
same(const struct buf *b, const char *text)
{
	assert_int_equal(b->len, strlen(text));
	if (b->len > 0) {
		assert_memory_equal(b->data, text, b->len);
	}
}

static struct buf file;

static void
on_file(void *arg, const void *data, size_t len)
{
	buf_put(arg, data, len);
}

static struct form *
new_form(void)
{
	static const struct form_file wanted = {
		.name = "avatar",
		.max = FILE_MAX,
		.data = on_file,
		.arg = &file,
	};

	buf_fini(&file);
	return form_new(TYPE, names, &wanted);
}

static void
test_texts_and_file(void **state)
{
	struct form *f = new_form();

	(void)state;
	assert_true(feed(f, TEXT("username") "ann\r\n" TEXT("other") "zzz\r\n"
	    FILE_PART("avatar") "BYTES\r\n" TEXT("name") "\r\n--XX--\r\n"));
	assert_true(form_complete(f));
	assert_true(f->fields[0].present);
	same(&f->fields[0].text, "ann");
	assert_true(f->fields[1].present);
	same(&f->fields[1].text, "");
	assert_true(f->has_file);
	same(&file, "BYTES");
	assert_int_equal(f->file_len, 5);
	assert_false(f->file_too_large);
	form_free(&f);
	assert_null(f);
}

static void
test_absent(void **state)
{
	struct form *f = new_form();

	(void)state;
	assert_true(feed(f, TEXT("username") "ann\r\n"));
	assert_false(form_complete(f));
	assert_true(feed(f, "--XX--"));
	assert_true(form_complete(f));
	assert_false(f->fields[1].present);
	assert_false(f->has_file);
	form_free(&f);
}

static void
test_file_too_large(void **state)
{
	struct form *f = new_form();

	(void)state;
	assert_true(feed(f, FILE_PART("avatar")));
	assert_true(feed_many(f, FILE_MAX));
	assert_false(f->file_too_large);
	assert_true(feed_many(f, 1));
	assert_true(f->file_too_large);
	assert_int_equal(file.len, FILE_MAX);
	assert_true(feed(f, "\r\n" TEXT("name") "ann\r\n--XX--"));
	assert_true(form_complete(f));
	same(&f->fields[1].text, "ann");
	form_free(&f);
}

static void
test_second_file_is_refused(void **state)
{
	struct form *f = new_form();

	(void)state;
	assert_false(feed(f, FILE_PART("avatar") "one\r\n"
	    FILE_PART("avatar") "two\r\n--XX--"));
	form_free(&f);
	buf_fini(&file);
}

static void
test_text_too_long(void **state)
{
	struct form *f = new_form();

	(void)state;
	assert_true(feed(f, TEXT("name")));
	assert_false(feed_many(f, FORM_TEXT_MAX + 1));
	assert_false(form_complete(f));
	form_free(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts_and_file),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_file_too_large),
		cmocka_unit_test(test_second_file_is_refused),
		cmocka_unit_test(test_text_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
