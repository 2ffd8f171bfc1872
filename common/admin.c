/*
 * The admin port. A connection reads until the blank line, answers, shuts its
 * writing side and reads on until the peer has closed or its time is up:
 * closing with unread bytes would send a reset, which can eat the answer.
 *
 *   READING -> ANSWERING -> DRAINING -> CLOSING
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/admin.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/list.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"

#define REQUEST_MAX 4096
#define CONNECTIONS_MAX 32
#define BACKLOG 64
#define TIME_MAX_MS 5000

struct admin {
	uv_tcp_t listener;
	struct list conns;     /* struct admin_conn, owned */
	size_t conn_count;
	admin_ready_fn *ready;
	bool listener_gone;
	bool closing;
};

enum conn_state {
	CONN_READING,   /* gathering the request */
	CONN_ANSWERING, /* the answer is being written */
	CONN_DRAINING,  /* answered; waiting for the peer to close */
	CONN_CLOSING,   /* uv_close was called on its two handles */
};

struct admin_conn {
	struct list link;      /* admin->conns */
	struct admin *admin;   /* borrowed */
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_write_t write;
	uv_shutdown_t shutdown;
	enum conn_state state;
	bool peer_done;        /* it has shut its writing side */
	int handles;           /* not yet closed */
	size_t len;
	struct buf answer;
	char request[REQUEST_MAX];
};

static void
admin_release(struct admin *a)
{
	if (a->closing && a->listener_gone && a->conn_count == 0) {
		free(a);
	}
}

/* ---- a connection's end ------------------------------------------------- */

static void
on_handle_closed(uv_handle_t *handle)
{
	struct admin_conn *c = handle->data;
	struct admin *a = c->admin;

	if (--c->handles > 0) {
		return;
	}
	list_del(&c->link);
	a->conn_count--;
	buf_fini(&c->answer);
	free(c);
	admin_release(a);
}

static void
conn_close(struct admin_conn *c)
{
	if (c->state == CONN_CLOSING) {
		return;
	}
	c->state = CONN_CLOSING;
	uv_close((uv_handle_t *)&c->tcp, on_handle_closed);
	uv_close((uv_handle_t *)&c->timer, on_handle_closed);
}

static void
on_timeout(uv_timer_t *timer)
{
	conn_close(timer->data);
}

/* ---- answering ---------------------------------------------------------- */

static void
on_shutdown(uv_shutdown_t *req, int status)
{
	struct admin_conn *c = req->data;

	if (status < 0 || c->peer_done) {
		conn_close(c);
	}
}

static void
on_written(uv_write_t *req, int status)
{
	struct admin_conn *c = req->data;

	if (c->state == CONN_CLOSING) {
		return;
	}
	if (status < 0) {
		conn_close(c);
		return;
	}
	c->state = CONN_DRAINING;
	c->shutdown.data = c;
	if (uv_shutdown(&c->shutdown, (uv_stream_t *)&c->tcp,
	    on_shutdown) != 0) {
		conn_close(c);
	}
}

static void
answer(struct admin_conn *c, const char *status, const char *type,
    const char *extra, const struct buf *body)
{
	uv_buf_t out;

	buf_printf(&c->answer,
	    "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	    "Cache-Control: no-store\r\nConnection: close\r\n%s\r\n",
	    status, type, body->len, extra);
	buf_put(&c->answer, body->data, body->len);
	c->state = CONN_ANSWERING;
	c->write.data = c;
	out = uv_buf_init((char *)c->answer.data, (unsigned)c->answer.len);
	if (uv_write(&c->write, (uv_stream_t *)&c->tcp, &out, 1,
	    on_written) != 0) {
		conn_close(c);
	}
}

static void
answer_text(struct admin_conn *c, const char *status, const char *extra,
    const char *text)
{
	struct buf body = BUF_INIT;

	buf_puts(&body, text);
	answer(c, status, "text/plain; charset=utf-8", extra, &body);
	buf_fini(&body);
}

static void
answer_ready(struct admin_conn *c)
{
	struct buf body = BUF_INIT;
	bool ready = c->admin->ready(&body);

	answer(c, ready ? "200 OK" : "503 Service Unavailable",
	    "text/plain; charset=utf-8", "", &body);
	buf_fini(&body);
}

static void
answer_metrics(struct admin_conn *c)
{
	struct buf body = BUF_INIT;

	metrics_render(&body);
	answer(c, "200 OK", "text/plain; version=0.0.4; charset=utf-8", "",
	    &body);
	buf_fini(&body);
}

/* `line` is the request line, changed in place. */
static void
answer_request(struct admin_conn *c, char *line)
{
	char *save = NULL;
	char *method = strtok_r(line, " ", &save);
	char *path = strtok_r(NULL, " ", &save);
	char *version = strtok_r(NULL, " ", &save);

	if (method == NULL || path == NULL || version == NULL ||
	    strtok_r(NULL, " ", &save) != NULL || *path != '/' ||
	    strncmp(version, "HTTP/1.", 7) != 0) {
		answer_text(c, "400 Bad Request", "", "bad request\n");
		return;
	}
	path[strcspn(path, "?")] = '\0';
	if (strcmp(path, "/healthz") != 0 && strcmp(path, "/readyz") != 0 &&
	    strcmp(path, "/metrics") != 0) {
		answer_text(c, "404 Not Found", "",
		    "try /healthz, /readyz or /metrics\n");
	} else if (strcmp(method, "GET") != 0) {
		answer_text(c, "405 Method Not Allowed", "Allow: GET\r\n",
		    "only GET\n");
	} else if (strcmp(path, "/readyz") == 0) {
		answer_ready(c);
	} else if (strcmp(path, "/metrics") == 0) {
		answer_metrics(c);
	} else {
		answer_text(c, "200 OK", "", "ok\n");
	}
}

/* ---- reading ------------------------------------------------------------ */

static void
on_alloc(uv_handle_t *handle, size_t suggested UNUSED, uv_buf_t *out)
{
	static char discard[4096];
	struct admin_conn *c = handle->data;

	if (c->state == CONN_READING) {
		*out = uv_buf_init(c->request + c->len,
		    (unsigned)(sizeof(c->request) - c->len));
	} else {
		*out = uv_buf_init(discard, sizeof(discard));
	}
}

/* Answers once the blank line is there or can no longer come. */
static void
look_at_request(struct admin_conn *c)
{
	char *end = memmem(c->request, c->len, "\r\n\r\n", 4);
	char *line_end;

	if (end == NULL) {
		end = memmem(c->request, c->len, "\n\n", 2);
	}
	if (end == NULL) {
		if (c->len == sizeof(c->request)) {
			answer_text(c, "431 Request Header Fields Too Large",
			    "", "request too large\n");
		}
		return;
	}
	line_end = memchr(c->request, '\n', c->len);
	if (line_end > c->request && line_end[-1] == '\r') {
		line_end--;
	}
	*line_end = '\0';
	answer_request(c, c->request);
}

static void
on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *in UNUSED)
{
	struct admin_conn *c = stream->data;

	if (n < 0) {
		if (c->state == CONN_ANSWERING && n == UV_EOF) {
			/* It asked and shut its side: the answer still goes
			 * out. */
			c->peer_done = true;
			uv_read_stop(stream);
			return;
		}
		conn_close(c);
		return;
	}
	if (c->state == CONN_READING && n > 0) {
		c->len += (size_t)n;
		look_at_request(c);
	}
}

static void
on_connection(uv_stream_t *listener, int status)
{
	struct admin *a = listener->data;
	struct admin_conn *c;

	if (status < 0) {
		log_warn("admin_accept_failed", "cause=\"%s\"",
		    uv_strerror(status));
		return;
	}
	c = mem_zalloc(sizeof(*c));
	c->admin = a;
	uv_tcp_init(listener->loop, &c->tcp);
	uv_timer_init(listener->loop, &c->timer);
	c->tcp.data = c;
	c->timer.data = c;
	c->handles = 2;
	list_push_back(&a->conns, &c->link);
	a->conn_count++;
	if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0 ||
	    a->conn_count > CONNECTIONS_MAX ||
	    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read) != 0) {
		conn_close(c);
		return;
	}
	uv_timer_start(&c->timer, on_timeout, TIME_MAX_MS, 0);
}

/* ---- the listener ------------------------------------------------------- */

/* Splits host:port or [host]:port into `host` (which has room for `address`)
 * and a pointer to the port. */
static const char *
split_address(const char *address, char *host)
{
	const char *colon = strrchr(address, ':');
	size_t len;

	if (colon == NULL || colon[1] == '\0') {
		return NULL;
	}
	len = (size_t)(colon - address);
	if (len >= 2 && address[0] == '[' && address[len - 1] == ']') {
		address++;
		len -= 2;
	}
	memcpy(host, address, len);
	host[len] = '\0';
	return colon + 1;
}

static int
resolve(const char *address, struct sockaddr_storage *to)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	char *host = mem_strdup(address);
	const char *port = split_address(address, host);
	int rc = -1;

	if (port != NULL &&
	    getaddrinfo(*host != '\0' ? host : NULL, port, &hints,
	    &found) == 0) {
		memcpy(to, found->ai_addr, found->ai_addrlen);
		freeaddrinfo(found);
		rc = 0;
	}
	free(host);
	return rc;
}

static void
on_listener_closed(uv_handle_t *handle)
{
	struct admin *a = handle->data;

	a->listener_gone = true;
	admin_release(a);
}

struct admin *
admin_new(uv_loop_t *loop, const char *address, admin_ready_fn *ready,
    char error[ADMIN_ERROR_LEN])
{
	struct sockaddr_storage to;
	struct admin *a;
	int rc;

	if (resolve(address, &to) != 0) {
		snprintf(error, ADMIN_ERROR_LEN, "cannot listen on %.100s: not "
		    "an address such as 127.0.0.1:9100; set admin_listen",
		    address);
		return NULL;
	}
	a = mem_zalloc(sizeof(*a));
	a->ready = ready;
	list_init(&a->conns);
	uv_tcp_init(loop, &a->listener);
	a->listener.data = a;
	rc = uv_tcp_bind(&a->listener, (struct sockaddr *)&to, 0);
	if (rc == 0) {
		rc = uv_listen((uv_stream_t *)&a->listener, BACKLOG,
		    on_connection);
	}
	if (rc != 0) {
		snprintf(error, ADMIN_ERROR_LEN, "cannot listen on %.100s: %s; "
		    "set admin_listen to %s", address, uv_strerror(rc),
		    rc == UV_EADDRINUSE ? "a free port"
		                        : "an address of this host");
		admin_free(&a);
	}
	return a;
}

char *
admin_address(const struct admin *a, char *text, size_t size)
{
	struct sockaddr_storage at;
	char host[INET6_ADDRSTRLEN] = "?";
	int len = sizeof(at), port = 0;
	const void *raw = &at;

	if (uv_tcp_getsockname(&a->listener, (struct sockaddr *)&at,
	    &len) == 0) {
		if (at.ss_family == AF_INET6) {
			const struct sockaddr_in6 *in6 = raw;

			uv_ip6_name(in6, host, sizeof(host));
			port = ntohs(in6->sin6_port);
		} else {
			const struct sockaddr_in *in = raw;

			uv_ip4_name(in, host, sizeof(host));
			port = ntohs(in->sin_port);
		}
	}
	snprintf(text, size, at.ss_family == AF_INET6 ? "[%s]:%d" : "%s:%d",
	    host, port);
	return text;
}

void
admin_free(struct admin **a)
{
	if (*a == NULL) {
		return;
	}
	(*a)->closing = true;
	LIST_FOREACH(link, &(*a)->conns) {
		conn_close(LIST_ENTRY(link, struct admin_conn, link));
	}
	uv_close((uv_handle_t *)&(*a)->listener, on_listener_closed);
	*a = NULL;
}
