/*
 * Account rules. Lengths are in code points.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/account_rules.h"

#include <stdbool.h>
#include <string.h>

#include "common/json_in.h"

#define EMAIL_MAX 254

static bool
is_blank(struct text t)
{
	return t.p == NULL || utf8_blank(t.p, t.len);
}

const char *
rule_username(struct text t)
{
	size_t n;

	if (is_blank(t)) {
		return RULE_BLANK;
	}
	n = utf8_count(t.p, t.len);
	if (n < 3) {
		return "should be at least 3 character(s)";
	}
	if (n > 30) {
		return "should be at most 30 character(s)";
	}
	for (size_t i = 0; i < t.len; i++) {
		char c = t.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') || c == '_')) {
			return "can only contain letters, numbers, and "
			    "underscores";
		}
	}
	return NULL;
}

const char *
rule_name(struct text t)
{
	if (is_blank(t)) {
		return RULE_BLANK;
	}
	if (utf8_count(t.p, t.len) > 50) {
		return "should be at most 50 character(s)";
	}
	return NULL;
}

/* One @ with something on both sides, no white space or control characters, and
 * a domain without empty labels. Whether mail arrives only a mail can tell. */
const char *
rule_email(struct text t)
{
	static const char bad[] = "has invalid format";
	const char *at;
	size_t local;

	if (is_blank(t)) {
		return RULE_BLANK;
	}
	at = memchr(t.p, '@', t.len);
	if (at == NULL || t.len > EMAIL_MAX) {
		return bad;
	}
	local = (size_t)(at - t.p);
	if (local == 0 || local > 64 || local + 1 == t.len) {
		return bad;
	}
	for (size_t i = 0; i < t.len; i++) {
		unsigned char c = (unsigned char)t.p[i];

		if (c <= 0x20 || c == 0x7f || (c == '@' && i != local) ||
		    strchr("\"(),:;<>[\\]", c) != NULL) {
			return bad;
		}
		if (i > local && c == '.' && (t.p[i - 1] == '@' ||
		    t.p[i - 1] == '.' || i + 1 == t.len)) {
			return bad;
		}
	}
	return NULL;
}

const char *
rule_password(struct text t)
{
	size_t n;

	if (t.p == NULL || t.len == 0) {
		return RULE_BLANK;
	}
	n = utf8_count(t.p, t.len);
	if (n < 8) {
		return "should be at least 8 character(s)";
	}
	if (n > 128) {
		return "should be at most 128 character(s)";
	}
	return NULL;
}
