/*
 * What the load client says when the server, or the client itself, stands still
 * for 300 ms under an open loop: each message that was due meanwhile must be
 * charged with its wait, not only the one that was on its way (no coordinated
 * omission).
 *
 * The server is a child that answers every message, and stops itself before it
 * answers a certain one; the test lets it go on. So nothing depends on how fast
 * the machine is: all that is asserted are least times.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/common/case.h"

#include <arpa/inet.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/attr.h"

#define RATE "1000"
#define STALLED_AT 300
#define STALL_MS 300
#define CONTENT "\"content\":\"@"
#define MARK_LEN 40

/* ---- the server ------------------------------------------------------------ */

static void
must(bool ok)
{
	if (!ok) {
		_exit(70);
	}
}

static void
send_text(int fd, const char *text)
{
	unsigned char frame[512];
	size_t len = strlen(text);

	frame[0] = 0x81;
	frame[1] = 126;
	frame[2] = (unsigned char)(len >> 8);
	frame[3] = (unsigned char)len;
	memcpy(frame + 4, text, len);
	must(send(fd, frame, 4 + len, MSG_NOSIGNAL) == (ssize_t)(4 + len));
}

/* As much of new_message as the load client looks at. */
static void
answer(int fd, const char *mark)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"type\":\"new_message\",\"message\":"
	    "{" CONTENT "%.*s%100s\"},\"to\":\"%60s\"}", MARK_LEN, mark, "",
	    "");
	send_text(fd, text);
}

static void NORETURN
serve(int listener)
{
	static char data[1 << 20];
	size_t len = 0;
	int fd, messages = 0;
	bool upgraded = false;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fd = accept(listener, NULL, NULL);
	must(fd >= 0);
	for (;;) {
		ssize_t n = recv(fd, data + len, sizeof(data) - 1 - len, 0);
		char *at = data, *next;

		if (n <= 0) {
			_exit(0);
		}
		len += (size_t)n;
		data[len] = '\0';
		if (!upgraded && strstr(data, "\r\n\r\n") != NULL) {
			static const char upgrade[] =
			    "HTTP/1.1 101 Switching Protocols\r\n\r\n";

			upgraded = true;
			send(fd, upgrade, sizeof(upgrade) - 1, MSG_NOSIGNAL);
			send_text(fd, "{\"type\":\"user_info\"}");
			at = data + len;
		}
		while ((next = memmem(at, len - (size_t)(at - data), CONTENT,
		    sizeof(CONTENT) - 1)) != NULL && next + sizeof(CONTENT) -
		    1 + MARK_LEN <= data + len) {
			if (++messages == STALLED_AT) {
				raise(SIGSTOP);
			}
			at = next + sizeof(CONTENT) - 1;
			answer(fd, at);
			at += MARK_LEN;
		}
		len -= (size_t)(at - data);
		memmove(data, at, len);
	}
}

static pid_t
start_server(uint16_t *port_r)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t len = sizeof(a);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	pid_t pid;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&a, &len),
	    0);
	*port_r = ntohs(a.sin_port);
	pid = fork();
	if (pid == 0) {
		serve(listener);
	}
	assert_true(pid > 0);
	close(listener);
	return pid;
}

/* ---- the load client --------------------------------------------------------- */

static pid_t
start_load(uint16_t port, int *output_r)
{
	char target[64];
	int pipes[2];
	pid_t pid;

	snprintf(target, sizeof(target), "127.0.0.1:%u", port);
	assert_int_equal(pipe(pipes), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(pipes[1], STDOUT_FILENO);
		close(pipes[0]);
		unsetenv("BENCH_DATABASE");
		execl(PARLEY_LOAD, PARLEY_LOAD, "private", "--quiet",
		    "--target", target, "--world", "1", "--connections", "1",
		    "--rate", RATE, "--warmup", "0", "--seconds", "1", NULL);
		_exit(71);
	}
	assert_true(pid > 0);
	close(pipes[1]);
	*output_r = pipes[0];
	return pid;
}

static struct json_object *
take_report(pid_t load, int output)
{
	static char text[1 << 20];
	FILE *f = fdopen(output, "r");
	size_t n = fread(text, 1, sizeof(text) - 1, f);
	struct json_object *report;
	int status;

	text[n] = '\0';
	fclose(f);
	assert_int_equal(waitpid(load, &status, 0), load);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	report = json_tokener_parse(text);
	assert_non_null(report);
	return report;
}

static double
number(struct json_object *o, const char *path)
{
	char keys[128], *rest = NULL;

	snprintf(keys, sizeof(keys), "%s", path);
	for (char *key = strtok_r(keys, ".", &rest); key != NULL;
	    key = strtok_r(NULL, ".", &rest)) {
		assert_true(json_object_object_get_ex(o, key, &o));
	}
	return json_object_get_double(o);
}

/* A hundred were due in the first third of the stall, of a thousand in all. */
static void
check_report(struct json_object *report)
{
	assert_true(number(report, "latency_us.ack.max") >=
	    STALL_MS * 1e3 * 0.95);
	assert_true(number(report, "latency_us.ack.p999") >=
	    STALL_MS * 1e3 * 0.9);
	assert_true(number(report, "latency_us.ack.p99") >=
	    STALL_MS * 1e3 / 2);
	/* None that was due is left out because it came late. */
	assert_true(number(report, "acked") >= 1000);
	assert_int_equal((int)number(report, "errors"), 0);
	json_object_put(report);
}

static void
run(bool stop_client)
{
	uint16_t port;
	int output, status;
	pid_t server = start_server(&port);
	pid_t load = start_load(port, &output);

	assert_int_equal(waitpid(server, &status, WUNTRACED), server);
	assert_true(WIFSTOPPED(status));
	if (stop_client) {
		kill(load, SIGSTOP);
		kill(server, SIGCONT);
	}
	poll(NULL, 0, STALL_MS);
	kill(stop_client ? load : server, SIGCONT);
	check_report(take_report(load, output));
	assert_int_equal(waitpid(server, &status, 0), server);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void
test_server_stalls(void **state UNUSED)
{
	run(false);
}

static void
test_client_stalls(void **state UNUSED)
{
	run(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_stalls),
		cmocka_unit_test(test_client_stalls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
