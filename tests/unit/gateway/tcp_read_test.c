/*
 * tcp_read: what was taken counts, and nothing else: not what waits, not the
 * other side's end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/attr.h"
#include "gateway/tcp_read.h"

#define WAIT_MS 10000

struct pair {
	int client;
	int server;
};

static int
setup(void **state)
{
	static struct pair pair;
	struct sockaddr_in a = { .sin_family = AF_INET,
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int port = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(port, (struct sockaddr *)&a, len), 0);
	assert_int_equal(listen(port, 1), 0);
	assert_int_equal(getsockname(port, (struct sockaddr *)&a, &len), 0);
	pair.client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(pair.client, (struct sockaddr *)&a, len), 0);
	pair.server = accept(port, NULL, NULL);
	assert_true(pair.server >= 0);
	close(port);
	*state = &pair;
	return 0;
}

static int
teardown(void **state)
{
	struct pair *pair = *state;

	if (pair->client >= 0) {
		close(pair->client);
	}
	close(pair->server);
	return 0;
}

static void
say(struct pair *pair, const char *text)
{
	struct pollfd p = { .fd = pair->server, .events = POLLIN };

	assert_int_equal(send(pair->client, text, strlen(text), 0),
	    (ssize_t)strlen(text));
	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

static void
take(struct pair *pair, size_t len)
{
	char data[64];

	assert_int_equal(recv(pair->server, data, len, 0), (ssize_t)len);
}

static uint64_t
count(struct pair *pair)
{
	uint64_t n = 0;

	assert_true(tcp_read_count(pair->server, &n));
	return n;
}

static void
test_what_waits_is_not_counted(void **state)
{
	struct pair *pair = *state;

	assert_int_equal(count(pair), 0);
	say(pair, "0123456789");
	assert_int_equal(count(pair), 0);
	take(pair, 4);
	assert_int_equal(count(pair), 4);
	take(pair, 6);
	assert_int_equal(count(pair), 10);
}

static void
wait_for(struct pair *pair, short events)
{
	struct pollfd p = { .fd = pair->server, .events = events };

	assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

/* The kernel counts it. With it counted a body pipelined behind a request was
 * not seen to be, and the library read freed memory. */
static void
test_the_end_is_not_counted(void **state)
{
	struct pair *pair = *state;
	char data;

	say(pair, "0123456789");
	take(pair, 4);
	shutdown(pair->client, SHUT_WR);
	wait_for(pair, POLLRDHUP);
	assert_int_equal(count(pair), 4);
	take(pair, 6);
	assert_int_equal(count(pair), 10);
	assert_int_equal(recv(pair->server, &data, 1, 0), 0);
	assert_int_equal(count(pair), 10);
	shutdown(pair->server, SHUT_WR);
	assert_true(!tcp_read_count(pair->server, &(uint64_t){ 0 }) ||
	    count(pair) == 10);
}

static void
test_our_own_end_is_not_counted(void **state)
{
	struct pair *pair = *state;

	say(pair, "0123456789");
	shutdown(pair->server, SHUT_WR);
	take(pair, 10);
	assert_int_equal(count(pair), 10);
}

static void
test_a_reset_cannot_be_told(void **state)
{
	struct pair *pair = *state;
	struct linger at_once = { .l_onoff = 1 };
	uint64_t n;

	say(pair, "0123456789");
	setsockopt(pair->client, SOL_SOCKET, SO_LINGER, &at_once,
	    sizeof(at_once));
	close(pair->client);
	pair->client = -1;
	wait_for(pair, POLLRDHUP);
	assert_false(tcp_read_count(pair->server, &n));
}

static void
test_no_tcp_socket(void **state)
{
	uint64_t n;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_false(tcp_read_count(ends[0], &n));
	assert_false(tcp_read_count(-1, &n));
	close(ends[0]);
	close(ends[1]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_waits_is_not_counted,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_end_is_not_counted,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_our_own_end_is_not_counted,
		    setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_reset_cannot_be_told,
		    setup, teardown),
		cmocka_unit_test(test_no_tcp_socket),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
