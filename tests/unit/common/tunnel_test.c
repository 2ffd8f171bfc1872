/*
 * Tests of links of TLS between processes: client and server on one loop, with
 * certificates made for it, and on the way a relay that cuts the connections.
 *
 * SPDX-License-Identifier: MIT
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/list.h"
#include "common/mem.h"
#include "common/rpc.h"
#include "common/rpc_links.h"

#define LARGE ((size_t)3 << 20)
/* What is said at once while links are cut, and how much. */
#define CALLS 48
#define CALL_BYTES 60000
#define CUTS 40

static uv_loop_t loop;
static char directory[] = "/tmp/parley-tunnel-test-XXXXXX";

/* ---- certificates ------------------------------------------------------- */

static char *
path_of(const char *name)
{
	return mem_sprintf("%s/%s", directory, name);
}

/* One that is its own CA, and is both ends: a gateway that calls a chatd. */
static void
certificate_make(void)
{
	char *command = mem_sprintf("openssl req -x509 -newkey ec -pkeyopt "
	    "ec_paramgen_curve:P-256 -nodes -subj /CN=tunnel -addext "
	    "subjectAltName=URI:parley:gateway,URI:parley:chatd,IP:127.0.0.1 "
	    "-keyout %s -out %s 2>&1", rpc_links.key, rpc_links.cert);

	assert_int_equal(system(command), 0);
	free(command);
}

static int
certificates_make(void **state)
{
	static const struct rpc_addresses list[] = {
		{ "listen", "tls+tcp://127.0.0.1:1" }, { NULL, NULL } };
	char why[TLS_WHY_LEN];

	(void)state;
	assert_non_null(mkdtemp(directory));
	rpc_links.ca = path_of("crt");
	rpc_links.cert = path_of("crt");
	rpc_links.key = path_of("key");
	certificate_make();
	if (!rpc_links_check("chatd", list, why)) {
		fail_msg("%s", why);
	}
	return 0;
}

static int
certificates_remove(void **state)
{
	(void)state;
	unlink(rpc_links.cert);
	unlink(rpc_links.key);
	rmdir(directory);
	free(rpc_links.ca);
	free(rpc_links.cert);
	free(rpc_links.key);
	return 0;
}

/* ---- sockets ------------------------------------------------------------ */

static struct sockaddr_in
address_of(int port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static int
listen_at(int *port_r)
{
	struct sockaddr_in at = address_of(0);
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 100), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	*port_r = ntohs(at.sin_port);
	return fd;
}

static int
free_port(void)
{
	int port;

	close(listen_at(&port));
	return port;
}

static int
connect_to(int port)
{
	struct sockaddr_in to = address_of(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* ---- a relay that cuts -------------------------------------------------- */

#define RELAYED_MAX 8

struct relay {
	pthread_t thread;
	int listener;
	int port;
	int to;
	atomic_bool ending;
	atomic_uint cut;   /* so often */
	unsigned done;
	int fds[RELAYED_MAX][2];
	unsigned len;
};

/* As when a process is killed: what is unread is lost, the other side is told. */
static void
reset(int fd)
{
	struct linger hard = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	close(fd);
}

static void
relay_drop(struct relay *r, unsigned i)
{
	reset(r->fds[i][0]);
	reset(r->fds[i][1]);
	r->len--;
	memcpy(r->fds[i], r->fds[r->len], sizeof(r->fds[i]));
}

static void
relay_accept(struct relay *r)
{
	int fd = accept(r->listener, NULL, NULL);
	int other = r->len < RELAYED_MAX ? connect_to(r->to) : -1;
	int on = 1;

	if (other < 0) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(other, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	r->fds[r->len][0] = fd;
	r->fds[r->len][1] = other;
	r->len++;
}

/* Moves what there is; false: one side has ended. */
static bool
relay_move(int from, int to)
{
	char bytes[16384];
	ssize_t n = recv(from, bytes, sizeof(bytes), MSG_DONTWAIT);
	ssize_t at = 0;

	while (at < n) {
		ssize_t done = send(to, bytes + at, (size_t)(n - at),
		    MSG_NOSIGNAL);

		if (done < 0) {
			return false;
		}
		at += done;
	}
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static void *
relay_main(void *arg)
{
	struct relay *r = arg;

	while (!atomic_load(&r->ending)) {
		struct pollfd p[1 + 2 * RELAYED_MAX] = {
			{ .fd = r->listener, .events = POLLIN } };
		unsigned len = r->len;

		for (unsigned i = 0; i < 2 * len; i++) {
			p[1 + i].fd = r->fds[i / 2][i % 2];
			p[1 + i].events = POLLIN;
		}
		poll(p, 1 + 2 * len, 1);
		for (unsigned i = len; i-- > 0;) {
			if ((p[1 + 2 * i].revents != 0 &&
			    !relay_move(r->fds[i][0], r->fds[i][1])) ||
			    (p[2 + 2 * i].revents != 0 &&
			    !relay_move(r->fds[i][1], r->fds[i][0]))) {
				relay_drop(r, i);
			}
		}
		if (r->done != atomic_load(&r->cut)) {
			r->done = atomic_load(&r->cut);
			while (r->len > 0) {
				relay_drop(r, 0);
			}
		}
		if (p[0].revents != 0) {
			relay_accept(r);
		}
	}
	while (r->len > 0) {
		relay_drop(r, 0);
	}
	close(r->listener);
	return NULL;
}

static void
relay_open(struct relay *r, int to)
{
	memset(r, 0, sizeof(*r));
	r->to = to;
	r->listener = listen_at(&r->port);
	assert_int_equal(pthread_create(&r->thread, NULL, relay_main, r), 0);
}

static void
relay_close(struct relay *r)
{
	atomic_store(&r->ending, true);
	pthread_join(r->thread, NULL);
}

/* ---- both ends ---------------------------------------------------------- */

struct pump {
	struct rpc_client *client;
	const void *body;
	size_t body_len;
	unsigned answered;
	unsigned failed;
	unsigned ended;    /* answered or failed */
	unsigned lost;     /* the link's ends that were noticed */
	bool stopping;
	unsigned open;     /* calls */
};

static void
handler(void *arg, struct rpc_in *in)
{
	struct rpc_out out = { .status = ERR_OK, .body = in->frame.body,
		.body_len = in->frame.body_len };

	(void)arg;
	rpc_reply(in, &out);
}

static struct rpc_server *
server_open(int port)
{
	char url[64];
	struct rpc_server *s;

	snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%d", port);
	s = rpc_server_new(&loop, url, 1000, handler, NULL);
	assert_non_null(s);
	return s;
}

static void
on_lost(void *arg)
{
	((struct pump *)arg)->lost++;
}

static void
client_open(struct pump *p, int port)
{
	char url[64];
	struct rpc_client_conf conf = { .service = "chatd", .addresses = url,
		.timeout_ms = 10000, .attempt_ms = 2000, .pending_max = 2000,
		.on_lost = on_lost, .arg = p };

	snprintf(url, sizeof(url), "tls+tcp://127.0.0.1:%d", port);
	memset(p, 0, sizeof(*p));
	p->client = rpc_client_new(&loop, &conf);
	assert_non_null(p->client);
}

static void pump_call(struct pump *p);

static void
on_reply(void *arg, enum err status, const struct frame *reply)
{
	struct pump *p = arg;

	p->open--;
	p->ended++;
	if (status == ERR_OK && reply != NULL) {
		assert_int_equal(reply->body_len, p->body_len);
		assert_memory_equal(reply->body, p->body, p->body_len);
		p->answered++;
	} else {
		p->failed++;
	}
	if (!p->stopping) {
		pump_call(p);
	}
}

static void
pump_call(struct pump *p)
{
	/* Of all lanes: batches small and large are under way at once. */
	static const enum msg_kind kinds[] = { MSG_open_chat, MSG_open_chat,
		MSG_send_message };
	struct rpc_request req = { .route = uuid_v4(), .body = p->body,
		.kind = kinds[(p->answered + p->open) % ARRAY_LEN(kinds)],
		.body_len = p->body_len };

	p->open++;
	rpc_call(p->client, &req, on_reply, p);
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
	uv_timer_start(&late, on_late, 20000, 0);
	while (*what < n) {
		uv_run(&loop, UV_RUN_ONCE);
	}
	uv_close((uv_handle_t *)&late, on_late_closed);
	while (late.data == NULL) {
		uv_run(&loop, UV_RUN_NOWAIT);
	}
}

static void
pump_stop(struct pump *p)
{
	p->stopping = true;
	turn_until(&p->ended, p->ended + p->open);
	rpc_client_free(&p->client);
}

static char *
random_body(size_t len)
{
	char *body = mem_alloc(len);

	for (size_t i = 0; i < len; i++) {
		body[i] = (char)(i * 2654435761u >> 13);
	}
	return body;
}

/* ---- tests -------------------------------------------------------------- */

static void
calls_of_all_sizes_pass(void **state)
{
	static const size_t sizes[] = { 0, 1, 16383, 16384, 16385, 100000,
		LARGE };
	struct rpc_server *s;
	int port = free_port();
	char *body = random_body(LARGE);
	struct pump p;

	(void)state;
	s = server_open(port);
	client_open(&p, port);
	p.body = body;
	p.stopping = true;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		p.body_len = sizes[i];
		for (int k = 0; k < 10; k++) {
			pump_call(&p);
		}
		turn_until(&p.answered, p.answered + 10);
	}
	assert_int_equal(p.failed, 0);
	rpc_client_free(&p.client);
	rpc_server_free(&s);
	free(body);
}

/*
 * NNG's own TLS stopped noticing anything once a link had been cut at the wrong
 * moment: no end of a link, and no end of the process.
 */
static void
links_cut_under_load_are_noticed_and_made_anew(void **state)
{
	struct rpc_server *s;
	int port = free_port();
	char *body = random_body(CALL_BYTES);
	struct relay r;
	struct pump p;

	(void)state;
	relay_open(&r, port);
	s = server_open(port);
	client_open(&p, r.port);
	p.body = body;
	p.body_len = CALL_BYTES;
	for (int i = 0; i < CALLS; i++) {
		pump_call(&p);
	}
	for (unsigned i = 0; i < CUTS; i++) {
		turn_until(&p.answered, p.answered + 1 + i % 40);
		if (i % 10 == 9) {
			/* Our own side closes, in the midst of it. */
			rpc_server_free(&s);
			s = server_open(port);
		} else {
			atomic_fetch_add(&r.cut, 1);
		}
		turn_until(&p.lost, i + 1);
	}
	pump_stop(&p);
	rpc_server_free(&s);
	relay_close(&r);
	free(body);
}

/* More connections than may be in their handshake: the oldest give way, and who
 * has a certificate comes through. */
static void
who_says_nothing_is_in_nobodys_way(void **state)
{
	struct rpc_server *s;
	int port = free_port();
	int silent[300];
	struct pump p;
	char byte;

	(void)state;
	s = server_open(port);
	for (size_t i = 0; i < ARRAY_LEN(silent); i++) {
		silent[i] = connect_to(port);
		assert_true(silent[i] >= 0);
	}
	client_open(&p, port);
	p.stopping = true;
	pump_call(&p);
	turn_until(&p.answered, 1);
	assert_true(recv(silent[0], &byte, 1, 0) <= 0);
	for (size_t i = 0; i < ARRAY_LEN(silent); i++) {
		close(silent[i]);
	}
	rpc_client_free(&p.client);
	rpc_server_free(&s);
}

/* Both go, in either order, while calls are under way and the peer is away. */
static void
ends_may_end_at_any_time(void **state)
{
	int port = free_port();
	char *body = random_body(CALL_BYTES);

	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		struct rpc_server *s = i % 3 == 0 ? NULL : server_open(port);
		struct pump p;

		client_open(&p, port);
		p.body = body;
		p.body_len = CALL_BYTES;
		for (int k = 0; k < 10; k++) {
			pump_call(&p);
		}
		for (unsigned k = 0; k < i * 3; k++) {
			uv_run(&loop, UV_RUN_NOWAIT);
		}
		if (s != NULL && i % 2 == 0) {
			turn_until(&p.answered, i);
			rpc_server_free(&s);
		}
		rpc_client_free(&p.client);
		rpc_server_free(&s);
	}
	free(body);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calls_of_all_sizes_pass),
		cmocka_unit_test(links_cut_under_load_are_noticed_and_made_anew),
		cmocka_unit_test(who_says_nothing_is_in_nobodys_way),
		cmocka_unit_test(ends_may_end_at_any_time),
	};
	int failed;

	uv_loop_init(&loop);
	failed = cmocka_run_group_tests(tests, certificates_make,
	    certificates_remove);
	rpc_end();
	uv_run(&loop, UV_RUN_DEFAULT);
	return uv_loop_close(&loop) == 0 ? failed : 1;
}
