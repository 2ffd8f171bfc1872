/*
 * The skeleton and the admin port, as a supervisor sees them: a child process
 * runs daemon_main with a small spec; signals, exit statuses, answers over HTTP
 * and datagrams to NOTIFY_SOCKET are what is checked.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/attr.h"
#include "common/daemon.h"
#include "common/log.h"

#define WAIT_MS 10000

/* How the child behaves. */
enum mode {
	MODE_GOOD,
	MODE_INIT_FAILS,
	MODE_NEVER_DRAINS,
	MODE_FAILS_AT_START,
	MODE_FAILS_LATER,
	MODE_PREFLIGHT,
	MODE_END_HANGS,
};

static enum mode mode;
static uv_timer_t timer;

/* ---- the child ----------------------------------------------------------- */

static void
on_met(uv_timer_t *t UNUSED)
{
	if (mode == MODE_FAILS_LATER) {
		daemon_fail();
	}
	/* Ready only when the test says so. */
	daemon_need("redis", access("met", F_OK) == 0);
}

static bool
init(uv_loop_t *loop)
{
	uv_timer_init(loop, &timer);
	uv_timer_start(&timer, on_met, 20, 20);
	daemon_need("postgres", true);
	daemon_need("redis", false);
	if (mode == MODE_FAILS_AT_START) {
		daemon_fail();
	}
	return mode != MODE_INIT_FAILS;
}

static void
on_drained(uv_timer_t *t UNUSED)
{
	log_info("drain_done", "draining=%d", daemon_draining());
	daemon_stopped();
}

static void
drain(void)
{
	if (mode != MODE_NEVER_DRAINS) {
		uv_timer_start(&timer, on_drained, 100, 0);
	}
}

static void
fini(void)
{
	log_info("fini_ran", "mode=%d", (int)mode);
	while (mode == MODE_END_HANGS) {
		pause();
	}
	uv_close((uv_handle_t *)&timer, NULL);
}

static void
reload(void)
{
	log_info("reload_ran", "mode=%d", (int)mode);
}

static void
dump(void)
{
	log_info("dump_ran", "mode=%d", (int)mode);
}

static int
preflight(void)
{
	return mode == MODE_PREFLIGHT ? 7 : -1;
}

static const struct config_row rows[] = { CONFIG_END };

static const struct daemon_spec spec = {
	.name = "testd",
	.summary = "a process to test the skeleton with",
	.rows = rows,
	.admin_default = "127.0.0.1:0",
	.init = init,
	.drain = drain,
	.fini = fini,
	.reload = reload,
	.dump = dump,
	.preflight = preflight,
};

/* ---- the parent's tools -------------------------------------------------- */

static char dir[] = "/tmp/parley-daemon-XXXXXX";
static pid_t child;

static void
nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
}

static const char *
log_text(void)
{
	static char text[65536];
	FILE *f = fopen("log", "r");
	size_t len = 0;

	if (f != NULL) {
		len = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[len] = '\0';
	return text;
}

/* Waits until the word is in the log; returns where. */
static const char *
wait_log(const char *word)
{
	for (int i = 0; i < WAIT_MS / 10; i++) {
		const char *at = strstr(log_text(), word);

		if (at != NULL) {
			return at;
		}
		nap();
	}
	fail_msg("no `%s` in the log:\n%s", word, log_text());
	return NULL;
}

static void
start(enum mode how, const char *extra)
{
	char *argv[] = { (char *)"testd", (char *)"--log-file=log",
		(char *)extra, NULL };

	unlink("log");
	unlink("met");
	mode = how;
	fflush(stdout);
	child = fork();
	if (child == 0) {
		/* exit, not _exit: the leak checker shall have its say. */
		exit(daemon_main(extra != NULL ? 3 : 2, argv, &spec));
	}
	assert_true(child > 0);
}

static int
wait_exit(void)
{
	int status = -1;

	for (int i = 0; i < WAIT_MS / 10; i++) {
		if (waitpid(child, &status, WNOHANG) == child) {
			assert_true(WIFEXITED(status));
			return WEXITSTATUS(status);
		}
		nap();
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	fail_msg("still running:\n%s", log_text());
	return -1;
}

static int
admin_port(void)
{
	return atoi(wait_log("admin_listening addr=127.0.0.1:") +
	    strlen("admin_listening addr=127.0.0.1:"));
}

static int
dial(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)admin_port()),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* All the peer says until it closes; closes too. */
static const char *
hear(int fd)
{
	static char text[131072];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, text + len, sizeof(text) - 1 - len)) > 0) {
		len += (size_t)n;
	}
	assert_int_equal(n, 0);
	text[len] = '\0';
	close(fd);
	return text;
}

static const char *
ask(const char *request)
{
	int fd = dial();

	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	return hear(fd);
}

static void
expect_answer(const char *request, const char *status, const char *end)
{
	const char *text = ask(request);
	size_t len = strlen(text);

	if (strncmp(text, status, strlen(status)) != 0 ||
	    len < strlen(end) ||
	    strcmp(text + len - strlen(end), end) != 0) {
		fail_msg("%s -> %s", request, text);
	}
}

static void
make_met(void)
{
	close(open("met", O_CREAT | O_WRONLY, 0600));
}

/* ---- tests --------------------------------------------------------------- */

static void
test_life(void **state UNUSED)
{
	start(MODE_GOOD, NULL);
	wait_log("admin_listening");
	expect_answer("GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n",
	    "\r\n\r\nok\n");
	expect_answer("GET /readyz HTTP/1.1\r\n\r\n", "HTTP/1.1 503 ",
	    "\r\n\r\nmissing: redis\n");
	assert_null(strstr(log_text(), " ready "));
	make_met();
	wait_log(" info testd ready version=");
	expect_answer("GET /readyz?x=1 HTTP/1.0\n\n", "HTTP/1.1 200 ",
	    "\r\n\r\nready\n");
	unlink("met");
	wait_log("need_lost what=redis");
	expect_answer("GET /readyz HTTP/1.1\r\n\r\n", "HTTP/1.1 503 ",
	    "missing: redis\n");
	kill(child, SIGUSR1);
	wait_log("dump_ran");
	kill(child, SIGTERM);
	wait_log("draining signal=SIGTERM");
	expect_answer("GET /readyz HTTP/1.1\r\n\r\n", "HTTP/1.1 503 ",
	    "draining\n");
	assert_int_equal(wait_exit(), 0);
	wait_log("drain_done draining=1");
	wait_log("fini_ran");
	wait_log("ended status=0");
	assert_null(strstr(log_text(), "handle_left"));
}

static void
test_http(void **state UNUSED)
{
	static char big[6000];
	int fd;

	start(MODE_GOOD, NULL);
	expect_answer("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 404 ", "\n");
	expect_answer("POST /nope HTTP/1.1\r\n\r\nx", "HTTP/1.1 404 ", "\n");
	expect_answer("POST /metrics HTTP/1.1\r\nContent-Length: 2\r\n\r\nxx",
	    "HTTP/1.1 405 Method Not Allowed\r\n", "only GET\n");
	expect_answer("GET\r\n\r\n", "HTTP/1.1 400 ", "bad request\n");
	expect_answer("GET /healthz\r\n\r\n", "HTTP/1.1 400 ", "\n");
	expect_answer("GET /healthz HTTP/2.0\r\n\r\n", "HTTP/1.1 400 ", "\n");
	expect_answer("GET http://x/ HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ", "\n");
	expect_answer("\r\n\r\n", "HTTP/1.1 400 ", "bad request\n");
	memset(big, 'a', sizeof(big) - 1);
	memcpy(big, "GET /healthz HTTP/1.1\r\nX: ", 26);
	expect_answer(big, "HTTP/1.1 431 ", "request too large\n");
	assert_non_null(strstr(ask("GET /metrics HTTP/1.1\r\n\r\n"),
	    "\nparley_build_info{version=\"" PARLEY_VERSION "\"} 1\n"));
	/* Byte by byte, then half-closed before the answer is read. */
	fd = dial();
	for (const char *p = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
	    *p != '\0'; p++) {
		assert_int_equal(send(fd, p, 1, 0), 1);
	}
	shutdown(fd, SHUT_WR);
	assert_non_null(strstr(hear(fd), "\r\n\r\nok\n"));
	kill(child, SIGTERM);
	assert_int_equal(wait_exit(), 0);
}

/* The 33rd connection is turned away; the 32 lose their seats after 5 s, when a
 * drain no longer waits for them. */
static void
test_http_crowd(void **state UNUSED)
{
	int fds[33];
	char c;

	start(MODE_GOOD, NULL);
	for (int i = 0; i < 33; i++) {
		fds[i] = dial();
	}
	assert_int_equal(read(fds[32], &c, 1), 0);
	/* One leaves; its place is free once the process has seen that. */
	shutdown(fds[31], SHUT_WR);
	assert_int_equal(read(fds[31], &c, 1), 0);
	close(fds[31]);
	expect_answer("GET /healthz HTTP/1.1\r\n\r\n", "HTTP/1.1 200 ", "ok\n");
	kill(child, SIGTERM);
	assert_int_equal(wait_exit(), 0);
	for (int i = 0; i < 31; i++) {
		close(fds[i]);
	}
	close(fds[32]);
}

static void
test_second_signal(void **state UNUSED)
{
	start(MODE_NEVER_DRAINS, NULL);
	make_met();
	wait_log(" ready ");
	kill(child, SIGINT);
	wait_log("draining signal=SIGINT");
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
	kill(child, SIGTERM);
	assert_int_equal(wait_exit(), 1);
	wait_log("killed signal=SIGTERM");
}

static void
test_drain_timeout(void **state UNUSED)
{
	start(MODE_NEVER_DRAINS, "--drain-timeout=150ms");
	make_met();
	wait_log(" ready ");
	kill(child, SIGTERM);
	assert_int_equal(wait_exit(), 0);
	wait_log("drain_timeout after_ms=150");
	wait_log("fini_ran");
}

/* A library that waits for ever in its end does not make us do so. */
static void
test_end_that_hangs(void **state UNUSED)
{
	start(MODE_END_HANGS, NULL);
	wait_log("admin_listening");
	kill(child, SIGTERM);
	assert_int_equal(wait_exit(), 1);
	assert_non_null(strstr(log_text(), "fini_ran"));
}

static void
test_failures(void **state UNUSED)
{
	static const enum mode modes[] = { MODE_INIT_FAILS,
		MODE_FAILS_AT_START, MODE_FAILS_LATER };

	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		start(modes[i], NULL);
		assert_int_equal(wait_exit(), 1);
		wait_log("fini_ran");
		wait_log("ended status=1");
		assert_null(strstr(log_text(), "handle_left"));
	}
	start(MODE_PREFLIGHT, NULL);
	assert_int_equal(wait_exit(), 7);
	assert_null(strstr(log_text(), "fini_ran"));
}

static void
test_port_busy(void **state UNUSED)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	socklen_t len = sizeof(at);
	char flag[64], wanted[160];

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(flag, sizeof(flag), "--admin-listen=127.0.0.1:%d",
	    ntohs(at.sin_port));
	start(MODE_GOOD, flag);
	assert_int_equal(wait_exit(), 1);
	snprintf(wanted, sizeof(wanted), "cannot listen on 127.0.0.1:%d: "
	    "address already in use; set admin_listen to a free port\n",
	    ntohs(at.sin_port));
	wait_log(wanted);
	close(fd);
	start(MODE_GOOD, "--admin-listen=nonsense");
	assert_int_equal(wait_exit(), 1);
	wait_log("not an address such as 127.0.0.1:9100; set admin_listen");
	start(MODE_GOOD, "--log-level=loud");
	assert_int_equal(wait_exit(), 2);
}

static void
test_reload(void **state UNUSED)
{
	FILE *f = fopen("conf", "w");

	fputs("log_level = info\n", f);
	fclose(f);
	start(MODE_GOOD, "--config=conf");
	make_met();
	wait_log(" ready ");
	assert_int_equal(rename("log", "log.1"), 0);
	kill(child, SIGHUP);
	wait_log("reload_ran");
	f = fopen("conf", "w");
	fputs("log_level = warn\n", f);
	fclose(f);
	kill(child, SIGHUP);
	wait_log("setting_changed key=log_level");
	f = fopen("conf", "w");
	fputs("log_levle = info\n", f);
	fclose(f);
	kill(child, SIGHUP);
	wait_log("reload_refused");
	kill(child, SIGTERM);
	assert_int_equal(wait_exit(), 0);
	assert_null(strstr(log_text(), "drained"));
	unlink("conf");
	unlink("log.1");
}

static void
expect_datagram(int fd, const char *text)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	char got[64];
	ssize_t n;

	assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
	n = recv(fd, got, sizeof(got) - 1, 0);
	assert_true(n > 0);
	got[n] = '\0';
	assert_string_equal(got, text);
}

static void
test_notify(void **state UNUSED)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s/notify", dir);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	setenv("NOTIFY_SOCKET", at.sun_path, 1);
	start(MODE_GOOD, NULL);
	unsetenv("NOTIFY_SOCKET");
	make_met();
	expect_datagram(fd, "READY=1");
	kill(child, SIGTERM);
	expect_datagram(fd, "STOPPING=1");
	assert_int_equal(wait_exit(), 0);
	close(fd);
	unlink("notify");
}

static int
setup(void **state UNUSED)
{
	return mkdtemp(dir) != NULL && chdir(dir) == 0 ? 0 : -1;
}

static int
teardown(void **state UNUSED)
{
	unlink("log");
	unlink("met");
	return chdir("/") == 0 && rmdir(dir) == 0 ? 0 : -1;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_http),
		cmocka_unit_test(test_http_crowd),
		cmocka_unit_test(test_second_signal),
		cmocka_unit_test(test_drain_timeout),
		cmocka_unit_test(test_end_that_hangs),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_port_busy),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_notify),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
