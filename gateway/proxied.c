/*
 * One timer for all that wait: they have the same patience, so their list is in
 * order of time. A socket is given away only after its poll handle was closed:
 * libuv would else take the next owner's registration away with ours.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/proxied.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/mem.h"
#include "gateway/limits.h"
#include "gateway/proxy_header.h"

#define WAITING_MAX 1024
#define PATIENCE_MS 5000
#define TICK_MS 500

struct proxied {
	struct proxied_conf conf;
	struct list waiting; /* by time */
	size_t waiting_len;
	uv_timer_t tick;
};

struct waiting {
	struct proxied *p;       /* borrowed */
	struct list link;
	uv_poll_t poll;
	int fd;                  /* owned until given away */
	struct address proxy;
	uint64_t due_ms;
	size_t len;
	uint8_t header[PROXY_HEADER_MAX];
};

static void
on_poll_closed(uv_handle_t *handle)
{
	free(handle->data);
}

/* Ends the waiting; the socket is the caller's. */
static int
let_go(struct waiting *w)
{
	list_del(&w->link);
	w->p->waiting_len--;
	uv_close((uv_handle_t *)&w->poll, on_poll_closed);
	return w->fd;
}

static void
refuse(struct waiting *w)
{
	limits_refused(w->p->conf.limits, REFUSED_PROXY, &w->proxy);
	close(let_go(w));
}

/* Reads up to `need` bytes. 1: some; 0: none yet; -1: there will be none. */
static int
read_some(struct waiting *w, size_t need)
{
	ssize_t n = recv(w->fd, w->header + w->len, need, 0);

	if (n > 0) {
		w->len += (size_t)n;
		return 1;
	}
	return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static void
on_readable(uv_poll_t *poll, int status, int events)
{
	struct waiting *w = poll->data;
	struct proxied *p = w->p;
	struct address client = w->proxy;
	enum proxy_result result;
	size_t need;
	int n = 1;

	(void)events;
	while ((result = proxy_header_read(w->header, w->len, &need,
	    &client)) == PROXY_MORE && n > 0) {
		n = status < 0 ? -1 : read_some(w, need);
	}
	if (result == PROXY_BAD || n < 0) {
		refuse(w);
	} else if (result != PROXY_MORE) {
		p->conf.on_client(p->conf.arg, let_go(w),
		    result == PROXY_CLIENT ? &client : &w->proxy);
	}
}

static void
on_tick(uv_timer_t *timer)
{
	struct proxied *p = timer->data;
	uint64_t now = clock_mono_ms();

	while (!list_empty(&p->waiting)) {
		struct waiting *w =
		    LIST_ENTRY(p->waiting.next, struct waiting, link);

		if (w->due_ms > now) {
			break;
		}
		refuse(w);
	}
}

void
proxied_take(struct proxied *p, int fd, const struct address *a)
{
	struct waiting *w;

	if (p->waiting_len >= WAITING_MAX) {
		limits_refused(p->conf.limits, REFUSED_PROXY, a);
		close(fd);
		return;
	}
	w = mem_zalloc(sizeof(*w));
	w->p = p;
	w->fd = fd;
	w->proxy = *a;
	w->due_ms = clock_mono_ms() + PATIENCE_MS;
	list_push_back(&p->waiting, &w->link);
	p->waiting_len++;
	uv_poll_init(p->conf.loop, &w->poll, fd);
	w->poll.data = w;
	uv_poll_start(&w->poll, UV_READABLE, on_readable);
}

struct proxied *
proxied_new(const struct proxied_conf *conf)
{
	struct proxied *p = mem_zalloc(sizeof(*p));

	p->conf = *conf;
	list_init(&p->waiting);
	uv_timer_init(conf->loop, &p->tick);
	p->tick.data = p;
	uv_timer_start(&p->tick, on_tick, TICK_MS, TICK_MS);
	return p;
}

static void
on_tick_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
proxied_free(struct proxied **pp)
{
	struct proxied *p = *pp;

	if (p == NULL) {
		return;
	}
	*pp = NULL;
	while (!list_empty(&p->waiting)) {
		close(let_go(LIST_ENTRY(p->waiting.next, struct waiting,
		    link)));
	}
	uv_close((uv_handle_t *)&p->tick, on_tick_closed);
}
