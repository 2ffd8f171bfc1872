/*
 * One self-healing connection to Redis. hiredis ships a libuv adapter, but on
 * Debian 12 it ignores poll errors: libuv reports a refused connection as a
 * status, so the refusal would never be seen. The few lines between hiredis and
 * uv_poll are therefore our own. They serve TLS as well: hiredis reads a whole
 * record at a time (its buffer is as large as a record may be), so nothing that
 * the socket would not tell of stays behind in OpenSSL.
 *
 *   IDLE --timer--> CONNECTING --greeting answered--> UP
 *    ^                  | refused, timeout             | lost, reset
 *    +------------------+------------------------------+
 *
 * SPDX-License-Identifier: MIT
 */
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus_address.h"
#include "common/bus_error.h"
#include "common/bus_link.h"
#include "common/bus_tls.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"

#define CONNECT_TIMEOUT_MS 2000
#define PAUSE_MIN_MS 50
#define PAUSE_MAX_MS 2000
#define AT_LEN 280

enum link_state {
	LINK_IDLE,       /* no context; the timer runs */
	LINK_CONNECTING, /* a context; the timer bounds it */
	LINK_UP,
	LINK_CLOSED,     /* bus_link_free was called */
};

/* What hiredis' event hooks work on; freed when its handles are closed. */
struct poll {
	uv_poll_t handle;
	uv_idle_t flush;       /* active: something is to be written */
	redisAsyncContext *ac; /* borrowed; NULL after cleanup */
	int events;
	bool flushing;         /* hiredis is writing now */
	unsigned open_handles;
};

struct bus_link {
	uv_loop_t *loop;
	const struct bus_address *address; /* borrowed */
	char *name;                        /* owned */
	bus_link_fn *fn;
	void *arg;
	enum link_state state;
	redisAsyncContext *ac;             /* owned by hiredis' rules */
	uv_timer_t timer;
	uint64_t pause_ms;
	uint64_t alive_ms;
	unsigned greetings;                /* answers still to come */
	bool complained;                   /* the outage was logged */
	bool refused;                      /* and that it greets us badly */
	bool needs_master;
};

static void link_open(struct bus_link *l);

/* ---- hiredis on uv_poll ------------------------------------------------- */

static void
on_poll(uv_poll_t *handle, int status, int events)
{
	struct poll *p = handle->data;

	if (p->ac != NULL && (status < 0 || (events & UV_READABLE) != 0)) {
		redisAsyncHandleRead(p->ac);
	}
	if (p->ac != NULL && (status < 0 || (events & UV_WRITABLE) != 0)) {
		redisAsyncHandleWrite(p->ac);
	}
}

static void
poll_set(struct poll *p, int events)
{
	p->events = events;
	if (events != 0) {
		uv_poll_start(&p->handle, events, on_poll);
	} else {
		uv_poll_stop(&p->handle);
	}
}

static void
poll_add_read(void *data)
{
	struct poll *p = data;

	if ((p->events & UV_READABLE) == 0) {
		poll_set(p, p->events | UV_READABLE);
	}
}

static void
poll_del_read(void *data)
{
	struct poll *p = data;

	poll_set(p, p->events & ~UV_READABLE);
}

static void
on_flush(uv_idle_t *flush)
{
	struct poll *p = flush->data;

	uv_idle_stop(flush);
	if (p->ac != NULL) {
		p->flushing = true;
		redisAsyncHandleWrite(p->ac);
		p->flushing = false;
	}
}

/* What a turn of the loop has to say is written before the loop next waits, and
 * the socket is watched only if it did not take all: to ask first whether it
 * takes anything costs more system calls than the writing. */
static void
poll_add_write(void *data)
{
	struct poll *p = data;

	if ((p->events & UV_WRITABLE) != 0) {
		return;
	}
	if ((p->ac->c.flags & REDIS_CONNECTED) != 0 && !p->flushing) {
		uv_idle_start(&p->flush, on_flush);
	} else {
		poll_set(p, p->events | UV_WRITABLE);
	}
}

static void
poll_del_write(void *data)
{
	struct poll *p = data;

	if ((p->events & UV_WRITABLE) != 0) {
		poll_set(p, p->events & ~UV_WRITABLE);
	}
}

static void
on_poll_closed(uv_handle_t *handle)
{
	struct poll *p = handle->data;

	if (--p->open_handles == 0) {
		free(p);
	}
}

static void
poll_cleanup(void *data)
{
	struct poll *p = data;

	p->ac = NULL;
	p->open_handles = 2;
	uv_close((uv_handle_t *)&p->handle, on_poll_closed);
	uv_close((uv_handle_t *)&p->flush, on_poll_closed);
}

static bool
poll_attach(uv_loop_t *loop, redisAsyncContext *ac)
{
	struct poll *p = mem_zalloc(sizeof(*p));

	if (uv_poll_init(loop, &p->handle, ac->c.fd) != 0) {
		free(p);
		return false;
	}
	uv_idle_init(loop, &p->flush);
	p->handle.data = p;
	p->flush.data = p;
	p->ac = ac;
	ac->ev.data = p;
	ac->ev.addRead = poll_add_read;
	ac->ev.delRead = poll_del_read;
	ac->ev.addWrite = poll_add_write;
	ac->ev.delWrite = poll_del_write;
	ac->ev.cleanup = poll_cleanup;
	return true;
}

/* ---- states ------------------------------------------------------------- */

static void
on_timer(uv_timer_t *timer)
{
	struct bus_link *l = timer->data;

	if (l->state == LINK_IDLE) {
		link_open(l);
	} else if (l->state == LINK_CONNECTING) {
		bus_link_reset(l);
	}
}

/* Where it leads, for the log. */
static const char *
link_at(const struct bus_link *l, char at[AT_LEN])
{
	const struct bus_address *a = l->address;

	if (a->path != NULL) {
		snprintf(at, AT_LEN, "%s", a->path);
	} else {
		snprintf(at, AT_LEN, "%s:%d", a->host, a->port);
	}
	return at;
}

/* The connection is gone (hiredis frees it): connect again after a pause. */
static void
link_lost(struct bus_link *l, const char *why)
{
	bool was_up = l->state == LINK_UP;

	if (l->state == LINK_CLOSED || l->state == LINK_IDLE) {
		return;
	}
	l->ac = NULL;
	l->state = LINK_IDLE;
	if (!l->complained) {
		char at[AT_LEN];

		l->complained = true;
		log_warn("redis_down", "server=%s reason=\"%s\" remedy=\"check "
		    "redis_url and that the server runs\"", link_at(l, at),
		    why);
	}
	uv_timer_start(&l->timer, on_timer,
	    l->pause_ms / 2 + randombytes_uniform((uint32_t)l->pause_ms), 0);
	l->pause_ms = l->pause_ms * 2 > PAUSE_MAX_MS ? PAUSE_MAX_MS
	                                             : l->pause_ms * 2;
	if (was_up) {
		l->fn(l->arg, false);
	}
}

static void
on_connect(const redisAsyncContext *ac, int status)
{
	struct bus_link *l = ac->data;

	if (status != REDIS_OK && l != NULL) {
		link_lost(l, ac->errstr);
	}
}

static void
on_disconnect(const redisAsyncContext *ac, int status)
{
	struct bus_link *l = ac->data;

	(void)status;
	if (l != NULL) {
		link_lost(l, ac->errstr != NULL && ac->errstr[0] != '\0'
		    ? ac->errstr : "connection closed");
	}
}

/* The server is there and will not have us. Logged once until it will. */
static void
link_refused(struct bus_link *l, const char *reason, const char *remedy)
{
	if (!l->refused) {
		char at[AT_LEN];

		l->refused = true;
		l->complained = true;
		log_error("redis_refused", "server=%s reason=\"%s\" "
		    "remedy=\"%s\"", link_at(l, at), reason, remedy);
	}
	bus_link_reset(l);
}

static void
greeting_done(struct bus_link *l)
{
	if (--l->greetings > 0) {
		return;
	}
	uv_timer_stop(&l->timer);
	l->state = LINK_UP;
	l->pause_ms = PAUSE_MIN_MS;
	l->alive_ms = clock_mono_ms();
	l->refused = false;
	if (l->complained) {
		char at[AT_LEN];

		l->complained = false;
		log_info("redis_up", "link=%s server=%s", l->name,
		    link_at(l, at));
	}
	l->fn(l->arg, true);
}

static void
on_greeting(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct bus_link *l = ac->data;
	redisReply *r = reply;

	(void)privdata;
	if (r == NULL || l == NULL || l->state != LINK_CONNECTING) {
		return;
	}
	if (r->type == REDIS_REPLY_ERROR) {
		link_refused(l, r->str, bus_error_remedy(bus_error(r->str)));
		return;
	}
	greeting_done(l);
}

/* An account that may not ask is believed to be sent to a master. */
static void
on_role(redisAsyncContext *ac, void *reply, void *privdata)
{
	struct bus_link *l = ac->data;

	(void)privdata;
	if (reply == NULL || l == NULL || l->state != LINK_CONNECTING) {
		return;
	}
	if (bus_is_no_master(reply)) {
		link_refused(l, "it is not the master",
		    bus_error_remedy(BUS_ERROR_REPLICA));
		return;
	}
	greeting_done(l);
}

static void
greet(struct bus_link *l)
{
	const struct bus_address *a = l->address;

	l->greetings = 1 + (a->password != NULL) + (a->db != 0) +
	    l->needs_master;
	if (a->user != NULL) {
		redisAsyncCommand(l->ac, on_greeting, NULL, "AUTH %s %s",
		        a->user, a->password);
	} else if (a->password != NULL) {
		redisAsyncCommand(l->ac, on_greeting, NULL, "AUTH %s",
		        a->password);
	}
	if (a->db != 0) {
		redisAsyncCommand(l->ac, on_greeting, NULL, "SELECT %d",
		        a->db);
	}
	if (l->needs_master) {
		redisAsyncCommand(l->ac, on_role, NULL, "ROLE");
	}
	redisAsyncCommand(l->ac, on_greeting, NULL, "CLIENT SETNAME %s",
		        l->name);
}

static void
link_open(struct bus_link *l)
{
	const struct bus_address *a = l->address;
	redisAsyncContext *ac = a->path != NULL
	    ? redisAsyncConnectUnix(a->path)
	    : redisAsyncConnect(a->host, a->port);

	l->state = LINK_CONNECTING;
	if (ac == NULL || ac->err != 0) {
		char why[128];

		snprintf(why, sizeof(why), "%s",
		    ac != NULL ? ac->errstr : "out of memory");
		if (ac != NULL) {
			redisAsyncFree(ac);
		}
		link_lost(l, why);
		return;
	}
	ac->data = l;
	if (!poll_attach(l->loop, ac)) {
		ac->data = NULL;
		redisAsyncFree(ac);
		link_lost(l, "the socket cannot be polled");
		return;
	}
	if (a->tls && !bus_tls_begin(&ac->c, a->host)) {
		ac->data = NULL;
		redisAsyncFree(ac);
		link_lost(l, "TLS cannot begin: see redis_tls_ca");
		return;
	}
	l->ac = ac;
	uv_timer_start(&l->timer, on_timer, CONNECT_TIMEOUT_MS, 0);
	redisAsyncSetConnectCallback(ac, on_connect);
	redisAsyncSetDisconnectCallback(ac, on_disconnect);
	greet(l);
}

/* ---- the face ----------------------------------------------------------- */

struct bus_link *
bus_link_new(uv_loop_t *loop, const struct bus_address *a, const char *name,
    bool needs_master, bus_link_fn *fn, void *arg)
{
	struct bus_link *l = mem_zalloc(sizeof(*l));

	l->loop = loop;
	l->address = a;
	l->name = mem_strdup(name);
	l->needs_master = needs_master;
	l->fn = fn;
	l->arg = arg;
	l->pause_ms = PAUSE_MIN_MS;
	l->state = LINK_IDLE;
	uv_timer_init(loop, &l->timer);
	l->timer.data = l;
	uv_timer_start(&l->timer, on_timer, 0, 0);
	return l;
}

redisAsyncContext *
bus_link_context(const struct bus_link *l)
{
	return l != NULL && l->state == LINK_UP ? l->ac : NULL;
}

void
bus_link_reset(struct bus_link *l)
{
	redisAsyncContext *ac = l->ac;

	if (ac == NULL || l->state == LINK_CLOSED || l->state == LINK_IDLE) {
		return;
	}
	/* Detached first: freeing calls every outstanding reply back, and those
	 * must find the link down. */
	ac->data = NULL;
	link_lost(l, "given up");
	redisAsyncFree(ac);
}

void
bus_link_move(struct bus_link *l)
{
	/* No complaint, since nothing failed, but it is logged when it is up. */
	l->complained = true;
	bus_link_reset(l);
	if (l->state == LINK_IDLE) {
		l->pause_ms = PAUSE_MIN_MS;
		uv_timer_start(&l->timer, on_timer,
		    randombytes_uniform(PAUSE_MIN_MS), 0);
	}
}

void
bus_link_alive(struct bus_link *l)
{
	l->alive_ms = clock_mono_ms();
}

uint64_t
bus_link_silent_ms(const struct bus_link *l)
{
	return clock_mono_ms() - l->alive_ms;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct bus_link *l = handle->data;

	free(l->name);
	free(l);
}

void
bus_link_free(struct bus_link **lp)
{
	struct bus_link *l = *lp;

	if (l == NULL) {
		return;
	}
	*lp = NULL;
	l->state = LINK_CLOSED;
	if (l->ac != NULL) {
		l->ac->data = NULL;
		redisAsyncFree(l->ac);
		l->ac = NULL;
	}
	uv_close((uv_handle_t *)&l->timer, on_timer_closed);
}
