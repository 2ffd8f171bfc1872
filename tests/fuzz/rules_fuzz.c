/*
 * What chatd decides by looking at a text alone: which URLs may stand in a
 * message, names, addresses and passwords. Beyond not crashing: a URL that is
 * allowed begins with an allowed origin and holds nothing that could end an
 * attribute or a header.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz/fuzz.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "chatd/account_rules.h"
#include "chatd/media_url.h"
#include "common/json_in.h"

/* Behind the origin there is nothing, or a path, query or fragment. The port may
 * be written with zeros in front, and the default one be written out. */
static bool
stands_on(const char *url, size_t len, const char *host, const char *port,
    bool is_default)
{
	size_t n = strlen(host);

	if (len < n || strncasecmp(url, host, n) != 0) {
		return false;
	}
	if (url[n] == ':') {
		n += 1 + strspn(url + n + 1, "0");
		if (strncmp(url + n, port, strlen(port)) != 0) {
			return false;
		}
		n += strlen(port);
	} else if (!is_default) {
		return false;
	}
	return n == len || (n < len && strchr("/?#", url[n]) != NULL);
}

static bool
stands_on_any(const char *url, size_t len)
{
	return stands_on(url, len, "https://media.example.org", "443", true) ||
	    stands_on(url, len, "http://localhost", "8080", false) ||
	    stands_on(url, len, "http://[::1]", "81", false);
}

static void
try_url(const struct media_origins *o, const char *url, size_t len)
{
	if (!media_url_allowed(o, (struct text){ url, len })) {
		return;
	}
	CHECK(stands_on_any(url, len));
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)url[i];

		CHECK(c > ' ' && c != 0x7f && c != '\\');
	}
}

/* Any list of origins, too, is taken or refused. */
static void
try_origins(const char *list)
{
	char *bad = NULL;
	struct media_origins *o = media_origins_new(list, "http://a", &bad);

	CHECK((o == NULL) == (bad != NULL));
	free(bad);
	if (o != NULL) {
		media_origins_free(&o);
	}
}

static void
try_rules(struct text t)
{
	const char *p = t.p;
	size_t len = t.len;

	if (rule_username(t) == NULL) {
		CHECK(t.len >= 3 && t.len <= 30);
		CHECK(strspn(t.p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"
		    "RSTUVWXYZ0123456789_") == t.len);
	}
	if (rule_password(t) == NULL) {
		CHECK(utf8_count(t.p, t.len) >= 8 &&
		    utf8_count(t.p, t.len) <= 128);
	}
	if (rule_email(t) == NULL) {
		CHECK(memchr(t.p, '@', t.len) != NULL &&
		    memchr(t.p, '\n', t.len) == NULL);
	}
	utf8_trim(&p, &len);
	if (rule_name((struct text){ p, len }) == NULL) {
		CHECK(len > 0 && utf8_count(p, len) <= 50);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct media_origins *o;
	char *text, *bad;

	if (o == NULL) {
		o = media_origins_new("https://media.example.org,"
		    "http://localhost:8080, http://[::1]:81", NULL, &bad);
		CHECK(o != NULL);
	}
	text = malloc(len + 1);
	CHECK(text != NULL);
	memcpy(text, data, len);
	text[len] = '\0';
	try_origins(text);
	/* fields_check lets nothing else through. */
	if (utf8_valid(text, len) && memchr(text, '\0', len) == NULL) {
		try_url(o, text, len);
		try_rules((struct text){ text, len });
	}
	free(text);
	return 0;
}
