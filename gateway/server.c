/*
 * Traps of libwebsockets 4.1.6 that are dealt with here: its timers on a
 * foreign loop are only looked at after one of its own events (hence
 * lws_cancel_service after accepting); it sizes tables by the limit of open
 * files; its default policy pings by sorted lists of O(n) (ours does, see
 * watch.c); it writes at most tx_packet_size at once; and a foreign loop has to
 * turn between the two calls that destroy a context.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/server.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "gateway/conn.h"
#include "gateway/linger.h"
#include "gateway/listener.h"
#include "gateway/remote.h"
#include "gateway/proxied.h"
#include "gateway/settings.h"
#include "gateway/stats.h"
#include "gateway/tls_port.h"
#include "gateway/ws.h"

/* Sockets beyond the WebSockets: HTTP, our own links. */
#define FDS_SPARE 1024
#define TURNS_MAX 1000
/* More than one address may have on the way (address_handshakes_max). */
#define HEADERS_AT_ONCE 8192
#define HEADER_DATA_MAX 8192
/* Each WebSocket has one: longer messages come in chunks of it. */
#define RX_BUFFER 384
#define READ_BUFFER 16384
#define TX_AT_ONCE (1024 * 1024)
#define HTTP_IDLE_S 15

struct server {
	struct gateway *gw;             /* borrowed */
	struct lws_context *context;    /* the library clears it at the end */
	struct lws_vhost *vhost;
	struct listener *listener;      /* owned */
	struct proxied *proxied;        /* owned; NULL: no proxy_protocol */
	size_t sockets;
};

/* ---- the library's callback --------------------------------------------- */

static int
on_destroy(struct server *server, struct lws *wsi, struct socket *s)
{
	struct remote *remote = lws_get_opaque_user_data(wsi);

	server->sockets--;
	if (s != NULL) {
		/* A socket that ended between its states. */
		conn_gone(&s->conn);
		http_callback(server->gw, NULL, LWS_CALLBACK_CLOSED_HTTP, s,
		    NULL, 0);
	}
	lws_set_opaque_user_data(wsi, NULL);
	remote_free(&remote);
	return 0;
}

static int
callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
    void *in, size_t len)
{
	struct lws_context *context = lws_get_context(wsi);
	struct server *server = lws_context_user(context);

	if (server == NULL) {
		return 0; /* of the library's own, while it starts */
	}
	switch (reason) {
	case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
		return tls_port_fill(user) ? 0 : 1;
	case LWS_CALLBACK_WSI_CREATE:
		server->sockets++;
		return 0;
	case LWS_CALLBACK_WSI_DESTROY:
		return on_destroy(server, wsi, user);
	case LWS_CALLBACK_HTTP:
	case LWS_CALLBACK_HTTP_BODY:
	case LWS_CALLBACK_HTTP_BODY_COMPLETION:
	case LWS_CALLBACK_HTTP_WRITEABLE:
	case LWS_CALLBACK_HTTP_FILE_COMPLETION:
	case LWS_CALLBACK_HTTP_DROP_PROTOCOL:
	case LWS_CALLBACK_CLOSED_HTTP:
		return user == NULL ? 0
		    : http_callback(server->gw, wsi, reason, user, in, len);
	case LWS_CALLBACK_RAW_ADOPT:
	case LWS_CALLBACK_RAW_RX:
		return -1; /* what CONNECT would be */
	case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
	case LWS_CALLBACK_ESTABLISHED:
	case LWS_CALLBACK_RECEIVE:
	case LWS_CALLBACK_RECEIVE_PONG:
	case LWS_CALLBACK_SERVER_WRITEABLE:
	case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
	case LWS_CALLBACK_WS_SERVER_DROP_PROTOCOL:
	case LWS_CALLBACK_CLOSED:
		return ws_callback(server->gw, wsi, reason, user, in, len);
	default:
		return 0;
	}
}

static const struct lws_protocols protocols[] = {
	{
		.name = "parley",
		.callback = callback,
		.per_session_data_size = sizeof(struct socket),
		.rx_buffer_size = RX_BUFFER,
		.tx_packet_size = TX_AT_ONCE,
	},
	{ .name = NULL },
};

/* ---- accepting ---------------------------------------------------------- */

/* The client at `a` is served, or refused at once. */
static void
adopt(struct server *s, int fd, const struct address *a)
{
	struct remote *remote = remote_new(s->gw, a, s->sockets);
	struct lws *wsi;

	if (remote == NULL) {
		close(fd);
		return;
	}
	/* The library closes the socket itself if it cannot take it. */
	wsi = lws_adopt_socket_vhost(s->vhost, fd);
	if (wsi == NULL) {
		metric_inc(stats.accepts_failed);
		remote_free(&remote);
		return;
	}
	lws_set_opaque_user_data(wsi, remote);
}

static void
on_accept(void *arg, int fd, const struct address *a)
{
	struct server *s = arg;

	if (s->proxied != NULL && nets_have(s->gw->trusted, a)) {
		proxied_take(s->proxied, fd, a);
	} else {
		adopt(s, fd, a);
	}
}

/* A proxy has told whose connection it is. */
static void
on_proxied(void *arg, int fd, const struct address *a)
{
	struct server *s = arg;

	adopt(s, fd, a);
	lws_cancel_service(s->context);
}

static void
on_accepted(void *arg)
{
	struct server *s = arg;

	lws_cancel_service(s->context);
}

/* ---- start -------------------------------------------------------------- */

static void
on_log(int level, const char *line)
{
	size_t len = strlen(line);

	while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r')) {
		len--;
	}
	/* Mostly about what odd clients do: not an operator's business. */
	if (level == LLL_ERR || level == LLL_WARN) {
		log_debug("websocket_library", "text=\"%.*s\"", (int)len,
		    line);
	}
}

/* Room for connections_max sockets, and not for many times more: the library
 * allocates by this limit. */
static void
limit_files(void)
{
	rlim_t want = (rlim_t)settings.connections_max + FDS_SPARE;
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) < 0) {
		return;
	}
	if (rl.rlim_max != RLIM_INFINITY && rl.rlim_max < want) {
		log_warn("few_files", "limit=%llu wanted=%llu remedy=\"raise "
		    "the limit of open files (ulimit -n, LimitNOFILE) or lower "
		    "connections_max\"", (unsigned long long)rl.rlim_max,
		    (unsigned long long)want);
		want = rl.rlim_max;
	}
	rl.rlim_cur = want;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
}

/* The library counts in seconds. */
static unsigned
seconds(int64_t ms)
{
	return (unsigned)((ms + 999) / 1000);
}

static bool
start_library(struct server *s)
{
	static const lws_retry_bo_t no_pings = { 0 };
	struct lws_context_creation_info info;
	void *loops[1] = { s->gw->loop };

	memset(&info, 0, sizeof(info));
	info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
	info.protocols = protocols;
	info.user = s;
	info.pcontext = &s->context;
	info.options = LWS_SERVER_OPTION_LIBUV |
	    LWS_SERVER_OPTION_EXPLICIT_VHOSTS;
	info.foreign_loops = loops;
	info.max_http_header_data = HEADER_DATA_MAX;
	info.max_http_header_pool = HEADERS_AT_ONCE;
	info.pt_serv_buf_size = READ_BUFFER;
	info.timeout_secs = seconds(settings.header_timeout);
	info.timeout_secs_ah_idle = seconds(settings.header_timeout);
	info.keepalive_timeout = HTTP_IDLE_S;
	info.retry_and_idle_policy = &no_pings;
	info.server_string = "parley";
	info.vhost_name = "parley";
	if (tls_port_on()) {
		tls_port_prepare(&info);
	}
	lws_set_log_level(LLL_ERR | LLL_WARN, on_log);
	s->context = lws_create_context(&info);
	if (s->context == NULL) {
		log_error("websocket_library_failed", "remedy=\"install the "
		    "package libwebsockets-evlib-uv beside libwebsockets\"");
		return false;
	}
	s->vhost = lws_create_vhost(s->context, &info);
	if (s->vhost == NULL) {
		log_error("websocket_library_failed",
		    "remedy=\"see log_level=debug\"");
		return false;
	}
	return true;
}

size_t
server_sockets(const struct server *s)
{
	return s->sockets;
}

static double
gauge_sockets(void *arg)
{
	return (double)server_sockets(arg);
}

struct server *
server_new(struct gateway *gw)
{
	struct server *s = mem_zalloc(sizeof(*s));
	const struct listener_conf conf = {
		.loop = gw->loop,
		.address = settings.listen,
		.on_accept = on_accept,
		.on_done = on_accepted,
		.arg = s,
	};
	const struct proxied_conf proxied_conf = {
		.loop = gw->loop,
		.limits = gw->limits,
		.on_client = on_proxied,
		.arg = s,
	};

	s->gw = gw;
	limit_files();
	if (!start_library(s)) {
		server_free(&s);
		return NULL;
	}
	if (settings.proxy_protocol) {
		s->proxied = proxied_new(&proxied_conf);
	}
	s->listener = listener_new(&conf);
	if (s->listener == NULL) {
		server_free(&s);
		return NULL;
	}
	metric_gauge_fn("parley_gateway_sockets", NULL,
	    "Client sockets, HTTP and WebSocket", gauge_sockets, s);
	return s;
}

/* ---- end ---------------------------------------------------------------- */

void
server_stop_listening(struct server *s)
{
	listener_finish(s->listener);
}

bool
server_listens(const struct server *s)
{
	return listener_is_open(s->listener);
}

void
server_free(struct server **sp)
{
	struct server *s = *sp;
	int turns = TURNS_MAX;

	if (s == NULL) {
		return;
	}
	*sp = NULL;
	listener_free(&s->listener);
	proxied_free(&s->proxied);
	linger_end_all();
	if (s->context != NULL) {
		lws_context_destroy(s->context);
		while (s->sockets > 0 && turns-- > 0) {
			uv_run(s->gw->loop, UV_RUN_NOWAIT);
		}
		for (turns = 0; turns < 3; turns++) {
			uv_run(s->gw->loop, UV_RUN_NOWAIT);
		}
	}
	if (s->context != NULL) {
		lws_context_destroy(s->context);
	}
	tls_port_end();
	free(s);
}
