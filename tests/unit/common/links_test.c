/*
 * What links are described by: addresses of processes and of Redis, which hosts
 * are this machine, and which process may make which call.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/bus_address.h"
#include "common/contract.h"
#include "common/rpc_links.h"
#include "common/tls.h"

static void
test_redis_addresses(void **state)
{
	static const struct {
		const char *url;
		struct {
			const char *host, *path, *user, *password;
			int port, db;
			bool tls;
		} want;
	} good[] = {
		{ "redis://r", { .host = "r", .port = 6379 } },
		{ "redis://r:1/3", { .host = "r", .port = 1, .db = 3 } },
		{ "redis://:p@r", { .host = "r", .port = 6379,
		    .password = "p" } },
		{ "redis://p@r", { .host = "r", .port = 6379,
		    .password = "p" } },
		{ "redis://u:p@r:65535", { .host = "r", .port = 65535,
		    .user = "u", .password = "p" } },
		{ "redis://u:a:b/c@d@r", { .host = "r", .port = 6379,
		    .user = "u", .password = "a:b/c@d" } },
		{ "rediss://u:p@r/2", { .host = "r", .port = 6379,
		    .user = "u", .password = "p", .db = 2, .tls = true } },
		{ "redis://[::1]", { .host = "::1", .port = 6379 } },
		{ "rediss://[2001:db8::1]:7/1", { .host = "2001:db8::1",
		    .port = 7, .db = 1, .tls = true } },
		{ "unix:/run/r.sock", { .path = "/run/r.sock" } },
	};
	static const char *const bad[] = { "", "redis:", "redis://",
		"redis://:6379", "redis://r:0", "redis://r:65536",
		"redis://r:x", "redis://r/-1", "redis://[::1", "redis://[::1]x",
		"redis://[]", "unix:", "http://r", "REDIS://r",
		"sentinel://s", "sentinel://s/", "sentinel://s//1",
		"sentinel:///m", "sentinel://s,/m", "sentinel://,s/m",
		"sentinel://s,,t/m", "sentinel://s:0/m", "sentinel://s/m/-1",
		"sentinel://1,2,3,4,5,6,7,8,9,10/m" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const char *const want[] = { good[i].want.host,
			good[i].want.path, good[i].want.user,
			good[i].want.password };
		struct bus_address a;

		print_message("%s\n", good[i].url);
		assert_true(bus_address_parse(good[i].url, &a));
		const char *const got[] = { a.host, a.path, a.user,
			a.password };
		for (size_t k = 0; k < ARRAY_LEN(got); k++) {
			assert_int_equal(got[k] == NULL, want[k] == NULL);
			assert_true(got[k] == NULL ||
			    strcmp(got[k], want[k]) == 0);
		}
		assert_int_equal(a.port, good[i].want.port);
		assert_int_equal(a.db, good[i].want.db);
		assert_int_equal(a.tls, good[i].want.tls);
		bus_address_fini(&a);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct bus_address a;

		print_message("\"%s\"\n", bad[i]);
		assert_false(bus_address_parse(bad[i], &a));
	}
}

static void
test_sentinel_addresses(void **state)
{
	struct bus_address a;

	(void)state;
	assert_true(bus_address_parse(
	    "sentinel://:a/b@s1,s2:7,[::1]:8/the-master/3", &a));
	assert_null(a.host);
	assert_string_equal(a.password, "a/b");
	assert_string_equal(a.master, "the-master");
	assert_int_equal(a.db, 3);
	assert_false(a.tls);
	assert_int_equal(a.sentinel_count, 3);
	assert_string_equal(a.sentinels[0].host, "s1");
	assert_int_equal(a.sentinels[0].port, 26379);
	assert_string_equal(a.sentinels[1].host, "s2");
	assert_int_equal(a.sentinels[1].port, 7);
	assert_string_equal(a.sentinels[2].host, "::1");
	assert_int_equal(a.sentinels[2].port, 8);
	bus_address_fini(&a);
	assert_true(bus_address_parse("sentinels://u:p@s/m", &a));
	assert_true(a.tls);
	assert_string_equal(a.user, "u");
	assert_string_equal(a.master, "m");
	assert_int_equal(a.db, 0);
	bus_address_fini(&a);
}

static void
test_process_addresses(void **state)
{
	static const char *const good[] = { "ipc:///run/x", "ipc://x",
		"tcp://h:1", "tcp://*:1", "tls+tcp://h:1",
		"tls+tcp://[::1]:1" };
	static const char *const bad[] = { "", "h:1", "ipc://", "tcp://h",
		"tcp://:1", "tls+tcp://", "tls+tcp://h", "tls+tcp4://h:1",
		"ws://h:1", "inproc://x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_null(rpc_address_check(good[i]));
		assert_int_equal(rpc_is_tls(good[i]), good[i][1] == 'l');
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		print_message("\"%s\"\n", bad[i]);
		assert_non_null(rpc_address_check(bad[i]));
	}
}

static void
test_this_machine(void **state)
{
	static const char *const here[] = { NULL, "", "localhost", "127.0.0.1",
		"127.8.9.10", "::1", "/run/postgresql", "@abstract" };
	static const char *const elsewhere[] = { "*", "0.0.0.0", "::",
		"192.0.2.1", "localhost.example.org", "1270.example.org",
		"db.example.org" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(here); i++) {
		assert_true(tls_host_is_local(here[i]));
	}
	for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++) {
		assert_false(tls_host_is_local(elsewhere[i]));
	}
}

/* Whoever adds a row decides who may make the call. */
static void
test_who_may_call(void **state)
{
	const struct contract_row *row;

	(void)state;
	for (size_t i = 0; (row = contract_row_at(i)) != NULL; i++) {
		if (row->class != ROW_CALL) {
			assert_int_equal(row->from, row->class == ROW_ADMIN
			    ? PROCESS_PARLEYCTL : PROCESS_GATEWAY);
		}
		assert_true(row->from != 0 &&
		    (row->from & ~(unsigned)PROCESS_ANY) == 0);
	}
	assert_int_equal(contract_row(CALL_hello)->from, PROCESS_ANY);
	assert_int_equal(contract_row(CALL_check_token)->from,
	    PROCESS_GATEWAY);
	assert_int_equal(contract_row(CALL_who_is_online)->from,
	    PROCESS_CHATD);
	assert_int_equal(contract_row(CALL_presence_changed)->from,
	    PROCESS_PRESENCED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_redis_addresses),
		cmocka_unit_test(test_sentinel_addresses),
		cmocka_unit_test(test_process_addresses),
		cmocka_unit_test(test_this_machine),
		cmocka_unit_test(test_who_may_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
