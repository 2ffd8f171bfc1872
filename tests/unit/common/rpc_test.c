/*
 * Tests of calls between processes, client and servers on one loop over real
 * sockets: batches, repeats at another peer, deadlines, cancelling, refusal of
 * another envelope version.
 *
 * SPDX-License-Identifier: MIT
 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/mem.h"
#include "common/rpc.h"

enum answer {
	ANSWER_ECHO,  /* at once */
	ANSWER_HOLD,  /* keep the frame, never answer */
	ANSWER_BUSY,  /* ERR_OVERLOADED */
	ANSWER_LONG,  /* LONG_ANSWER bytes */
};

struct node {
	struct rpc_server *server;
	enum answer answer;
	unsigned seen;
	struct rpc_in *held[2 * ENVELOPE_FRAMES_MAX];
	unsigned held_len;
};

struct outcome {
	unsigned answered;
	unsigned failed;
	enum err status;
	char body[32];
};

#define LONG_ANSWER (5 << 18)

static uv_loop_t loop;
static int number;
static char long_answer[LONG_ANSWER];
/* For clients whose calls are to go once, however slow the machine. */
static bool patient;

static void
url_of(int i, char *url, size_t len)
{
	snprintf(url, len, "ipc:///tmp/parley-rpc-test-%d-%d", (int)getpid(),
	    i);
}

static void
handler(void *arg, struct rpc_in *in)
{
	struct node *n = arg;
	struct rpc_out out = { .status = ERR_OK, .seq = in->frame.seq + 1,
		.body = in->frame.body, .body_len = in->frame.body_len };

	n->seen++;
	if (n->answer == ANSWER_HOLD) {
		n->held[n->held_len++] = in;
		return;
	}
	if (n->answer == ANSWER_BUSY) {
		out.status = ERR_OVERLOADED;
	}
	if (n->answer == ANSWER_LONG) {
		out.body = long_answer;
		out.body_len = sizeof(long_answer);
	}
	rpc_reply(in, &out);
}

static void
node_open(struct node *n, int i)
{
	char url[96];

	url_of(i, url, sizeof(url));
	memset(n, 0, sizeof(*n));
	n->server = rpc_server_new(&loop, url, 1000, handler, n);
	assert_non_null(n->server);
}

static void
node_close(struct node *n)
{
	struct rpc_out out = { .status = ERR_UNAVAILABLE };

	rpc_server_free(&n->server);
	for (unsigned i = 0; i < n->held_len; i++) {
		rpc_reply(n->held[i], &out);
	}
	n->held_len = 0;
}

/* Answers what the node holds, from the first. */
static void
answer_held(struct node *n, unsigned count)
{
	struct rpc_out out = { .status = ERR_OK, .body = "hello",
		.body_len = 5 };

	for (unsigned i = 0; i < count; i++) {
		rpc_reply(n->held[i], &out);
	}
	n->held_len -= count;
	memmove(n->held, n->held + count, n->held_len * sizeof(n->held[0]));
}

static struct rpc_client *
client_open(const char *addresses, void (*mismatch)(void *), void *arg)
{
	struct rpc_client_conf conf = { .service = "node",
		.addresses = addresses, .timeout_ms = patient ? 30000 : 3000,
		.attempt_ms = patient ? 20000 : 400,
		.pending_max = 2000, .on_version_mismatch = mismatch,
		.arg = arg };
	struct rpc_client *c = rpc_client_new(&loop, &conf);

	assert_non_null(c);
	return c;
}

static void
on_reply(void *arg, enum err status, const struct frame *reply)
{
	struct outcome *o = arg;

	o->status = status;
	if (reply != NULL && status == ERR_OK) {
		o->answered++;
		memcpy(o->body, reply->body, reply->body_len);
		o->body[reply->body_len] = '\0';
	} else {
		o->failed++;
	}
}

static uint64_t
call(struct rpc_client *c, enum msg_kind kind, int64_t timeout,
    struct outcome *o)
{
	struct rpc_request req = { .kind = kind, .timeout_ms = timeout,
		.route = uuid_v4(), .body = "hello", .body_len = 5 };

	return rpc_call(c, &req, on_reply, o);
}

/* A group: `len` calls of which all but the first follow, numbered by seq. */
static void
call_group(struct rpc_client *c, struct uuid route, unsigned len,
    struct outcome *o)
{
	struct rpc_request req = { .kind = MSG_send_message, .route = route,
		.body = "hello", .body_len = 5 };

	for (unsigned i = 0; i < len; i++) {
		req.seq = i;
		req.follows = i > 0;
		rpc_call(c, &req, on_reply, o);
	}
}

static void
on_late(uv_timer_t *timer)
{
	(void)timer;
	fail_msg("the test waited too long");
}

static void
on_late_closed(uv_handle_t *handle)
{
	handle->data = handle;
}

/* Turns the loop until *what reaches n. */
static void
turn_until(const unsigned *what, unsigned n)
{
	uv_timer_t late;

	uv_timer_init(&loop, &late);
	late.data = NULL;
	uv_timer_start(&late, on_late, 10000, 0);
	while (*what < n) {
		uv_run(&loop, UV_RUN_ONCE);
	}
	uv_close((uv_handle_t *)&late, on_late_closed);
	while (late.data == NULL) {
		uv_run(&loop, UV_RUN_NOWAIT);
	}
}

static void
many_calls_are_answered_once_each(void **state)
{
	struct node n;
	struct outcome o = { 0 };
	struct rpc_client *c;
	char url[96];

	(void)state;
	url_of(++number, url, sizeof(url));
	node_open(&n, number);
	c = client_open(url, NULL, NULL);
	for (int i = 0; i < 1000; i++) {
		call(c, i % 2 ? MSG_send_message : MSG_open_chat, 0, &o);
	}
	turn_until(&o.answered, 1000);
	assert_int_equal(o.failed, 0);
	assert_int_equal(n.seen, 1000);
	assert_string_equal(o.body, "hello");
	assert_int_equal(rpc_client_pending(c), 0);
	rpc_client_free(&c);
	node_close(&n);
}

static void
on_long_reply(void *arg, enum err status, const struct frame *reply)
{
	struct outcome *o = arg;

	assert_int_equal(status, ERR_OK);
	assert_int_equal(reply->body_len, LONG_ANSWER);
	o->answered++;
}

/* 64 calls travel in one batch; their answers are 80 MiB. */
static void
answers_beyond_one_message_are_asked_for_again(void **state)
{
	struct node n;
	struct outcome o = { 0 };
	struct rpc_client *c;
	struct rpc_request req = { .kind = MSG_send_message };
	struct rpc_client_conf conf = { .service = "node",
		.timeout_ms = 10000, .attempt_ms = 5000, .pending_max = 100 };
	char url[96];

	(void)state;
	url_of(++number, url, sizeof(url));
	node_open(&n, number);
	n.answer = ANSWER_LONG;
	conf.addresses = url;
	c = rpc_client_new(&loop, &conf);
	assert_non_null(c);
	for (int i = 0; i < ENVELOPE_FRAMES_MAX; i++) {
		rpc_call(c, &req, on_long_reply, &o);
	}
	turn_until(&o.answered, ENVELOPE_FRAMES_MAX);
	assert_true(n.seen > ENVELOPE_FRAMES_MAX);
	rpc_client_free(&c);
	node_close(&n);
}

static void
calls_wait_for_a_peer_that_starts_late(void **state)
{
	struct node n;
	struct outcome o = { 0 };
	struct rpc_client *c;
	char url[96];

	(void)state;
	url_of(++number, url, sizeof(url));
	c = client_open(url, NULL, NULL);
	call(c, MSG_register, 0, &o);
	for (int i = 0; i < 20; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(5000);
	}
	assert_int_equal(o.answered + o.failed, 0);
	node_open(&n, number);
	turn_until(&o.answered, 1);
	rpc_client_free(&c);
	node_close(&n);
}

/* Accepts and hangs up amid the greeting, as a process does that is killed. */
static int
rude_open(int i)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char url[96];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	url_of(i, url, sizeof(url));
	snprintf(to.sun_path, sizeof(to.sun_path), "%s", url + 6);
	assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(listen(fd, 5), 0);
	return fd;
}

static void
a_peer_that_hangs_up_amid_the_greeting_is_dialled_again(void **state)
{
	struct node n;
	struct outcome o = { 0 };
	struct rpc_client *c;
	char url[96];
	int fd, link;

	(void)state;
	url_of(++number, url, sizeof(url));
	fd = rude_open(number);
	c = client_open(url, NULL, NULL);
	link = accept(fd, NULL, NULL);
	assert_int_equal(write(link, "\0SP", 3), 3);
	close(link);
	close(fd);
	unlink(url + 6);
	node_open(&n, number);
	call(c, MSG_register, 8000, &o);
	turn_until(&o.answered, 1);
	rpc_client_free(&c);
	node_close(&n);
}

static void
without_a_peer_the_deadline_answers_unavailable(void **state)
{
	struct outcome o = { 0 };
	struct rpc_client *c;
	char url[96];
	uint64_t start = clock_mono_ms();

	(void)state;
	url_of(++number, url, sizeof(url));
	c = client_open(url, NULL, NULL);
	call(c, MSG_open_chat, 300, &o);
	turn_until(&o.failed, 1);
	assert_int_equal(o.status, ERR_UNAVAILABLE);
	assert_true(clock_mono_ms() - start >= 300);
	rpc_client_free(&c);
}

static void
two_nodes(struct node *a, struct node *b, struct rpc_client **c)
{
	char one[96];
	char two[96];
	char both[200];

	url_of(++number, one, sizeof(one));
	node_open(a, number);
	url_of(++number, two, sizeof(two));
	node_open(b, number);
	snprintf(both, sizeof(both), "%s,%s", one, two);
	*c = client_open(both, NULL, NULL);
	/* Both are up once each has been given a call. */
	while (a->seen == 0 || b->seen == 0) {
		struct outcome o = { 0 };

		call(*c, MSG_open_chat, 0, &o);
		turn_until(&o.answered, 1);
	}
	a->seen = 0;
	b->seen = 0;
}

static void
a_silent_peers_calls_are_repeated_at_the_other(void **state)
{
	struct node a, b;
	struct outcome o = { 0 };
	struct rpc_client *c;

	(void)state;
	two_nodes(&a, &b, &c);
	a.answer = ANSWER_HOLD;
	for (int i = 0; i < 10; i++) {
		call(c, MSG_open_chat, 0, &o);
	}
	turn_until(&o.answered, 10);
	assert_int_equal(o.failed, 0);
	assert_true(a.seen > 0);
	assert_int_equal(b.seen, 10);
	rpc_client_free(&c);
	node_close(&a);
	node_close(&b);
}

/* A batch is answered when all of it is: the lone calls are, while the group is
 * held, so none of the group filled up their batch. */
static void
calls_that_follow_travel_together(void **state)
{
	const unsigned lone = ENVELOPE_FRAMES_MAX - 4, group = 10;
	struct node n;
	struct outcome alone = { 0 }, together = { 0 };
	struct rpc_client *c;
	char url[96];

	(void)state;
	patient = true;
	url_of(++number, url, sizeof(url));
	node_open(&n, number);
	c = client_open(url, NULL, NULL);
	call(c, MSG_open_chat, 0, &alone);
	turn_until(&alone.answered, 1);
	alone.answered = 0;
	n.seen = 0;
	n.answer = ANSWER_HOLD;
	for (unsigned i = 0; i < lone; i++) {
		call(c, MSG_send_message, 0, &alone);
	}
	call_group(c, uuid_v4(), group, &together);
	turn_until(&n.seen, lone + group);
	answer_held(&n, lone);
	turn_until(&alone.answered, lone);
	assert_int_equal(together.answered, 0);
	for (unsigned i = 0; i < group; i++) {
		assert_int_equal(n.held[i]->frame.seq, i);
	}
	answer_held(&n, group);
	turn_until(&together.answered, group);
	assert_int_equal(alone.failed + together.failed, 0);
	rpc_client_free(&c);
	node_close(&n);
	patient = false;
}

/* Elsewhere it might be executed before one that came before it. */
static void
what_was_refused_of_a_group_is_given_up(void **state)
{
	struct node a, b;
	struct outcome lone = { 0 }, group = { 0 };
	struct rpc_client *c;
	struct uuid route;

	(void)state;
	two_nodes(&a, &b, &c);
	do { /* one that leads to `a` */
		b.seen = 0;
		route = uuid_v4();
		call_group(c, route, 1, &lone);
		turn_until(&lone.answered, 1);
		lone.answered = 0;
	} while (b.seen > 0);
	a.answer = ANSWER_BUSY;
	call_group(c, route, 1, &lone);
	turn_until(&lone.answered, 1);
	assert_int_equal(b.seen, 1);
	call_group(c, route, 5, &group);
	turn_until(&group.failed, 5);
	assert_int_equal(group.status, ERR_OVERLOADED);
	assert_int_equal(b.seen, 1);
	rpc_client_free(&c);
	node_close(&a);
	node_close(&b);
}

/* Nothing of it was executed. */
static void
a_group_leaves_a_draining_server_in_its_order(void **state)
{
	struct node a, b;
	struct outcome o = { 0 };
	struct rpc_client *c;

	(void)state;
	patient = true;
	two_nodes(&a, &b, &c);
	rpc_server_drain(a.server);
	b.answer = ANSWER_HOLD;
	for (int i = 0; i < 4; i++) { /* some of them lead to `a` */
		call_group(c, uuid_v4(), 5, &o);
		turn_until(&b.held_len, 5);
		for (unsigned n = 0; n < 5; n++) {
			assert_int_equal(b.held[n]->frame.seq, n);
		}
		answer_held(&b, 5);
	}
	turn_until(&o.answered, 20);
	assert_int_equal(a.seen + o.failed, 0);
	patient = false;
	rpc_client_free(&c);
	node_close(&a);
	node_close(&b);
}

static void
an_unrepeatable_call_is_never_executed_twice(void **state)
{
	struct node a, b;
	struct outcome o = { 0 };
	struct rpc_client *c;

	(void)state;
	two_nodes(&a, &b, &c);
	a.answer = ANSWER_HOLD;
	b.answer = ANSWER_HOLD;
	call(c, MSG_register, 600, &o);
	turn_until(&o.failed, 1);
	assert_int_equal(a.seen + b.seen, 1);
	rpc_client_free(&c);
	node_close(&a);
	node_close(&b);
}

static void
a_peer_that_dies_hands_its_calls_over(void **state)
{
	struct node a, b;
	struct outcome o = { 0 };
	struct rpc_client *c;
	unsigned seen;

	(void)state;
	two_nodes(&a, &b, &c);
	a.answer = ANSWER_HOLD;
	b.answer = ANSWER_HOLD;
	for (int i = 0; i < 8; i++) {
		call(c, MSG_open_chat, 0, &o);
	}
	do {
		uv_run(&loop, UV_RUN_ONCE);
		seen = a.seen + b.seen;
	} while (seen < 8);
	b.answer = ANSWER_ECHO;
	node_close(&a);
	answer_held(&b, b.held_len);
	turn_until(&o.answered, 8);
	assert_int_equal(o.failed, 0);
	rpc_client_free(&c);
	node_close(&b);
}

static void
a_draining_server_sends_callers_elsewhere(void **state)
{
	struct node a, b;
	struct outcome o = { 0 };
	struct rpc_client *c;

	(void)state;
	two_nodes(&a, &b, &c);
	rpc_server_drain(a.server);
	for (int i = 0; i < 20; i++) {
		call(c, i % 2 ? MSG_register : MSG_open_chat, 0, &o);
	}
	turn_until(&o.answered, 20);
	assert_int_equal(a.seen, 0);
	assert_int_equal(b.seen, 20);
	rpc_client_free(&c);
	node_close(&a);
	node_close(&b);
}

static void
turn_until_left(const struct node *n)
{
	uint64_t end = clock_mono_ms() + 10000;

	while (rpc_server_callers(n->server) > 0) {
		assert_true(clock_mono_ms() < end);
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
}

static void
an_idle_caller_hangs_up_when_the_server_drains(void **state)
{
	struct node n;
	struct outcome o = { 0 };
	struct rpc_client *c;
	char url[96];

	(void)state;
	url_of(++number, url, sizeof(url));
	node_open(&n, number);
	c = client_open(url, NULL, NULL);
	call(c, MSG_open_chat, 0, &o);
	turn_until(&o.answered, 1);
	assert_int_equal(rpc_server_callers(n.server), 1);
	rpc_server_drain(n.server);
	turn_until_left(&n);
	assert_true(rpc_server_drained(n.server));
	assert_false(rpc_client_up(c));
	rpc_client_free(&c);
	node_close(&n);
}

/* The only server of a service restarts while calls are with it, some of which
 * may not be repeated. Each is executed once, and none fails. */
static void
a_restart_of_the_only_server_costs_no_call(void **state)
{
	struct node n;
	struct outcome o = { 0 };
	struct rpc_client *c;
	char url[96];

	(void)state;
	url_of(++number, url, sizeof(url));
	node_open(&n, number);
	n.answer = ANSWER_HOLD;
	c = client_open(url, NULL, NULL);
	for (int i = 0; i < 6; i++) {
		call(c, i % 2 ? MSG_register : MSG_open_chat, 0, &o);
	}
	turn_until(&n.seen, 6);
	rpc_server_drain(n.server);
	for (int i = 0; i < 6; i++) {
		call(c, i % 2 ? MSG_register : MSG_open_chat, 0, &o);
	}
	for (unsigned i = 0; i < n.held_len; i++) {
		struct rpc_out out = { .status = ERR_OK };

		assert_false(rpc_server_drained(n.server));
		rpc_reply(n.held[i], &out);
	}
	n.held_len = 0;
	turn_until(&o.answered, 6);
	turn_until_left(&n);
	assert_true(rpc_server_drained(n.server));
	assert_int_equal(n.seen, 6);
	node_close(&n);
	node_open(&n, number);
	turn_until(&o.answered, 12);
	assert_int_equal(o.failed, 0);
	assert_int_equal(n.seen, 6);
	rpc_client_free(&c);
	node_close(&n);
}

static void
a_cancelled_call_never_calls_back(void **state)
{
	struct node n;
	struct outcome gone = { 0 };
	struct outcome o = { 0 };
	struct rpc_client *c;
	char url[96];

	(void)state;
	url_of(++number, url, sizeof(url));
	node_open(&n, number);
	c = client_open(url, NULL, NULL);
	rpc_cancel(c, call(c, MSG_open_chat, 0, &gone));
	call(c, MSG_open_chat, 0, &o);
	turn_until(&o.answered, 1);
	assert_int_equal(gone.answered + gone.failed, 0);
	rpc_cancel(c, 0);
	rpc_cancel(c, 12345);
	rpc_client_free(&c);
	node_close(&n);
}

static void
too_many_pending_calls_are_refused(void **state)
{
	struct outcome o = { 0 };
	struct rpc_client *c;
	char url[96];

	(void)state;
	url_of(++number, url, sizeof(url));
	c = client_open(url, NULL, NULL);
	for (int i = 0; i < 2005; i++) {
		call(c, MSG_open_chat, 0, &o);
	}
	assert_int_equal(o.failed, 0);
	turn_until(&o.failed, 5);
	assert_int_equal(o.status, ERR_UNAVAILABLE);
	rpc_client_free(&c);
}

static void
on_mismatch(void *arg)
{
	(*(unsigned *)arg)++;
}

/* A peer of the next version: a raw NNG socket, answered by hand. */
static void
another_envelope_version_is_refused(void **state)
{
	unsigned mismatches = 0;
	struct outcome o = { 0 };
	struct rpc_client *c;
	struct buf b = BUF_INIT;
	nng_socket rep;
	char url[96];

	(void)state;
	url_of(++number, url, sizeof(url));
	assert_int_equal(nng_rep0_open(&rep), 0);
	assert_int_equal(nng_listen(rep, url, NULL, 0), 0);
	c = client_open(url, on_mismatch, &mismatches);
	call(c, MSG_open_chat, 500, &o);
	while (mismatches == 0) {
		char *in;
		size_t len;

		if (nng_recv(rep, &in, &len,
		    NNG_FLAG_ALLOC | NNG_FLAG_NONBLOCK) == 0) {
			nng_free(in, len);
			envelope_begin(&b);
			buf_set_u16(&b, 4, ENVELOPE_VERSION + 1);
			assert_int_equal(nng_send(rep, b.data, b.len, 0), 0);
		}
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(1000);
	}
	assert_int_equal(mismatches, 1);
	assert_false(rpc_client_up(c));
	turn_until(&o.failed, 1);
	rpc_client_free(&c);
	nng_close(rep);
	buf_fini(&b);
}

static unsigned
open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL) {
		n++;
	}
	closedir(dir);
	return n;
}

static void
ask_once(const char *url)
{
	struct rpc_client *c = client_open(url, NULL, NULL);
	struct outcome o = { 0 };

	call(c, MSG_open_chat, 0, &o);
	while (o.answered + o.failed == 0) {
		uv_run(&loop, UV_RUN_ONCE);
	}
	assert_int_equal(o.answered, 1);
	rpc_client_free(&c);
}

static void
who_came_and_went_leaves_no_descriptor(void **state)
{
	unsigned before;
	struct node n;
	char url[96];

	(void)state;
	url_of(++number, url, sizeof(url));
	node_open(&n, number);
	ask_once(url);
	before = open_descriptors();
	for (int i = 0; i < 30; i++) {
		ask_once(url);
	}
	/* NNG clears away by and by. */
	for (int i = 0; i < 500 && open_descriptors() > before; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		usleep(10000);
	}
	assert_in_range(open_descriptors(), 0, before);
	node_close(&n);
}

static void
malformed_addresses_are_refused(void **state)
{
	const char *bad[] = { "", "http://x:1", "tcp://nohostport", "ipc://",
		"tcp://:80" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct rpc_client_conf conf = { .service = "node",
			.addresses = bad[i], .timeout_ms = 1000,
			.attempt_ms = 100, .pending_max = 10 };

		assert_null(rpc_client_new(&loop, &conf));
	}
}

static int
open_loop(void **state)
{
	(void)state;
	return uv_loop_init(&loop);
}

static int
close_loop(void **state)
{
	(void)state;
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    many_calls_are_answered_once_each, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(
		    answers_beyond_one_message_are_asked_for_again, open_loop,
		    close_loop),
		cmocka_unit_test_setup_teardown(
		    calls_wait_for_a_peer_that_starts_late, open_loop,
		    close_loop),
		cmocka_unit_test_setup_teardown(
		    a_peer_that_hangs_up_amid_the_greeting_is_dialled_again,
		    open_loop, close_loop),
		cmocka_unit_test_setup_teardown(
		    without_a_peer_the_deadline_answers_unavailable, open_loop,
		    close_loop),
		cmocka_unit_test_setup_teardown(
		    a_silent_peers_calls_are_repeated_at_the_other, open_loop,
		    close_loop),
		cmocka_unit_test_setup_teardown(
		    calls_that_follow_travel_together, open_loop,
		    close_loop),
		cmocka_unit_test_setup_teardown(
		    what_was_refused_of_a_group_is_given_up, open_loop,
		    close_loop),
		cmocka_unit_test_setup_teardown(
		    a_group_leaves_a_draining_server_in_its_order, open_loop,
		    close_loop),
		cmocka_unit_test_setup_teardown(
		    an_unrepeatable_call_is_never_executed_twice, open_loop,
		    close_loop),
		cmocka_unit_test_setup_teardown(
		    a_peer_that_dies_hands_its_calls_over, open_loop,
		    close_loop),
		cmocka_unit_test_setup_teardown(
		    a_draining_server_sends_callers_elsewhere, open_loop,
		    close_loop),
		cmocka_unit_test_setup_teardown(
		    an_idle_caller_hangs_up_when_the_server_drains, open_loop,
		    close_loop),
		cmocka_unit_test_setup_teardown(
		    a_restart_of_the_only_server_costs_no_call, open_loop,
		    close_loop),
		cmocka_unit_test_setup_teardown(
		    a_cancelled_call_never_calls_back, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(
		    too_many_pending_calls_are_refused, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(
		    another_envelope_version_is_refused, open_loop, close_loop),
		cmocka_unit_test_setup_teardown(
		    who_came_and_went_leaves_no_descriptor, open_loop,
		    close_loop),
		cmocka_unit_test_setup_teardown(
		    malformed_addresses_are_refused, open_loop, close_loop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
