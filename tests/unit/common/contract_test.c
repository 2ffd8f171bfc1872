/*
 * The contract table and the errors: every row is found by its name and number,
 * numbers lie in their ranges, rules have the form fields_check relies on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <string.h>

#include "common/contract.h"
#include "common/err.h"

static const struct contract_row *
find(const char *name)
{
	return contract_request(name, strlen(name));
}

static void
test_rows(void **state UNUSED)
{
	const struct contract_row *row;
	size_t count = 0;

	for (size_t i = 0; (row = contract_row_at(i)) != NULL; i++) {
		const struct contract_row *named = find(row->name);

		count++;
		assert_ptr_equal(contract_row(row->kind), row);
		assert_true((unsigned)row->lane < LANE_COUNT);
		switch (row->class) {
		case ROW_REQUEST:
			assert_in_range(row->kind, 1, 999);
			assert_ptr_equal(named, row);
			assert_non_null(row->fields);
			break;
		case ROW_HTTP:
			assert_in_range(row->kind, 1000, 1999);
			assert_null(named);
			assert_non_null(row->fields);
			break;
		case ROW_CALL:
			assert_in_range(row->kind, 2000, 2999);
			assert_null(named);
			assert_null(row->fields);
			break;
		case ROW_ADMIN:
			assert_in_range(row->kind, 3000, 3999);
			assert_null(named);
			assert_non_null(row->fields);
			break;
		}
	}
	assert_true(count > 15);
	assert_null(contract_row_at(count + 1));
}

/* A nested rule stands behind the OBJECT rule of its parent. */
static void
test_rules(void **state UNUSED)
{
	const struct contract_row *row;

	for (size_t i = 0; (row = contract_row_at(i)) != NULL; i++) {
		char parent[32] = "";
		size_t n = 0;

		if (row->fields == NULL) {
			continue;
		}
		for (; row->fields[n].path != NULL; n++) {
			const char *dot = strchr(row->fields[n].path, '.');

			if (dot == NULL) {
				assert_true(strlen(row->fields[n].path) <
				    sizeof(parent));
				if (row->fields[n].kind == FIELD_KIND_OBJECT) {
					strcpy(parent, row->fields[n].path);
				}
				continue;
			}
			assert_null(strchr(dot + 1, '.'));
			assert_int_equal(dot - row->fields[n].path,
			    strlen(parent));
			assert_memory_equal(row->fields[n].path, parent,
			    strlen(parent));
		}
		assert_true(n <= CONTRACT_FIELDS_MAX);
	}
}

static void
test_lookup(void **state UNUSED)
{
	const struct contract_row *row = find("send_message");

	assert_non_null(row);
	assert_int_equal(row->kind, MSG_send_message);
	assert_int_equal(row->lane, LANE_SEND);
	assert_int_equal(row->route, ROUTE_CHAT);
	assert_int_equal(row->flags, ROW_IDEMPOTENT);
	assert_string_equal(row->fields[FIELD_send_message_content].path,
	    "msg.content");
	assert_int_equal(row->fields[FIELD_send_message_content].max, 5000);
	assert_null(row->fields[FIELD_COUNT_send_message].path);
	assert_null(find("send_messag"));
	assert_null(find("send_messages"));
	assert_null(find("Send_message"));
	assert_null(find(""));
	/* No request, though it is an event, a body or a call. */
	assert_null(find("new_message"));
	assert_null(find("register"));
	assert_null(find("user_info"));
	assert_null(contract_row(0));
	assert_null(contract_row(998));
	assert_null(contract_row(65535));
	assert_int_equal(contract_row(MSG_login)->lane, LANE_SLOW);
	assert_int_equal(contract_row(MSG_register)->flags, 0);
}

static void
test_formats(void **state UNUSED)
{
	enum message_format f;

	for (int i = 0; i < FORMAT_COUNT; i++) {
		const char *name = format_name((enum message_format)i);

		assert_true(format_parse(name, strlen(name), &f));
		assert_int_equal(f, i);
	}
	assert_false(format_parse("", 0, &f));
	assert_false(format_parse("Text", 4, &f));
	assert_false(format_parse("textual", 7, &f));
	assert_string_equal(format_name((enum message_format)99), "text");
}

static void
test_errors(void **state UNUSED)
{
	assert_string_equal(err_reason(ERR_OK), "ok");
	assert_string_equal(err_reason(ERR_TOO_LARGE), "too_large");
	assert_string_equal(err_reason((enum err)999), "unknown_error");
	assert_int_equal(err_http_status(ERR_NOT_FOUND), 404);
	assert_int_equal(err_http_status((enum err)999), 500);
	assert_true(err_is_passing(ERR_UNAVAILABLE));
	assert_true(err_is_passing(ERR_EXPIRED));
	assert_false(err_is_passing(ERR_OK));
	assert_false(err_is_passing(ERR_INVALID_FIELD));
	assert_false(err_is_passing(ERR_RATE_LIMITED));
}

/* Each request has a rate but the one that must never be refused. */
static void
test_limits(void **state)
{
	const struct contract_row *row;

	(void)state;
	assert_int_equal(contract_limit(MSG_send_message), LIMIT_SENDS);
	assert_int_equal(contract_limit(MSG_sync), LIMIT_READS);
	assert_int_equal(contract_limit(MSG_search_people), LIMIT_SEARCHES);
	assert_int_equal(contract_limit(MSG_create_group), LIMIT_CHANGES);
	assert_int_equal(contract_limit(MSG_typing), LIMIT_TYPING);
	for (size_t i = 0; (row = contract_row_at(i)) != NULL; i++) {
		assert_int_equal(contract_limit(row->kind) == LIMIT_NONE,
		    row->class != ROW_REQUEST || row->kind == MSG_logout);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_lookup),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
