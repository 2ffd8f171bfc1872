/*
 * One socket, for the first address that the name stands for. TCP_NODELAY is
 * set here: the library does so only for what it accepts itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/listener.h"

#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "gateway/stats.h"

/* The kernel takes net.core.somaxconn at most. As many come at once when all
 * clients of another gateway, or of ours before its restart, come back. */
#define BACKLOG 16384
/* Bytes that the kernel holds for a client who does not read, beside what is on
 * the way; of its own it takes megabytes a socket. */
#define UNSENT_MAX (128 * 1024)
/* Accepted before the loop looks at other sockets again. */
#define ACCEPTS_A_TURN 64
/* Out of file descriptors: try again after so long. */
#define PAUSE_MS 100
/* At the end: a round trip to whoever is in the middle of connecting. */
#define FINISH_MS 250
/* Where a TCP header has its flags. */
#define TCP_FLAGS_AT 13

struct listener {
	struct listener_conf conf;
	int fd;
	uv_poll_t poll;
	uv_timer_t timer;
	bool finishing;
	unsigned handles; /* not yet closed */
};

static void on_readable(uv_poll_t *poll, int status, int events);

/* ---- the address -------------------------------------------------------- */

/* Splits host:port in a copy. False: there is no port. */
static bool
split(char *text, const char **host_r, const char **port_r)
{
	char *colon = strrchr(text, ':');

	if (colon == NULL || colon[1] == '\0') {
		return false;
	}
	*colon = '\0';
	*port_r = colon + 1;
	if (text[0] == '[' && colon > text && colon[-1] == ']') {
		colon[-1] = '\0';
		text++;
	}
	*host_r = text[0] == '\0' ? NULL : text;
	return true;
}

static int
open_socket(const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family,
	    ai->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, ai->ai_protocol);
	int on = 1;

	if (fd < 0) {
		return -1;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, ai->ai_addr, ai->ai_addrlen) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static int
open_listener(const char *address)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *list = NULL;
	char *text = mem_strdup(address);
	const char *host, *port;
	const char *cause = "expected host:port";
	int fd = -1;
	int n;

	if (!split(text, &host, &port)) {
		goto out;
	}
	n = getaddrinfo(host, port, &hints, &list);
	if (n != 0) {
		cause = gai_strerror(n);
		goto out;
	}
	fd = open_socket(list);
	if (fd < 0) {
		cause = strerror(errno);
	}
out:
	if (fd < 0) {
		log_error("cannot_listen", "address=%s error=\"%s\" "
		    "remedy=\"set listen to a free address\"", address,
		    cause);
	}
	if (list != NULL) {
		freeaddrinfo(list);
	}
	free(text);
	return fd;
}

/* ---- accepting ---------------------------------------------------------- */

static void
on_pause_over(uv_timer_t *timer)
{
	struct listener *l = timer->data;

	uv_poll_start(&l->poll, UV_READABLE, on_readable);
}

static void
pause_accepting(struct listener *l, int error)
{
	metric_inc(stats.accepts_failed);
	log_warn("accept_failed", "error=\"%s\" "
	    "remedy=\"raise the limit of open files\"", strerror(error));
	uv_poll_stop(&l->poll);
	if (!l->finishing) {
		uv_timer_start(&l->timer, on_pause_over, PAUSE_MS, 0);
	}
}

/* False: none is left, or none can be taken now. */
static bool
accept_some(struct listener *l)
{
	const int unsent = UNSENT_MAX;
	const int on = 1;
	bool more = true;

	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
		socklen_t from_len = sizeof(from);
		struct address a;
		int fd = accept4(l->fd, (struct sockaddr *)&from, &from_len,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0) {
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOBUFS || errno == ENOMEM) {
				pause_accepting(l, errno);
			}
			more = false;
			break;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent,
		    sizeof(unsent));
		metric_inc(stats.accepts);
		a = address_of((struct sockaddr *)&from);
		l->conf.on_accept(l->conf.arg, fd, &a);
	}
	l->conf.on_done(l->conf.arg);
	return more;
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	(void)status;
	(void)events;
	(void)accept_some(poll->data);
}

/* ---- life --------------------------------------------------------------- */

struct listener *
listener_new(const struct listener_conf *conf)
{
	int fd = open_listener(conf->address);
	struct listener *l;

	if (fd < 0) {
		return NULL;
	}
	l = mem_zalloc(sizeof(*l));
	l->conf = *conf;
	l->fd = fd;
	l->handles = 2;
	uv_poll_init(conf->loop, &l->poll, fd);
	uv_timer_init(conf->loop, &l->timer);
	l->poll.data = l;
	l->timer.data = l;
	uv_poll_start(&l->poll, UV_READABLE, on_readable);
	log_info("listening", "address=%s", conf->address);
	return l;
}

static void
on_closed(uv_handle_t *handle)
{
	struct listener *l = handle->data;

	if (--l->handles == 0) {
		free(l);
	}
}

/* Packets that the kernel would take for the port are dropped; so they are sent
 * again, and find it closed. */
static void
drop_packets(struct listener *l, const struct sock_filter *filter, size_t len)
{
	const struct sock_fprog program = { .len = (unsigned short)len,
		.filter = (struct sock_filter *)filter };

	(void)setsockopt(l->fd, SOL_SOCKET, SO_ATTACH_FILTER, &program,
	    sizeof(program));
}

static void
close_port(struct listener *l)
{
	uv_poll_stop(&l->poll);
	uv_timer_stop(&l->timer);
	if (l->fd >= 0) {
		close(l->fd);
		l->fd = -1;
	}
}

static void
on_finished(uv_timer_t *timer)
{
	static const struct sock_filter all[] = {
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct listener *l = timer->data;

	drop_packets(l, all, ARRAY_LEN(all));
	while (accept_some(l)) {
	}
	close_port(l);
}

void
listener_finish(struct listener *l)
{
	static const struct sock_filter beginnings[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_AT),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TH_SYN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
	};

	if (l->finishing) {
		return;
	}
	l->finishing = true;
	/* To whom the kernel has answered, he is connected; were the port closed
	 * before his next packet, he would be reset with his request unread. */
	drop_packets(l, beginnings, ARRAY_LEN(beginnings));
	uv_timer_start(&l->timer, on_finished, FINISH_MS, 0);
}

bool
listener_is_open(const struct listener *l)
{
	return l->fd >= 0;
}

void
listener_free(struct listener **lp)
{
	struct listener *l = *lp;

	if (l == NULL) {
		return;
	}
	*lp = NULL;
	close_port(l);
	uv_close((uv_handle_t *)&l->poll, on_closed);
	uv_close((uv_handle_t *)&l->timer, on_closed);
}
