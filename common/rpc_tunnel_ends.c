/*
 * The two kinds of ends of tunnels: a caller connects, and again after a pause
 * whenever its link ended; a callee accepts.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/rpc_tunnel_int.h"

/* Before the next attempt; doubled with each that brings nothing. */
#define PAUSE_MIN_MS 20
#define PAUSE_MAX_MS 500
/* Connections taken in one turn of the loop. */
#define ACCEPT_MAX 64
/* No descriptor is free: the listener rests. */
#define REST_MS 100

/* ---- callers ------------------------------------------------------------ */

static void
on_caller_timer(uv_timer_t *timer)
{
	struct tunnel_caller *c = timer->data;

	if (!tunnel_link_connect(c)) {
		tunnel_caller_idle(c, false);
	}
}

void
tunnel_caller_idle(struct tunnel_caller *c, bool served)
{
	c->link = NULL;
	if (served) {
		c->pause_ms = PAUSE_MIN_MS;
	}
	uv_timer_start(&c->timer, on_caller_timer, c->pause_ms, 0);
	c->pause_ms = c->pause_ms * 2 < PAUSE_MAX_MS ? c->pause_ms * 2
	                                             : PAUSE_MAX_MS;
}

void
tunnel_caller_open(struct tunnel_post *post)
{
	struct tunnel_caller *c = CONTAINER_OF(post, struct tunnel_caller,
	    open);

	list_push_back(&tunnels.callers, &c->node);
	uv_timer_init(&tunnels.loop, &c->timer);
	c->timer.data = c;
	c->pause_ms = PAUSE_MIN_MS;
	on_caller_timer(&c->timer);
}

static void
on_caller_closed(uv_handle_t *handle)
{
	struct tunnel_caller *c = handle->data;

	list_del(&c->node);
	free(c->service);
	free(c->host);
	free(c);
	tunnels_check_end();
}

void
tunnel_caller_close(struct tunnel_post *post)
{
	struct tunnel_caller *c = CONTAINER_OF(post, struct tunnel_caller,
	    close);

	if (c->link != NULL) {
		tunnel_link_release(c->link);
		c->link = NULL;
	}
	uv_close((uv_handle_t *)&c->timer, on_caller_closed);
}

/* ---- callees ------------------------------------------------------------ */

static void on_acceptable(uv_poll_t *poll, int status, int events);

static void
on_rested(uv_timer_t *timer)
{
	struct tunnel_callee *c = timer->data;

	uv_poll_start(&c->poll, UV_READABLE, on_acceptable);
}

static void
rest(struct tunnel_callee *c, int error)
{
	if (!tunnel_was_told("", "accept")) {
		log_warn("tls_cannot_accept", "reason=\"%s\" remedy=\"raise "
		    "the limit of open files\"", strerror(error));
	}
	uv_poll_stop(&c->poll);
	uv_timer_start(&c->timer, on_rested, REST_MS, 0);
}

static void
on_acceptable(uv_poll_t *poll, int status, int events)
{
	struct tunnel_callee *c = poll->data;

	(void)status;
	(void)events;
	for (int i = 0; i < ACCEPT_MAX; i++) {
		int fd = accept4(c->fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0) {
			tunnel_link_accept(c, fd);
		} else if (errno == EAGAIN) {
			return;
		} else if (errno == EMFILE || errno == ENFILE ||
		    errno == ENOBUFS || errno == ENOMEM) {
			rest(c, errno);
			return;
		}
		/* Else it was gone before it was taken. */
	}
}

void
tunnel_callee_open(struct tunnel_post *post)
{
	struct tunnel_callee *c = CONTAINER_OF(post, struct tunnel_callee,
	    open);

	list_push_back(&tunnels.callees, &c->node);
	uv_timer_init(&tunnels.loop, &c->timer);
	uv_poll_init(&tunnels.loop, &c->poll, c->fd);
	c->timer.data = c->poll.data = c;
	c->handles = 2;
	uv_poll_start(&c->poll, UV_READABLE, on_acceptable);
}

static void
on_callee_handle_closed(uv_handle_t *handle)
{
	struct tunnel_callee *c = handle->data;

	if (--c->handles == 0) {
		list_del(&c->node);
		free(c);
		tunnels_check_end();
	}
}

void
tunnel_callee_close(struct tunnel_post *post)
{
	struct tunnel_callee *c = CONTAINER_OF(post, struct tunnel_callee,
	    close);

	LIST_FOREACH(node, &tunnels.links) {
		struct tunnel_link *l = LIST_ENTRY(node, struct tunnel_link, node);

		if (l->callee == c) {
			tunnel_link_release(l);
		}
	}
	/* In this order, see fd_close in rpc_tunnel_link.c. */
	uv_close((uv_handle_t *)&c->poll, on_callee_handle_closed);
	close(c->fd);
	uv_sem_post(c->closed);
	uv_close((uv_handle_t *)&c->timer, on_callee_handle_closed);
}
