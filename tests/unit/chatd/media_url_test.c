/*
 * Which URLs a media message may carry.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "chatd/media_url.h"
#include "common/attr.h"

static bool
allowed(const struct media_origins *o, const char *url)
{
	return media_url_allowed(o, (struct text){ url, strlen(url) });
}

static void
test_urls(void **state)
{
	static const struct {
		const char *url;
		bool allowed;
	} cases[] = {
		{ "https://media.example.org/a.png", true },
		{ "HTTPS://Media.Example.ORG/a.png", true },
		{ "https://media.example.org:443/a.png", true },
		{ "https://media.example.org", true },
		{ "https://media.example.org?x=1#y", true },
		{ "http://[::1]:8080/x", true },
		{ "https://media.example.org:444/a.png", false },
		{ "http://media.example.org/a.png", false },
		{ "https://media.example.org.evil.test/a.png", false },
		{ "https://evil.test/https://media.example.org/", false },
		{ "https://media.example.org@evil.test/a.png", false },
		{ "https://user@media.example.org/a.png", false },
		{ "https://media.example.org:/a.png", false },
		{ "https://media.example.org:99999/", false },
		{ "https://media.example.org:4x3/", false },
		{ "https://media.example.org\\@evil.test/", false },
		{ "https://media.example.org/a b.png", false },
		{ "https://media.example.org/\n", false },
		{ "https://media.example.org/\"onload=x", false },
		{ " https://media.example.org/a.png", false },
		{ "//media.example.org/a.png", false },
		{ "/media/a.png", false },
		{ "https:/media.example.org/a.png", false },
		{ "https:///a.png", false },
		{ "https://", false },
		{ "http", false },
		{ "", false },
		{ "javascript:alert(1)", false },
		{ "JaVaScRiPt://media.example.org/%0aalert(1)", false },
		{ "data:text/html,x", false },
		{ "http://[::1", false },
		{ "http://[::1]x:8080/", false },
		{ "http://[evil.test]:8080/", false },
	};
	char *bad;
	struct media_origins *o = media_origins_new(
	    " https://media.example.org , http://[::1]:8080/,",
	    "http://unused.test", &bad);

	(void)state;
	assert_non_null(o);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		if (allowed(o, cases[i].url) != cases[i].allowed) {
			fail_msg("%s", cases[i].url);
		}
	}
	media_origins_free(&o);
	assert_null(o);
}

static void
test_origin_of_public_url(void **state)
{
	char *bad;
	struct media_origins *o = media_origins_new("",
	    "https://chat.example.org/app", &bad);

	(void)state;
	assert_non_null(o);
	assert_true(allowed(o, "https://chat.example.org/media/x"));
	assert_false(allowed(o, "https://media.example.org/x"));
	media_origins_free(&o);
}

static void
test_bad_origins_are_named(void **state)
{
	static const char *const lists[] = { "ftp://x.test", "x.test",
		"https://x.test/path", "https://", "https://a b.test" };
	char *bad;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		assert_null(media_origins_new(lists[i], "http://x", &bad));
		assert_string_equal(bad, lists[i]);
		free(bad);
	}
	assert_null(media_origins_new("", "localhost", &bad));
	assert_string_equal(bad, "localhost");
	free(bad);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_origin_of_public_url),
		cmocka_unit_test(test_bad_origins_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
