/*
 * The rules of usernames, names, addresses and passwords: the first that fails.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "chatd/account_rules.h"
#include "common/attr.h"

struct rule_case {
	const char *(*rule)(struct text t);
	const char *text; /* NULL: absent */
	const char *told; /* NULL: fine */
};

#define A10 "aaaaaaaaaa"
#define U10 "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc" \
	    "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc"
#define A60 A10 A10 A10 A10 A10 A10
#define BAD_CHARS "can only contain letters, numbers, and underscores"
#define BAD_FORMAT "has invalid format"

static const struct rule_case cases[] = {
	{ rule_username, NULL, RULE_BLANK },
	{ rule_username, "", RULE_BLANK },
	{ rule_username, " \t\n", RULE_BLANK },
	{ rule_username, "ab", "should be at least 3 character(s)" },
	{ rule_username, "\xc3\xbc\xc3\xbc",
	    "should be at least 3 character(s)" },
	{ rule_username, "abc", NULL },
	{ rule_username, "A_9", NULL },
	{ rule_username, A10 A10 A10, NULL },
	{ rule_username, A10 A10 A10 "a", "should be at most 30 character(s)" },
	{ rule_username, " abc", BAD_CHARS },
	{ rule_username, "a-b", BAD_CHARS },
	{ rule_username, "\xc3\xbc\xc3\xbc\xc3\xbc", BAD_CHARS },
	{ rule_name, NULL, RULE_BLANK },
	{ rule_name, "\xe2\x80\x83", RULE_BLANK },
	{ rule_name, "x", NULL },
	{ rule_name, U10 U10 U10 U10 U10, NULL },
	{ rule_name, U10 U10 U10 U10 U10 "x",
	    "should be at most 50 character(s)" },
	{ rule_password, NULL, RULE_BLANK },
	{ rule_password, "", RULE_BLANK },
	{ rule_password, "1234567", "should be at least 8 character(s)" },
	{ rule_password, "        ", NULL },
	{ rule_password, U10, NULL },
	{ rule_password, A60 A60 "12345678", NULL },
	{ rule_password, A60 A60 "123456789",
	    "should be at most 128 character(s)" },
	{ rule_email, NULL, RULE_BLANK },
	{ rule_email, "  ", RULE_BLANK },
	{ rule_email, "a@b", NULL },
	{ rule_email, "first.last+tag@mail.example.org", NULL },
	{ rule_email, "\xc3\xbc@\xc3\xbc.example", NULL },
	{ rule_email, "ab", BAD_FORMAT },
	{ rule_email, "@b", BAD_FORMAT },
	{ rule_email, "a@", BAD_FORMAT },
	{ rule_email, "a@b@c", BAD_FORMAT },
	{ rule_email, "a b@c", BAD_FORMAT },
	{ rule_email, "a@b c", BAD_FORMAT },
	{ rule_email, "a@.b", BAD_FORMAT },
	{ rule_email, "a@b.", BAD_FORMAT },
	{ rule_email, "a@b..c", BAD_FORMAT },
	{ rule_email, "a,b@c", BAD_FORMAT },
	{ rule_email, "<a@c>", BAD_FORMAT },
	{ rule_email, A60 "12345@b", BAD_FORMAT },
	{ rule_email, "a@" A60 A60 A60 A60 A60, BAD_FORMAT },
};

static void
test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct rule_case *c = &cases[i];
		struct text t = { c->text,
			c->text != NULL ? strlen(c->text) : 0 };
		const char *told = c->rule(t);

		if ((told == NULL) != (c->told == NULL) ||
		    (told != NULL && strcmp(told, c->told) != 0)) {
			fail_msg("case %zu '%s': %s", i,
			    c->text != NULL ? c->text : "(absent)",
			    told != NULL ? told : "fine");
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
