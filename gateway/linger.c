/*
 * Lingering close, as web servers do it (RFC 9112, 9.6).
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/linger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/list.h"
#include "common/mem.h"

/* For bytes the library has kept back to leave. */
#define HAND_OVER_MS 20

struct linger_end {
	struct list link;   /* ends */
	int fd;
	size_t dropped;     /* bytes */
	uv_poll_t poll;
	uv_timer_t timer;
	unsigned handles;   /* not yet closed */
};

static struct list ends = LIST_INIT(ends);
static size_t count;

static void
on_closed(uv_handle_t *handle)
{
	struct linger_end *e = handle->data;

	if (--e->handles == 0) {
		free(e);
	}
}

static void
end(struct linger_end *e)
{
	uv_poll_stop(&e->poll);
	close(e->fd);
	list_del(&e->link);
	count--;
	uv_close((uv_handle_t *)&e->poll, on_closed);
	uv_close((uv_handle_t *)&e->timer, on_closed);
}

static void
on_timeout(uv_timer_t *timer)
{
	end(timer->data);
}

/* Whoever has handed it over has closed his descriptor: with ours left the
 * client would not learn that nothing more comes. */
static void
on_handed_over(uv_timer_t *timer)
{
	struct linger_end *e = timer->data;

	(void)shutdown(e->fd, SHUT_WR);
	uv_timer_start(timer, on_timeout, LINGER_MS, 0);
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct linger_end *e = poll->data;
	char waste[16384];
	ssize_t n = recv(e->fd, waste, sizeof(waste), MSG_DONTWAIT);

	(void)events;
	if (n > 0) {
		e->dropped += (size_t)n;
	}
	if (status < 0 || n == 0 || e->dropped > LINGER_BYTES_MAX ||
	    (n < 0 && errno != EAGAIN && errno != EINTR)) {
		end(e);
	}
}

void
linger_socket(uv_loop_t *loop, int fd)
{
	struct linger_end *e;
	int copy;

	if (count >= LINGER_SOCKETS_MAX) {
		return;
	}
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0) {
		return;
	}
	e = mem_zalloc(sizeof(*e));
	e->fd = copy;
	e->handles = 2;
	uv_poll_init(loop, &e->poll, copy);
	uv_timer_init(loop, &e->timer);
	e->poll.data = e;
	e->timer.data = e;
	uv_poll_start(&e->poll, UV_READABLE, on_readable);
	uv_timer_start(&e->timer, on_handed_over, HAND_OVER_MS, 0);
	list_push_back(&ends, &e->link);
	count++;
}

void
linger_end_all(void)
{
	LIST_FOREACH_SAFE(link, next, &ends) {
		end(LIST_ENTRY(link, struct linger_end, link));
	}
}
