/*
 * The calling side: where a call goes, when it is repeated, when it is given up.
 *
 *   rpc_call -> fresh -> (end of turn) placed -> peer queue -> batch in a slot
 *                 ^            | no peer up, or all tried: parked
 *                 |            v
 *                 +-- tick / a peer came up
 *   slot posted -> finish each answered call, or move on to the next peer
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/nng_mend.h"
#include "common/rpc_int.h"
#include "common/rpc_limits.h"
#include "common/rpc_resolve.h"

#define TICK_MS 50

/* ---- the end of a turn -------------------------------------------------- */

static void
turn_end(struct rpc_client *c)
{
	struct list *link;

	while ((link = list_pop_front(&c->refused)) != NULL) {
		call_finish(c, LIST_ENTRY(link, struct call, link),
		    ERR_UNAVAILABLE, NULL);
	}
	batches_send(c);
}

static void
on_prepare(uv_prepare_t *h)
{
	turn_end(h->data);
}

static void
on_check(uv_check_t *h)
{
	turn_end(h->data);
}

/* ---- what peers post ---------------------------------------------------- */

void
client_peers_changed(struct rpc_client *c)
{
	size_t up = 0;
	size_t refused = 0;
	size_t all = 0;
	bool ever = false;

	LIST_FOREACH(link, &c->peers) {
		struct peer *p = LIST_ENTRY(link, struct peer, link);

		all += p->wanted;
		up += p->wanted && p->state == PEER_UP;
		refused += p->wanted && p->state == PEER_REFUSED;
		ever = ever || p->was_up;
	}
	if (up > 0) {
		list_splice_back(&c->fresh, &c->parked);
	}
	if ((up > 0) != (c->peers_up > 0) && c->conf.on_change != NULL) {
		c->peers_up = up;
		c->conf.on_change(c->conf.arg, up > 0);
	}
	c->peers_up = up;
	if (!ever && refused > 0 && refused == all && !c->told_mismatch &&
	    c->conf.on_version_mismatch != NULL) {
		c->told_mismatch = true;
		c->conf.on_version_mismatch(c->conf.arg);
	}
}

static void
take_hello(struct rpc_client *c, struct slot *s)
{
	struct peer *p = s->peer;
	enum peer_state before = p->state;

	peer_take_hello(s);
	peer_slot_done(s);
	if (p->state == PEER_UP && before != PEER_UP) {
		log_info("peer_up", "service=%s addr=%s", c->service, p->url);
	}
	if (p->state == PEER_UP) {
		peer_send_going(p);
	}
	client_tick_start(c);
	client_peers_changed(c);
}

void
client_peer_goes(struct rpc_client *c, struct peer *p)
{
	if (p->state == PEER_UP || p->state == PEER_HELLO) {
		peer_set_going(p);
		calls_requeue(c, p);
		client_peers_changed(c);
	}
}

static void
take_going(struct rpc_client *c, struct slot *s)
{
	struct peer *p = s->peer;

	if (peer_take_going(s)) {
		client_peer_goes(c, p);
	} else if (s->result != 0 && p->state == PEER_UP) {
		/* Asked on a connection that is gone; there is a new one. */
		peer_send_going(p);
	}
	peer_slot_done(s);
}

static void
take_pipe(struct rpc_client *c, struct rpc_post *post)
{
	struct peer *p = peer_of_pipe_post(post);
	bool was_up = p->state == PEER_UP;
	bool going = p->state == PEER_GOING;

	if (peer_take_pipe(p, post)) {
		bool lost = p->served && !going;

		p->served = false;
		if (was_up) {
			log_warn("peer_down", "service=%s addr=%s", c->service,
			    p->url);
		}
		if (p->open) {
			peer_abort(p);
		}
		calls_requeue(c, p);
		if (lost && p->wanted && c->conf.on_lost != NULL) {
			c->conf.on_lost(c->conf.arg);
		}
	}
	if (p->state == PEER_HELLO && p->open) {
		peer_send_hello(p, RPC_HELLO_TIMEOUT_MS);
	}
	client_tick_start(c);
	client_peers_changed(c);
}

static void
discard_post(struct rpc_post *post)
{
	struct slot *s;

	if (post->kind == POST_PIPE) {
		(void)peer_take_pipe(peer_of_pipe_post(post), post);
		return;
	}
	s = CONTAINER_OF(post, struct slot, post);
	if (s->reply != NULL) {
		nng_msg_free(s->reply);
		s->reply = NULL;
	}
}

static void
on_post(void *arg, struct inbox_item *item)
{
	struct rpc_client *c = arg;
	struct rpc_post *post = CONTAINER_OF(item, struct rpc_post, item);
	struct slot *s;

	if (c->closing) {
		discard_post(post);
		return;
	}
	if (post->kind == POST_PIPE) {
		take_pipe(c, post);
		return;
	}
	s = CONTAINER_OF(post, struct slot, post);
	switch (s->role) {
	case SLOT_HELLO:
		take_hello(c, s);
		break;
	case SLOT_GOING:
		take_going(c, s);
		break;
	default:
		batch_take(c, s);
		break;
	}
	peer_leave(s->peer);
}

/* ---- time --------------------------------------------------------------- */

static void
on_tick(uv_timer_t *timer)
{
	struct rpc_client *c = timer->data;
	uint64_t now = clock_mono_ms();
	bool busy = !list_empty(&c->parked);

	list_splice_back(&c->fresh, &c->parked);
	LIST_FOREACH(link, &c->peers) {
		struct peer *p = LIST_ENTRY(link, struct peer, link);

		if (p->state == PEER_HELLO && p->open) {
			busy = true;
			if (!p->hello_busy && now >= p->hello_next_ms) {
				peer_send_hello(p, RPC_HELLO_TIMEOUT_MS);
			}
		}
		if (p->open && !p->connected) {
			busy = true;
			peer_tell_down(p, now);
			if (peer_must_redial(p, now)) {
				peer_redial(p);
			}
		}
		if (!p->open && p->slots_len > 0) {
			busy = true;
			if (peer_idle(p)) {
				peer_shrink(p);
			}
		}
	}
	calls_place(c);
	if (!busy && list_empty(&c->parked)) {
		uv_timer_stop(timer);
	}
}

void
client_tick_start(struct rpc_client *c)
{
	if (!uv_is_active((uv_handle_t *)&c->tick)) {
		uv_timer_start(&c->tick, on_tick, TICK_MS, TICK_MS);
	}
}

static void
on_deadline(uv_timer_t *timer)
{
	struct rpc_client *c = timer->data;
	uint64_t now = clock_mono_ms();

	while (!list_empty(&c->deadlines)) {
		struct call *call = LIST_ENTRY(c->deadlines.next, struct call,
		    by_deadline);

		if (call->deadline_ms > now) {
			uv_timer_start(timer, on_deadline,
			    call->deadline_ms - now, 0);
			return;
		}
		call_finish(c, call, ERR_UNAVAILABLE, NULL);
	}
}

static void
deadline_add(struct rpc_client *c, struct call *call)
{
	struct list *pos = c->deadlines.prev;

	/* Nearly all calls have the same bound: this looks at one or two. */
	while (pos != &c->deadlines && LIST_ENTRY(pos, struct call,
	    by_deadline)->deadline_ms > call->deadline_ms) {
		pos = pos->prev;
	}
	list_insert_before(pos->next, &call->by_deadline);
	if (c->deadlines.next == &call->by_deadline ||
	    !uv_is_active((uv_handle_t *)&c->deadline_timer)) {
		uint64_t now = clock_mono_ms();

		uv_timer_start(&c->deadline_timer, on_deadline,
		    call->deadline_ms > now ? call->deadline_ms - now : 0, 0);
	}
}

/* ---- the public face ---------------------------------------------------- */

static void
drop_unwanted(struct rpc_client *c)
{
	LIST_FOREACH(link, &c->peers) {
		struct peer *p = LIST_ENTRY(link, struct peer, link);

		if (!p->wanted && p->open) {
			log_info("peer_gone", "service=%s addr=%s", c->service,
			    p->url);
			calls_requeue(c, p);
			peer_close(p);
		}
	}
	client_tick_start(c);
}

static struct peer *
find_peer(struct rpc_client *c, const char *url)
{
	LIST_FOREACH(link, &c->peers) {
		struct peer *p = LIST_ENTRY(link, struct peer, link);

		if (strcmp(p->url, url) == 0 && (p->open || p->wanted)) {
			return p;
		}
	}
	return NULL;
}

static void
on_addresses(void *arg, const struct resolved *urls, size_t n)
{
	struct rpc_client *c = arg;

	LIST_FOREACH(link, &c->peers) {
		LIST_ENTRY(link, struct peer, link)->wanted = false;
	}
	for (size_t i = 0; i < n; i++) {
		struct peer *p = find_peer(c, urls[i].url);
		int rv = 0;

		if (p == NULL) {
			p = peer_new(c->service, urls[i].url, urls[i].host,
			    c->inbox, &rv);
			if (p == NULL) {
				log_error("peer_address_bad",
				    "service=%s addr=%s reason=\"%s\"",
				    c->service, urls[i].url, nng_strerror(rv));
				continue;
			}
			list_push_back(&c->peers, &p->link);
		}
		p->wanted = true;
	}
	drop_unwanted(c);
	client_peers_changed(c);
}

static double
pending_gauge(void *arg)
{
	return (double)((struct rpc_client *)arg)->pending;
}

static double
peers_up_gauge(void *arg)
{
	return (double)((struct rpc_client *)arg)->peers_up;
}

static void
metrics_open(struct rpc_client *c)
{
	char label[64];

	snprintf(label, sizeof(label), "service=\"%s\"", c->service);
	c->m_batch = metric_size("parley_rpc_batch_calls", label,
	    "Calls that travelled in one message");
	c->m_latency = metric_latency("parley_rpc_seconds", label,
	    "From the call to its answer, repeats included");
	c->m_failed = metric_counter("parley_rpc_failed_total", label,
	    "Calls that got no answer in time");
	c->m_repeated = metric_counter("parley_rpc_repeated_total", label,
	    "Attempts repeated at the same or another peer");
	c->m_refused = metric_counter("parley_rpc_refused_total", label,
	    "Calls refused because too many were pending");
	metric_gauge_fn("parley_rpc_pending", label,
	    "Calls waiting or in flight", pending_gauge, c);
	metric_gauge_fn("parley_rpc_peers_up", label,
	    "Peers that answer", peers_up_gauge, c);
}

struct rpc_client *
rpc_client_new(uv_loop_t *loop, const struct rpc_client_conf *conf)
{
	struct rpc_client *c = mem_zalloc(sizeof(*c));
	const char *error;

	nng_mend();
	c->loop = loop;
	c->conf = *conf;
	c->service = mem_strdup(conf->service);
	list_init(&c->peers);
	list_init(&c->fresh);
	list_init(&c->parked);
	list_init(&c->refused);
	list_init(&c->deadlines);
	c->resolver = resolver_new(loop, conf->addresses, on_addresses, c,
	    &error);
	if (c->resolver == NULL) {
		log_error("bad_address", "setting=%s value=\"%s\" "
		    "reason=\"%s\"", conf->service, conf->addresses, error);
		free(c->service);
		free(c);
		return NULL;
	}
	c->inbox = inbox_new(loop, on_post, c);
	uv_prepare_init(loop, &c->prepare);
	uv_check_init(loop, &c->check);
	uv_timer_init(loop, &c->deadline_timer);
	uv_timer_init(loop, &c->tick);
	c->prepare.data = c->check.data = c;
	c->deadline_timer.data = c->tick.data = c;
	c->open_handles = 4;
	uv_prepare_start(&c->prepare, on_prepare);
	uv_check_start(&c->check, on_check);
	metrics_open(c);
	resolver_start(c->resolver);
	return c;
}

static void
on_handle_closed(uv_handle_t *handle)
{
	struct rpc_client *c = handle->data;

	if (--c->open_handles == 0) {
		free(c);
	}
}

static void
close_peers(struct rpc_client *c)
{
	struct list *link;

	LIST_FOREACH(each, &c->peers) {
		peer_close(LIST_ENTRY(each, struct peer, link));
	}
	inbox_close(c->inbox);
	while ((link = list_pop_front(&c->peers)) != NULL) {
		struct peer *p = LIST_ENTRY(link, struct peer, link);

		peer_free(&p);
	}
	inbox_free(&c->inbox);
}

void
rpc_client_free(struct rpc_client **cp)
{
	struct rpc_client *c = *cp;

	if (c == NULL) {
		return;
	}
	*cp = NULL;
	c->closing = true;
	calls_drop(c);
	resolver_free(&c->resolver);
	close_peers(c);
	free(c->service);
	c->service = NULL;
	uv_close((uv_handle_t *)&c->prepare, on_handle_closed);
	uv_close((uv_handle_t *)&c->check, on_handle_closed);
	uv_close((uv_handle_t *)&c->deadline_timer, on_handle_closed);
	uv_close((uv_handle_t *)&c->tick, on_handle_closed);
}

uint64_t
rpc_call(struct rpc_client *c, const struct rpc_request *req, rpc_reply_fn *fn,
    void *arg)
{
	const struct contract_row *row = contract_row(req->kind);
	int64_t timeout = req->timeout_ms > 0 ? req->timeout_ms
	                                      : c->conf.timeout_ms;
	struct call *call = mem_alloc(sizeof(*call) + req->body_len);
	void *body = call + 1;

	memset(call, 0, sizeof(*call));
	call->req = *req;
	call->req.body = body;
	if (req->body_len > 0) {
		memcpy(body, req->body, req->body_len);
	}
	call->idempotent = row != NULL && (row->flags & ROW_IDEMPOTENT) != 0;
	call->lane = row != NULL ? row->lane : LANE_READ;
	call->started_us = clock_mono_us();
	call->deadline_ms = clock_mono_ms() + (uint64_t)timeout;
	call->fn = fn;
	call->arg = arg;
	list_init(&call->link);
	list_init(&call->by_deadline);
	calls_add(c, call);
	log_debug("called", "service=%s type=%s req=%016llx", c->service,
	    row != NULL ? row->name : "unknown",
	    (unsigned long long)req->trace);
	if (c->pending > c->conf.pending_max) {
		metric_inc(c->m_refused);
		call->place = CALL_REFUSED;
		list_push_back(&c->refused, &call->link);
		return call->id;
	}
	call->place = CALL_FRESH;
	list_push_back(&c->fresh, &call->link);
	deadline_add(c, call);
	return call->id;
}

void
rpc_cancel(struct rpc_client *c, uint64_t id)
{
	struct call *call = calls_find(c, id);

	if (call != NULL) {
		calls_remove(c, call);
	}
}

bool
rpc_client_up(const struct rpc_client *c)
{
	return c->peers_up > 0;
}

size_t
rpc_client_pending(const struct rpc_client *c)
{
	return c->pending;
}
