/*
 * See peers.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/presenced/peers.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buf.h"

#define BEAT_MS 200
#define WITHIN_MS 20000
#define PART 1000

/* ---- presenced ----------------------------------------------------------- */

static pid_t processes[3];
static int admin_ports[3];

static int
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	close(fd);
	return ntohs(a.sin_port);
}

void
presenced_start(unsigned n, const char *lease, const char *grace)
{
	char listen[40], admin[40], lease_arg[40], grace_arg[40], log[40];
	const char *argv[] = { PRESENCED_BINARY, listen, admin, lease_arg, grace_arg,
		log, "--redis-url=" REDIS_URL, "--chatd=ipc://c.sock",
		"--log-level=debug", NULL };

	admin_ports[n] = free_port();
	snprintf(listen, sizeof(listen), "--listen=ipc://p%u.sock", n);
	snprintf(admin, sizeof(admin), "--admin-listen=127.0.0.1:%d",
	    admin_ports[n]);
	snprintf(lease_arg, sizeof(lease_arg), "--lease=%s", lease);
	snprintf(grace_arg, sizeof(grace_arg), "--grace=%s", grace);
	snprintf(log, sizeof(log), "--log-file=p%u.log", n);
	processes[n] = spawn(argv);
}

void
presenced_signal(unsigned n, int signal_number)
{
	kill(processes[n], signal_number);
}

static bool
has_ended(pid_t pid, int *status_r)
{
	return waitpid(pid, status_r, WNOHANG) == pid;
}

/* The loop turns meanwhile: who ends waits for its callers, which are ours, to
 * hang up. */
int
presenced_end(unsigned n, int signal_number)
{
	int status = -1;

	if (processes[n] > 0) {
		kill(processes[n], signal_number);
		TURN_UNTIL(has_ended(processes[n], &status), 10000);
		processes[n] = 0;
	}
	return status;
}

static bool
says_ready(int port)
{
	static const char request[] = "GET /readyz HTTP/1.1\r\nHost: x\r\n"
	    "Connection: close\r\n\r\n";
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct timeval limit = { .tv_sec = 1 };
	char answer[256] = "";
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ssize_t got = -1;

	assert_true(fd >= 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	if (connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) > 0) {
		got = recv(fd, answer, sizeof(answer) - 1, 0);
	}
	close(fd);
	return got > 0 && strstr(answer, " 200 ") != NULL;
}

void
presenced_ready(unsigned n)
{
	TURN_UNTIL(says_ready(admin_ports[n]), WITHIN_MS);
}

/* ---- calls --------------------------------------------------------------- */

struct answered {
	bool done;
	enum err status;
	bool flag;
};

static void
on_raw(void *arg, enum err status, const struct frame *reply)
{
	struct answered *a = arg;

	a->done = true;
	a->status = status;
	a->flag = reply != NULL && reply->body_len == 5 && reply->body[4] == 1;
}

static struct answered
call_await(struct rpc_client *client, enum msg_kind kind, const void *body,
    size_t len)
{
	struct rpc_request req = { .kind = kind, .body = body, .body_len = len };
	struct answered a = { 0 };

	rpc_call(client, &req, on_raw, &a);
	TURN_UNTIL(a.done, WITHIN_MS);
	return a;
}

enum err
call_raw(struct rpc_client *client, enum msg_kind kind, const void *body,
    size_t len)
{
	return call_await(client, kind, body, len).status;
}

static struct rpc_client *
client_open(const char *service, const char *addresses)
{
	const struct rpc_client_conf conf = { .service = service,
		.addresses = addresses, .timeout_ms = 2000, .attempt_ms = 700,
		.pending_max = 1000 };
	struct rpc_client *c = rpc_client_new(&loop, &conf);

	assert_non_null(c);
	return c;
}

/* ---- a gateway ----------------------------------------------------------- */

static void gateway_register(struct gateway *g);

static void
on_part(void *arg, enum err status, const struct frame *reply)
{
	struct gateway *g = arg;

	(void)reply;
	g->part_failed |= status != ERR_OK;
	if (--g->parts_out > 0) {
		return;
	}
	g->registering = false;
	if (g->part_failed) {
		gateway_register(g);
	} else {
		g->registrations++;
	}
}

static void
put_part(struct gateway *g, struct buf *b, size_t first, size_t n)
{
	const struct session_head head = { g->id, true };

	put_session_head(b, &head);
	buf_put_u32(b, (uint32_t)n);
	for (size_t i = first; i < first + n; i++) {
		put_session_change(b, &g->sessions[i]);
	}
}

static void
gateway_register(struct gateway *g)
{
	size_t at = 0;

	g->registering = true;
	g->part_failed = false;
	do {
		size_t n = g->sessions_len - at < PART ? g->sessions_len - at
		    : PART;
		struct rpc_request req = { .kind = CALL_sessions_changed,
			.route = g->id };
		struct buf b = BUF_INIT;

		put_part(g, &b, at, n);
		req.body = b.data;
		req.body_len = b.len;
		g->parts_out++;
		rpc_call(g->client, &req, on_part, g);
		buf_fini(&b);
		at += n;
	} while (at < g->sessions_len);
}

static void
on_beat_reply(void *arg, enum err status, const struct frame *reply)
{
	struct gateway *g = arg;

	(void)reply;
	g->beat_out = false;
	if (status == ERR_OK) {
		g->beats_ok++;
	} else if (status == ERR_NOT_FOUND && !g->registering) {
		gateway_register(g);
	}
}

static void
on_beat(uv_timer_t *timer)
{
	struct gateway *g = timer->data;
	const struct session_head head = { g->id, false };
	struct rpc_request req = { .kind = CALL_heartbeat, .route = g->id };
	struct buf b = BUF_INIT;

	if (g->beat_out) {
		return;
	}
	g->beat_out = true;
	put_session_head(&b, &head);
	req.body = b.data;
	req.body_len = b.len;
	rpc_call(g->client, &req, on_beat_reply, g);
	buf_fini(&b);
}

void
gateway_open(struct gateway *g, unsigned n, const char *addresses)
{
	memset(g, 0, sizeof(*g));
	g->id = id_of('g', n);
	g->client = client_open("presenced", addresses);
	uv_timer_init(&loop, &g->beat);
	g->beat.data = g;
	uv_timer_start(&g->beat, on_beat, 0, BEAT_MS);
	TURN_UNTIL(g->beats_ok > 0, WITHIN_MS);
}

void
gateway_die(struct gateway *g)
{
	uv_timer_stop(&g->beat);
}

void
gateway_close(struct gateway *g)
{
	rpc_client_free(&g->client);
	uv_close((uv_handle_t *)&g->beat, NULL);
	turn();
	turn();
}

void
gateway_forget(struct gateway *g, unsigned first, unsigned n)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->sessions_len; i++) {
		const struct session_change *c = &g->sessions[i];
		struct uuid lo = id_of('u', first);
		struct uuid hi = id_of('u', first + n - 1);

		if (uuid_cmp(&c->user, &lo) < 0 || uuid_cmp(&c->user, &hi) > 0) {
			g->sessions[kept++] = *c;
		}
	}
	g->sessions_len = kept;
}

/* The user's open session; a new one where there is none. */
static struct session_change
session_of(struct gateway *g, enum session_op op, unsigned n)
{
	struct session_change c = { op, id_of('u', n), uuid_v4() };

	for (size_t i = 0; i < g->sessions_len; i++) {
		if (uuid_eq(&g->sessions[i].user, &c.user)) {
			c.session = g->sessions[i].session;
		}
	}
	return c;
}

void
gateway_change(struct gateway *g, enum session_op op, unsigned first,
    unsigned n)
{
	const struct session_head head = { g->id, false };
	struct buf b = BUF_INIT;

	put_session_head(&b, &head);
	buf_put_u32(&b, n);
	for (unsigned i = first; i < first + n; i++) {
		struct session_change c = session_of(g, op, i);

		put_session_change(&b, &c);
		if (op == SESSION_UP) {
			assert_true(g->sessions_len < SESSIONS_MAX);
			g->sessions[g->sessions_len++] = c;
		}
	}
	if (op != SESSION_UP) {
		gateway_forget(g, first, n);
	}
	assert_int_equal(call_raw(g->client, CALL_sessions_changed, b.data,
	    b.len), ERR_OK);
	buf_fini(&b);
}

/* ---- a chatd ------------------------------------------------------------- */

static void
on_call(void *arg, struct rpc_in *in)
{
	struct chatd *c = arg;
	struct rpc_out out = { .status = c->answer };
	struct rd r;
	uint32_t n;

	assert_int_equal(in->frame.kind, CALL_presence_changed);
	rd_init(&r, in->frame.body, in->frame.body_len);
	n = rd_u32(&r);
	assert_in_range(n, 1, 100);
	for (uint32_t i = 0; i < n; i++) {
		struct presence_change p;

		get_presence_change(&r, &p);
		assert_true(c->told_len < TOLD_MAX);
		if (c->answer == ERR_OK) {
			c->told[c->told_len++] = p;
		}
	}
	assert_true(rd_done(&r));
	c->calls++;
	rpc_reply(in, &out);
}

void
chatd_listen(struct chatd *c)
{
	c->server = rpc_server_new(&loop, "ipc://c.sock", 1000, on_call, c);
	assert_non_null(c->server);
}

void
chatd_open(struct chatd *c, const char *presenceds)
{
	memset(c, 0, sizeof(*c));
	c->client = client_open("presenced", presenceds);
	chatd_listen(c);
}

void
chatd_close(struct chatd *c)
{
	rpc_server_free(&c->server);
	rpc_client_free(&c->client);
}

enum err
chatd_ask(struct chatd *c, unsigned user, bool *online_r)
{
	struct uuid id = id_of('u', user);
	struct buf b = BUF_INIT;
	struct answered a;

	buf_put_u32(&b, 1);
	buf_put_uuid(&b, &id);
	a = call_await(c->client, CALL_who_is_online, b.data, b.len);
	buf_fini(&b);
	*online_r = a.flag;
	return a.status;
}

bool
chatd_heard(const struct chatd *c, unsigned user, bool online,
    struct presence_change *change_r)
{
	struct uuid id = id_of('u', user);

	for (size_t i = c->told_len; i-- > 0;) {
		if (uuid_eq(&c->told[i].user, &id)) {
			if (change_r != NULL) {
				*change_r = c->told[i];
			}
			return c->told[i].online == online;
		}
	}
	return false;
}

void
chatd_reset(struct chatd *c)
{
	c->told_len = 0;
	c->calls = 0;
}
