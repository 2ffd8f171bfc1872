/*
 * One connection of a tunnel.
 *
 *   CONNECTING -> SHAKING -> GREETING -> JOINING -> OPEN --NNG hung up--> FLUSHING
 *        |           |           |          |        |                      |
 *        |           +-refused---+-> PARTING <-------|----------------------+
 *        |                              |      it is gone                   |
 *        |                              |            v                      |
 *        +-----------------------> CLOSED <------ SETTLING                  |
 *                                     ^-------------------------------------+
 *
 * SETTLING gives NNG a moment before its socket is closed. Answers that came just
 * before the other process ended still reach their callers; and NNG (1.5) loses
 * the memory of a message that is between two of its queues at the close, so none
 * is on its way then.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/rpc_tunnel_int.h"

/* More than connecting takes when two packets are lost. */
#define CONNECT_MS 3500
/* From the first byte until NNG's pipe is there. */
#define EARLY_MS 10000
/* Connections to a callee that have not come so far; the oldest makes room. */
#define EARLY_MAX 256
#define SETTLE_MS 20
#define SETTLE_ROUNDS 50
#define FLUSH_MS 1000
#define PART_MS 1000
/* A host that vanished without a word is noticed: when nothing is said by 30 s +
 * 3 * 10 s, when something is by 20 s. */
#define KEEP_IDLE_S 30
#define KEEP_INTERVAL_S 10
#define KEEP_COUNT 3
#define UNHEARD_MS 20000

/* ---- handles ------------------------------------------------------------ */

static void on_poll(uv_poll_t *poll, int status, int events);

static int
wanted_events(const struct tunnel_link *l)
{
	int write = l->wants_write ? UV_WRITABLE : 0;
	int read = l->write_wants_read ? UV_READABLE : 0;

	switch (l->state) {
	case LINK_CONNECTING:
		return UV_WRITABLE;
	case LINK_SHAKING:
		return l->wants_write ? UV_WRITABLE : UV_READABLE;
	case LINK_GREETING:
	case LINK_JOINING:
	case LINK_OPEN:
		return (tunnel_wire_has_room(l) ? UV_READABLE : read) | write;
	case LINK_FLUSHING:
		return read | write;
	case LINK_PARTING:
		return UV_READABLE;
	default:
		return 0;
	}
}

static void
watch(struct tunnel_link *l)
{
	int events = wanted_events(l);

	if (events == l->watched || l->state == LINK_CLOSED) {
		return;
	}
	l->watched = events;
	if (events == 0) {
		uv_poll_stop(&l->poll);
	} else {
		uv_poll_start(&l->poll, events, on_poll);
	}
}

static void
no_longer_early(struct tunnel_link *l)
{
	if (list_linked(&l->early)) {
		list_del(&l->early);
		tunnels.early_len--;
	}
}

/* The last of its handles and posts. */
static void
waited(struct tunnel_link *l)
{
	if (--l->waits > 0) {
		return;
	}
	tunnel_nng_fini(l);
	list_del(&l->node);
	free(l);
	tunnels_check_end();
}

static void
on_handle_closed(uv_handle_t *handle)
{
	waited(handle->data);
}

static void
on_last(struct tunnel_post *post)
{
	waited(CONTAINER_OF(post, struct tunnel_link, last));
}

static void
fd_close(struct tunnel_link *l)
{
	tunnel_tls_fini(&l->tls);
	if (l->fd >= 0) {
		/* In this order: libuv forgets the number, not the file, and
		 * the number is the next connection's. */
		uv_close((uv_handle_t *)&l->poll, on_handle_closed);
		close(l->fd);
		l->fd = -1;
		l->watched = 0;
	}
}

void
tunnel_link_close(struct tunnel_link *l)
{
	struct tunnel_caller *c = l->caller;

	if (l->state == LINK_CLOSED) {
		return;
	}
	l->state = LINK_CLOSED;
	l->caller = NULL;
	l->callee = NULL;
	no_longer_early(l);
	fd_close(l);
	tunnel_nng_close(l);
	tunnel_wire_fini(l);
	uv_close((uv_handle_t *)&l->timer, on_handle_closed);
	tunnel_post(&l->last);
	if (c != NULL) {
		tunnel_caller_idle(c, l->served);
	}
}

/* ---- the end ------------------------------------------------------------ */

static void on_timer(uv_timer_t *timer);

static void
settle(struct tunnel_link *l)
{
	l->state = LINK_SETTLING;
	no_longer_early(l);
	tunnel_tls_bye(&l->tls);
	fd_close(l);
	tunnel_nng_go_on(l);
	uv_timer_start(&l->timer, on_timer, SETTLE_MS, SETTLE_MS);
}

/* NNG has, or may yet get, a pipe that must not be closed under way. */
static bool
is_settled(const struct tunnel_link *l)
{
	return l->nng.gone || (l->nng.joined && l->to_nng.len == 0 &&
	    !l->nng.giving);
}

/* We say no more; closing at once might cost the other side our last words. */
static void
part(struct tunnel_link *l)
{
	l->state = LINK_PARTING;
	tunnel_nng_close(l);
	tunnel_tls_bye(&l->tls);
	shutdown(l->fd, SHUT_WR);
	uv_timer_start(&l->timer, on_timer, PART_MS, 0);
	watch(l);
}

static void
discard(struct tunnel_link *l)
{
	char bytes[4096];
	ssize_t n = read(l->fd, bytes, sizeof(bytes));

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		tunnel_link_close(l);
	}
}

void
tunnel_link_lost(struct tunnel_link *l)
{
	switch (l->state) {
	case LINK_SHAKING:
	case LINK_GREETING:
		if (l->tls.failed) {
			part(l);
			return;
		}
		tunnel_link_close(l);
		return;
	case LINK_JOINING:
	case LINK_OPEN:
		settle(l);
		return;
	case LINK_CONNECTING:
	case LINK_FLUSHING:
		tunnel_link_close(l);
		return;
	default:
		return;
	}
}

void
tunnel_link_release(struct tunnel_link *l)
{
	l->caller = NULL;
	l->callee = NULL;
	switch (l->state) {
	case LINK_CONNECTING:
	case LINK_SHAKING:
	case LINK_GREETING:
		tunnel_link_close(l);
		return;
	case LINK_JOINING:
		settle(l);
		return;
	default:
		return; /* NNG's socket closes next */
	}
}

static void
on_timer(uv_timer_t *timer)
{
	struct tunnel_link *l = timer->data;

	if (l->state == LINK_SETTLING && ++l->rounds < SETTLE_ROUNDS &&
	    !is_settled(l)) {
		return;
	}
	tunnel_link_close(l);
}

/* ---- NNG's side --------------------------------------------------------- */

void
tunnel_link_pipe_came(struct tunnel_link *l)
{
	if (l->state == LINK_JOINING) {
		l->state = LINK_OPEN;
		uv_timer_stop(&l->timer);
		no_longer_early(l);
		tunnel_link_go_on(l);
	}
}

void
tunnel_link_pipe_went(struct tunnel_link *l)
{
	if (l->state == LINK_OPEN || l->state == LINK_JOINING) {
		l->state = LINK_FLUSHING;
		no_longer_early(l);
		tunnel_nng_close(l);
		uv_timer_start(&l->timer, on_timer, FLUSH_MS, 0);
		tunnel_link_go_on(l);
	} else if (l->state == LINK_SETTLING) {
		tunnel_link_close(l);
	}
}

/* ---- the connection ----------------------------------------------------- */

static void
shake(struct tunnel_link *l)
{
	enum tunnel_io io = tunnel_tls_shake(&l->tls);

	l->wants_write = io == IO_WANTS_WRITE;
	if (io == IO_ENDED) {
		tunnel_link_lost(l);
		return;
	}
	if (io == IO_DONE) {
		l->state = LINK_GREETING;
		if (l->server) {
			snprintf(l->door, sizeof(l->door), "%s-%u",
			    l->callee->door, l->tls.roles);
		}
		tunnel_wire_greet(l);
		tunnel_wire_read(l);
		tunnel_link_go_on(l);
	}
}

static void
shake_begin(struct tunnel_link *l)
{
	const struct tunnel_caller *c = l->caller;

	l->state = LINK_SHAKING;
	uv_timer_start(&l->timer, on_timer, EARLY_MS, 0);
	if (!tunnel_tls_begin(&l->tls, l->fd, c != NULL ? c->service : NULL,
	    c != NULL ? c->host : NULL)) {
		tunnel_link_close(l);
		return;
	}
	shake(l);
}

static void
connected(struct tunnel_link *l)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(l->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 ||
	    error != 0) {
		tunnel_link_close(l);
		return;
	}
	shake_begin(l);
}

void
tunnel_link_go_on(struct tunnel_link *l)
{
	if (l->state == LINK_OPEN) {
		/* What is in our buffers wakes nobody. */
		if (l->in.at < l->in.len || SSL_has_pending(l->tls.ssl)) {
			tunnel_wire_read(l);
		}
	}
	switch (l->state) {
	case LINK_GREETING:
	case LINK_JOINING:
	case LINK_OPEN:
	case LINK_FLUSHING:
		tunnel_wire_write(l);
		break;
	default:
		break;
	}
	tunnel_nng_go_on(l);
	if (l->state == LINK_FLUSHING && !tunnel_wire_owes(l)) {
		part(l);
		return;
	}
	watch(l);
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	struct tunnel_link *l = poll->data;

	if (status != 0) {
		l->watched = 0; /* libuv has stopped it */
	}
	switch (l->state) {
	case LINK_CONNECTING:
		connected(l);
		break;
	case LINK_SHAKING:
		shake(l);
		break;
	case LINK_PARTING:
		discard(l);
		break;
	default:
		/* An error is found by reading, too. */
		if (status != 0 || (events & UV_READABLE) != 0) {
			tunnel_wire_read(l);
		}
		tunnel_link_go_on(l);
		break;
	}
	watch(l);
}

/* ---- the beginning ------------------------------------------------------ */

static void
set_options(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{ IPPROTO_TCP, TCP_NODELAY, 1 },
		{ SOL_SOCKET, SO_KEEPALIVE, 1 },
		{ IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S },
		{ IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S },
		{ IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT },
		{ IPPROTO_TCP, TCP_USER_TIMEOUT, UNHEARD_MS },
	};

	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		(void)setsockopt(fd, options[i].level, options[i].name,
		    &options[i].value, sizeof(options[i].value));
	}
}

static struct tunnel_link *
link_new(int fd)
{
	struct tunnel_link *l = mem_zalloc(sizeof(*l));

	l->fd = fd;
	l->last.fn = on_last;
	list_init(&l->early);
	if (uv_poll_init(&tunnels.loop, &l->poll, fd) != 0) {
		close(fd);
		free(l);
		return NULL;
	}
	set_options(fd);
	uv_timer_init(&tunnels.loop, &l->timer);
	l->waits = 3;
	l->poll.data = l->timer.data = l;
	list_push_back(&tunnels.links, &l->node);
	return l;
}

bool
tunnel_link_connect(struct tunnel_caller *c)
{
	int fd = socket(c->to.any.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t len = c->to.any.sa_family == AF_INET ? sizeof(c->to.v4)
	                                               : sizeof(c->to.v6);
	struct tunnel_link *l = fd < 0 ? NULL : link_new(fd);

	if (l == NULL) {
		return false;
	}
	l->state = LINK_CONNECTING;
	l->caller = c;
	memcpy(l->door, c->door, sizeof(c->door));
	c->link = l;
	uv_timer_start(&l->timer, on_timer, CONNECT_MS, 0);
	if (connect(fd, &c->to.any, len) != 0 && errno != EINPROGRESS) {
		tunnel_link_close(l);
	} else {
		watch(l);
	}
	return true;
}

void
tunnel_link_accept(struct tunnel_callee *c, int fd)
{
	struct tunnel_link *l = link_new(fd);

	if (l == NULL) {
		return;
	}
	l->server = true;
	l->callee = c;
	list_push_back(&tunnels.early, &l->early);
	if (++tunnels.early_len > EARLY_MAX) {
		if (!tunnel_was_told("", "crowded")) {
			log_warn("tls_callers_crowded", "early=%d "
			    "reason=\"so many connections have not ended their "
			    "handshake\" remedy=\"let only the other "
			    "processes' hosts reach the setting listen\"",
			    EARLY_MAX);
		}
		tunnel_link_close(LIST_ENTRY(tunnels.early.next,
		    struct tunnel_link, early));
	}
	shake_begin(l);
	watch(l);
}
