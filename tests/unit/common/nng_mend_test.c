/*
 * nng_mend: connections closed in the middle of a message, whichever way it goes,
 * and callers who are gone before they are greeted, do NNG no harm. Without the
 * mend each of these hangs within some ten closings on NNG 1.5.
 */
#include "unit/common/case.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/metrics.h"
#include "common/nng_mend.h"

#define CLOSINGS 250
#define HUNG_AFTER_S 60
#define REQUESTS 8
#define REQUEST_BYTES ((size_t)700 << 10)

static const uint8_t greeting[8] = { 0, 'S', 'P', 0, 0, 0x31, 0, 0 };

/* What a peer that talks, or listens, without a pause does with a connection. */
struct peer {
	int fd; /* listens */
	bool ipc;
	char url[128];
	void (*serve)(const struct peer *p, int fd);
	pthread_t thread;
};

/* Answers to nobody's request, of 64 bytes. ipc:// has a type before a length. */
static void
talk(const struct peer *p, int fd)
{
	uint8_t message[9 + 64] = { 1, 0, 0, 0, 0, 0, 0, 0, 64, 0x80 };
	const uint8_t *from = message + !p->ipc;
	size_t len = sizeof(message) - !p->ipc;

	while (send(fd, from, len, MSG_NOSIGNAL) == (ssize_t)len) {
	}
}

static void
hear(const struct peer *p, int fd)
{
	static uint8_t bytes[64 << 10];

	(void)p;
	while (recv(fd, bytes, sizeof(bytes), 0) > 0) {
	}
}

static void *
peer_main(void *arg)
{
	const struct peer *p = arg;
	uint8_t theirs[sizeof(greeting)];
	int fd;

	while ((fd = accept(p->fd, NULL, NULL)) >= 0) {
		if (send(fd, greeting, sizeof(greeting), MSG_NOSIGNAL) ==
		    sizeof(greeting) && recv(fd, theirs, sizeof(theirs),
		    MSG_WAITALL) == sizeof(theirs)) {
			p->serve(p, fd);
		}
		close(fd);
	}
	return NULL;
}

static void
listen_ipc(struct peer *p)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };

	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/tmp/parley-mend-test-%d",
	    (int)getpid());
	snprintf(p->url, sizeof(p->url), "ipc://%s", sa.sun_path);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
}

static void
listen_tcp(struct peer *p)
{
	struct sockaddr_in sa = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sa);

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(p->fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(getsockname(p->fd, (struct sockaddr *)&sa, &len), 0);
	snprintf(p->url, sizeof(p->url), "tcp://127.0.0.1:%u",
	    (unsigned)ntohs(sa.sin_port));
}

static void
peer_open(struct peer *p, bool ipc,
    void (*serve)(const struct peer *p, int fd))
{
	p->ipc = ipc;
	p->serve = serve;
	if (ipc) {
		listen_ipc(p);
	} else {
		listen_tcp(p);
	}
	assert_int_equal(listen(p->fd, 16), 0);
	assert_int_equal(pthread_create(&p->thread, NULL, peer_main, p), 0);
}

static void
peer_close(struct peer *p)
{
	shutdown(p->fd, SHUT_RDWR);
	pthread_join(p->thread, NULL);
	close(p->fd);
	if (p->ipc) {
		unlink(p->url + 6);
	}
}

/* Any moment of the next 4 ms; the same ones in each run. */
static void
wait_a_little(void)
{
	static unsigned seed = 1;
	struct timespec t = { .tv_nsec = rand_r(&seed) % 4000000L };

	nanosleep(&t, NULL);
}

static void
send_requests(nng_socket s, nng_ctx *ctx, nng_aio **aio)
{
	for (int i = 0; i < REQUESTS; i++) {
		nng_msg *msg;

		assert_int_equal(nng_ctx_open(&ctx[i], s), 0);
		assert_int_equal(nng_aio_alloc(&aio[i], NULL, NULL), 0);
		assert_int_equal(nng_msg_alloc(&msg, REQUEST_BYTES), 0);
		nng_aio_set_msg(aio[i], msg);
		nng_ctx_send(ctx[i], aio[i]);
	}
}

static void
free_requests(nng_aio **aio)
{
	for (int i = 0; i < REQUESTS; i++) {
		nng_aio_stop(aio[i]);
		if (nng_aio_result(aio[i]) != 0) {
			nng_msg_free(nng_aio_get_msg(aio[i]));
		}
		nng_aio_free(aio[i]);
	}
}

static void
close_amid(bool ipc, bool requests)
{
	struct peer p = { 0 };

	peer_open(&p, ipc, requests ? hear : talk);
	for (int i = 0; i < CLOSINGS; i++) {
		nng_ctx ctx[REQUESTS];
		nng_aio *aio[REQUESTS];
		nng_socket s;

		assert_int_equal(nng_req0_open(&s), 0);
		assert_int_equal(nng_dial(s, p.url, NULL, 0), 0);
		if (requests) {
			send_requests(s, ctx, aio);
		}
		wait_a_little();
		alarm(HUNG_AFTER_S);
		nng_close(s);
		alarm(0);
		if (requests) {
			free_requests(aio);
		}
	}
	peer_close(&p);
}

static void
test_close_while_answers_come(void **state UNUSED)
{
	close_amid(true, false);
	close_amid(false, false);
}

static void
test_close_while_requests_go(void **state UNUSED)
{
	close_amid(true, true);
	close_amid(false, true);
}

/* FIN, then RST, both before NNG accepts: what it writes then gives EPIPE. */
static void
leave_at_once(const char *url)
{
	struct linger at_once = { .l_onoff = 1 };
	struct sockaddr_in v4 = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	bool ipc = strncmp(url, "ipc", 3) == 0;
	int fd = socket(ipc ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(un.sun_path, sizeof(un.sun_path), "%s", url + 6);
	v4.sin_port = htons((uint16_t)atoi(strrchr(url, ':') + 1));
	assert_int_equal(connect(fd, ipc ? (struct sockaddr *)&un
	    : (struct sockaddr *)&v4, ipc ? sizeof(un) : sizeof(v4)), 0);
	shutdown(fd, SHUT_WR);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(fd);
}

static void
listener_outlives(const char *url)
{
	nng_socket rep;
	nng_socket req;
	char word[4] = "ask";
	size_t len = sizeof(word);

	assert_int_equal(nng_rep0_open(&rep), 0);
	assert_int_equal(nng_listen(rep, url, NULL, 0), 0);
	for (int i = 0; i < 50; i++) {
		leave_at_once(url);
	}
	assert_int_equal(nng_req0_open(&req), 0);
	nng_socket_set_ms(req, NNG_OPT_RECVTIMEO, 10000);
	nng_socket_set_ms(req, NNG_OPT_SENDTIMEO, 10000);
	nng_socket_set_ms(rep, NNG_OPT_RECVTIMEO, 10000);
	assert_int_equal(nng_dial(req, url, NULL, 0), 0);
	assert_int_equal(nng_send(req, word, len, 0), 0);
	assert_int_equal(nng_recv(rep, word, &len, 0), 0);
	assert_string_equal(word, "ask");
	nng_close(req);
	nng_close(rep);
}

static void
test_who_leaves_at_once_ends_no_listener(void **state UNUSED)
{
	struct peer p = { 0 };

	listen_tcp(&p); /* for a free port */
	close(p.fd);
	listener_outlives(p.url);
	snprintf(p.url, sizeof(p.url), "ipc:///tmp/parley-mend-test-%d",
	    (int)getpid());
	listener_outlives(p.url);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_close_while_answers_come),
		cmocka_unit_test(test_close_while_requests_go),
		cmocka_unit_test(test_who_leaves_at_once_ends_no_listener),
	};
	int failed;

	nng_mend();
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	nng_fini();
	metrics_fini();
	return failed;
}
