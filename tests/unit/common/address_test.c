/*
 * address: texts, sites, networks, and whom an X-Forwarded-For speaks of.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/address.h"
#include "common/attr.h"

static struct address
addr(const char *text)
{
	struct address a;

	if (!address_parse(text, strlen(text), &a)) {
		fail_msg("not read: %s", text);
	}
	return a;
}

static void
test_parse_and_format(void **state)
{
	static const char *const same[] = { "192.0.2.1", "0.0.0.0",
		"255.255.255.255", "2001:db8::1", "::1", "fe80::1" };
	static const char *const bad[] = { "", "192.0.2", "192.0.2.256",
		"192.0.2.1 ", " 192.0.2.1", "192.0.2.1:80", "192.0.2.1/32",
		"01.2.3.4", "::1%lo", "[::1]", "2001:db8::1::", "localhost",
		"unknown", "_hidden", "1:2:3:4:5:6:7:8:9",
		"2001:db8:0000:0000:0000:0000:0000:0000:0000:0000:0001" };
	char text[ADDRESS_TEXT_LEN + 1];
	struct address a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		a = addr(same[i]);
		assert_string_equal(address_format(&a, text), same[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (address_parse(bad[i], strlen(bad[i]), &a)) {
			fail_msg("read: %s", bad[i]);
		}
	}
	assert_false(address_parse("192.0.2.1\0", 10, &a));
	a = addr("::ffff:192.0.2.1");
	assert_true(address_is_v4(&a));
	assert_string_equal(address_format(&a, text), "192.0.2.1");
}

static void
test_of_sockets(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct address a, want = addr("198.51.100.7");
	struct uuid site;

	(void)state;
	inet_pton(AF_INET, "198.51.100.7", &in.sin_addr);
	a = address_of((struct sockaddr *)&in);
	assert_true(address_eq(&a, &want));
	/* The same caller at a socket that takes both families. */
	inet_pton(AF_INET6, "::ffff:198.51.100.7", &in6.sin6_addr);
	a = address_of((struct sockaddr *)&in6);
	assert_true(address_eq(&a, &want));
	a = address_of((struct sockaddr *)&un);
	site = address_site(&a);
	assert_true(uuid_is_nil(&site));
}

static bool
same_site(const char *a, const char *b)
{
	struct address one = addr(a), other = addr(b);
	struct uuid x = address_site(&one), y = address_site(&other);

	return uuid_eq(&x, &y);
}

static void
test_sites(void **state)
{
	(void)state;
	assert_true(same_site("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
	assert_false(same_site("2001:db8:1:2::1", "2001:db8:1:3::1"));
	assert_false(same_site("192.0.2.1", "192.0.2.2"));
	assert_true(same_site("192.0.2.1", "::ffff:192.0.2.1"));
	/* All of IPv4 is one /64 of IPv6; it must not count as one. */
	assert_false(same_site("192.0.2.1", "198.51.100.1"));
}

static struct nets *
nets(const char *list)
{
	char *bad = NULL;
	struct nets *n = nets_new(list, &bad);

	if (n == NULL) {
		fail_msg("no list: %s", bad);
	}
	return n;
}

static bool
in(const char *list, const char *text)
{
	struct nets *n = nets(list);
	struct address a = addr(text);
	bool found = nets_have(n, &a);

	nets_free(&n);
	return found;
}

static void
test_networks(void **state)
{
	static const char *const bad[] = { "10.0.0.0/33", "10.0.0/8", "x",
		"::/129", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8/8",
		"10.0.0.0/0008", "127.0.0.1,nonsense", "10.0.0.1 10.0.0.2" };

	(void)state;
	assert_true(in("10.0.0.0/8", "10.255.0.1"));
	assert_false(in("10.0.0.0/8", "11.0.0.1"));
	assert_true(in("192.168.4.0/22", "192.168.7.255"));
	assert_false(in("192.168.4.0/22", "192.168.8.0"));
	assert_true(in("127.0.0.1", "127.0.0.1"));
	assert_false(in("127.0.0.1", "127.0.0.2"));
	assert_true(in("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(in("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(in(" ::1 , 10.0.0.0/8 ", "::1"));
	assert_true(in("0.0.0.0/0", "203.0.113.9"));
	assert_false(in("0.0.0.0/0", "2001:db8::1"));
	assert_true(in("::/0", "203.0.113.9"));
	assert_true(in("::ffff:10.0.0.0/104", "10.1.2.3"));
	assert_false(in("", "127.0.0.1"));
	assert_false(in(" , ", "127.0.0.1"));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *what = NULL;
		struct nets *n = nets_new(bad[i], &what);

		if (n != NULL) {
			fail_msg("a list: %s", bad[i]);
		}
		assert_non_null(what);
		free(what);
	}
}

static void
test_forwarded(void **state)
{
	static const struct {
		const char *peer, *header, *client;
	} cases[] = {
		/* Who is not trusted speaks for himself alone. */
		{ "203.0.113.5", "198.51.100.1", "203.0.113.5" },
		{ "10.0.0.1", "", "10.0.0.1" },
		{ "10.0.0.1", "198.51.100.1", "198.51.100.1" },
		{ "10.0.0.1", "2001:db8::9", "2001:db8::9" },
		/* What the client wrote itself stands in front. */
		{ "10.0.0.1", "1.1.1.1, 198.51.100.1", "198.51.100.1" },
		{ "10.0.0.1", "127.0.0.1,198.51.100.1", "198.51.100.1" },
		{ "10.0.0.1", "198.51.100.1, 10.2.3.4", "198.51.100.1" },
		{ "10.0.0.1", "198.51.100.1 ,\t10.2.3.4 , 2001:db8:9::1",
		    "198.51.100.1" },
		/* Proxies all the way: the furthest of them. */
		{ "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3" },
		{ "10.0.0.1", "198.51.100.1:5555", "198.51.100.1" },
		{ "10.0.0.1", "[2001:db8::9]:5555", "2001:db8::9" },
		{ "10.0.0.1", "[2001:db8::9]", "2001:db8::9" },
		/* Garbage is nobody. */
		{ "10.0.0.1", "unknown", "10.0.0.1" },
		{ "10.0.0.1", "198.51.100.1, junk", "10.0.0.1" },
		{ "10.0.0.1", "198.51.100.1, junk, 10.0.0.2", "10.0.0.2" },
		{ "10.0.0.1", "198.51.100.1,", "10.0.0.1" },
		{ "10.0.0.1", ",,,,", "10.0.0.1" },
		{ "10.0.0.1", "[2001:db8::9", "10.0.0.1" },
		{ "10.0.0.1", "[2001:db8::9]x", "10.0.0.1" },
		{ "10.0.0.1", "\"198.51.100.1\"", "10.0.0.1" },
		{ "2001:db8:9::1", "::ffff:198.51.100.1", "198.51.100.1" },
	};
	struct nets *trusted = nets("10.0.0.0/8, 2001:db8:9::/48");
	char text[ADDRESS_TEXT_LEN + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct address peer = addr(cases[i].peer);
		struct address got = address_forwarded(trusted, &peer,
		    cases[i].header);

		assert_string_equal(address_format(&got, text),
		    cases[i].client);
	}
	nets_free(&trusted);
}

static void
test_forwarded_ends(void **state)
{
	struct nets *trusted = nets("10.0.0.0/8");
	struct address peer = addr("10.0.0.1"), got;
	static char header[100 * 12];
	char text[ADDRESS_TEXT_LEN + 1];

	(void)state;
	strcpy(header, "198.51.100.1");
	for (int i = 0; i < 99; i++) {
		strcat(header, ",10.0.0.2");
	}
	got = address_forwarded(trusted, &peer, header);
	assert_string_equal(address_format(&got, text), "10.0.0.2");
	nets_free(&trusted);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_and_format),
		cmocka_unit_test(test_of_sockets),
		cmocka_unit_test(test_sites),
		cmocka_unit_test(test_networks),
		cmocka_unit_test(test_forwarded),
		cmocka_unit_test(test_forwarded_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
