/*
 * The calling side: where a call goes, when it is repeated, when it is given up.
 *
 *   rpc_call -> fresh -> (end of turn) place() -> peer queue -> batch in a slot
 *                 ^            | no peer up, or all tried: parked
 *                 |            v
 *                 +-- tick / a peer came up
 *   slot posted -> finish() each answered call, or move_on() to the next peer
 *
 * A call's id is its place in a table plus a generation, so that late answers
 * and cancelled calls are told apart without pointers (rpc.h has the contract).
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/rpc.h"
#include "common/rpc_limits.h"
#include "common/rpc_peer.h"
#include "common/rpc_resolve.h"

#define TICK_MS 50
#define RETRY_PAUSE_MS 100
#define TRIED_MAX 8
#define READ_BATCH 16

enum call_place {
	CALL_FRESH,  /* in client.fresh: to be placed this turn */
	CALL_PARKED, /* in client.parked: waits for a peer or a pause */
	CALL_QUEUED, /* in a peer's queue */
	CALL_SENT,   /* in a slot's batch; on no list */
	CALL_REFUSED, /* in client.refused: over the bound, told at turn's end */
};

struct call {
	struct list link;
	struct list by_deadline;
	enum call_place place;
	uint64_t id;
	struct rpc_request req;  /* req.body is owned */
	bool idempotent;
	enum lane lane;
	uint64_t deadline_ms;
	uint64_t retry_ms;       /* parked: not before */
	uint64_t started_us;
	struct slot *slot;       /* borrowed; while CALL_SENT */
	uint64_t tried[TRIED_MAX];
	unsigned tried_len;
	rpc_reply_fn *fn;
	void *arg;
};

struct table_entry {
	struct call *call;       /* owned; NULL: free */
	uint32_t generation;
	uint32_t next_free;
};

struct rpc_client {
	uv_loop_t *loop;
	struct rpc_client_conf conf;
	char *service;           /* owned */
	struct resolver *resolver;
	struct inbox *inbox;
	struct list peers;
	size_t peers_up;
	bool told_mismatch;
	bool closing;

	struct table_entry *table;
	uint32_t table_len;
	uint32_t free_head;      /* index + 1; 0: none */
	size_t pending;
	struct list fresh;
	struct list parked;
	struct list refused;
	struct list deadlines;   /* nearest first */

	uv_prepare_t prepare;
	uv_check_t check;
	uv_timer_t deadline_timer;
	uv_timer_t tick;
	unsigned open_handles;

	struct metric *m_batch;
	struct metric *m_latency;
	struct metric *m_failed;
	struct metric *m_repeated;
	struct metric *m_refused;
};

/* ---- the table of calls -------------------------------------------------- */

static struct call *
table_find(const struct rpc_client *c, uint64_t id)
{
	uint32_t at = (uint32_t)id - 1;

	if ((uint32_t)id == 0 || at >= c->table_len ||
	    c->table[at].generation != (uint32_t)(id >> 32)) {
		return NULL;
	}
	return c->table[at].call;
}

static void
table_add(struct rpc_client *c, struct call *call)
{
	struct table_entry *e;
	uint32_t at;

	if (c->free_head == 0) {
		uint32_t len = c->table_len == 0 ? 64 : c->table_len * 2;

		c->table = mem_realloc(c->table, len * sizeof(*c->table));
		for (uint32_t i = len; i > c->table_len; i--) {
			e = &c->table[i - 1];
			e->call = NULL;
			e->generation = 1;
			e->next_free = c->free_head;
			c->free_head = i;
		}
		c->table_len = len;
	}
	at = c->free_head - 1;
	e = &c->table[at];
	c->free_head = e->next_free;
	e->call = call;
	call->id = ((uint64_t)e->generation << 32) | (at + 1);
	c->pending++;
}

static void
call_free(struct rpc_client *c, struct call *call)
{
	uint32_t at = (uint32_t)call->id - 1;
	struct table_entry *e = &c->table[at];

	e->call = NULL;
	e->generation++;
	e->next_free = c->free_head;
	c->free_head = at + 1;
	c->pending--;
	list_del(&call->link);
	list_del(&call->by_deadline);
	free(call);
}

static void
finish(struct rpc_client *c, struct call *call, enum err status,
    const struct frame *reply)
{
	rpc_reply_fn *fn = call->fn;
	void *arg = call->arg;

	metric_observe_us(c->m_latency, clock_mono_us() - call->started_us);
	if (reply == NULL) {
		metric_inc(c->m_failed);
	}
	call_free(c, call);
	fn(arg, status, reply);
}

/* ---- where a call goes --------------------------------------------------- */

static uint64_t
score(const struct peer *p, const struct uuid *route)
{
	uint64_t a;
	uint64_t b;
	uint64_t h;

	memcpy(&a, route->b, 8);
	memcpy(&b, route->b + 8, 8);
	h = p->url_hash ^ (a * 0x9e3779b97f4a7c15ULL) ^ (b + 0x7f4a7c15ULL);
	h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9ULL;
	h = (h ^ (h >> 27)) * 0x94d049bb133111ebULL;
	return h ^ (h >> 31);
}

static bool
was_tried(const struct call *call, const struct peer *p)
{
	for (unsigned i = 0; i < call->tried_len; i++) {
		if (call->tried[i] == p->url_hash) {
			return true;
		}
	}
	return false;
}

/* Highest-random-weight choice among the peers that are up and untried. */
static struct peer *
choose(struct rpc_client *c, const struct call *call)
{
	struct peer *best = NULL;
	uint64_t best_score = 0;

	LIST_FOREACH(link, &c->peers) {
		struct peer *p = LIST_ENTRY(link, struct peer, link);
		uint64_t s;

		if (p->state != PEER_UP || !p->wanted || was_tried(call, p)) {
			continue;
		}
		s = score(p, &call->req.route);
		if (best == NULL || s > best_score) {
			best = p;
			best_score = s;
		}
	}
	return best;
}

static void
tick_start(struct rpc_client *c);

static void
park(struct rpc_client *c, struct call *call, uint64_t retry_ms)
{
	call->place = CALL_PARKED;
	call->retry_ms = retry_ms;
	list_push_back(&c->parked, &call->link);
	tick_start(c);
}

/* The call is on no list. */
static void
place(struct rpc_client *c, struct call *call, uint64_t now)
{
	struct peer *p;

	if (call->retry_ms > now) {
		park(c, call, call->retry_ms);
		return;
	}
	p = choose(c, call);
	if (p == NULL) {
		bool all_tried = call->tried_len > 0;

		call->tried_len = 0;
		park(c, call, all_tried ? now + RETRY_PAUSE_MS : 0);
		return;
	}
	call->place = CALL_QUEUED;
	list_push_back(&p->queue[call->lane], &call->link);
}

static void
place_all(struct rpc_client *c)
{
	uint64_t now = clock_mono_ms();
	struct list *link;

	while ((link = list_pop_front(&c->fresh)) != NULL) {
		place(c, LIST_ENTRY(link, struct call, link), now);
	}
}

/* An attempt failed; the call is on no list and may be repeated. */
static void
move_on(struct rpc_client *c, struct call *call, const struct peer *failed)
{
	metric_inc(c->m_repeated);
	if (failed != NULL && call->tried_len < TRIED_MAX) {
		call->tried[call->tried_len++] = failed->url_hash;
	}
	call->slot = NULL;
	call->place = CALL_FRESH;
	list_push_back(&c->fresh, &call->link);
}

/* ---- batches ------------------------------------------------------------- */

static unsigned
batch_max(enum lane lane)
{
	switch (lane) {
	case LANE_SEND:
		return ENVELOPE_FRAMES_MAX;
	case LANE_READ:
		return READ_BATCH;
	default:
		return 1;
	}
}

static void
add_call(struct buf *b, const struct peer *p, const struct call *call)
{
	int64_t deadline = (int64_t)call->deadline_ms + p->clock_ahead;
	struct frame f = {
		.kind = (uint16_t)call->req.kind,
		.id = call->id,
		.deadline_ms = deadline > 0 ? (uint64_t)deadline : 1,
		.trace = call->req.trace,
		.seq = call->req.seq,
		.user = call->req.user,
		.session = call->req.session,
		.token = call->req.token,
		.chat = call->req.chat,
		.body = call->req.body,
		.body_len = call->req.body_len,
	};

	envelope_add(b, &f);
}

static void
send_batch(struct rpc_client *c, struct peer *p, enum lane lane, struct buf *b)
{
	struct list *idle = list_pop_front(&p->idle[lane]);
	struct slot *s = LIST_ENTRY(idle, struct slot, idle);
	int64_t timeout = c->conf.attempt_ms;

	envelope_begin(b);
	s->count = 0;
	while (s->count < batch_max(lane) && b->len < RPC_BATCH_BYTES &&
	    !list_empty(&p->queue[lane])) {
		struct list *link = list_pop_front(&p->queue[lane]);
		struct call *call = LIST_ENTRY(link, struct call, link);

		call->place = CALL_SENT;
		call->slot = s;
		s->ids[s->count++] = call->id;
		add_call(b, p, call);
		if (lane == LANE_SLOW) {
			timeout = c->conf.timeout_ms;
		}
	}
	metric_observe(c->m_batch, s->count);
	peer_send(s, b, timeout);
}

static void
flush(struct rpc_client *c)
{
	struct buf b = BUF_INIT;

	place_all(c);
	LIST_FOREACH(link, &c->peers) {
		struct peer *p = LIST_ENTRY(link, struct peer, link);

		for (int lane = 0; lane < LANE_COUNT; lane++) {
			while (!list_empty(&p->queue[lane]) &&
			    !list_empty(&p->idle[lane])) {
				send_batch(c, p, (enum lane)lane, &b);
			}
		}
	}
	buf_fini(&b);
}

static void
turn_end(struct rpc_client *c)
{
	struct list *link;

	while ((link = list_pop_front(&c->refused)) != NULL) {
		finish(c, LIST_ENTRY(link, struct call, link),
		    ERR_UNAVAILABLE, NULL);
	}
	flush(c);
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

/* ---- answers ------------------------------------------------------------- */

/* Whether the answer says that the call was not executed and may be tried
 * elsewhere. */
static bool
try_elsewhere(const struct call *call, enum err status)
{
	switch (status) {
	case ERR_DRAINING:
	case ERR_EXPIRED:
		return true;
	case ERR_OVERLOADED:
		return call->tried_len == 0;
	case ERR_UNAVAILABLE:
		return call->idempotent;
	default:
		return false;
	}
}

static void
take_answer(struct rpc_client *c, struct slot *s, const struct frame *f)
{
	struct call *call = table_find(c, f->id);
	enum err status = (enum err)f->status;

	if (call == NULL || call->place != CALL_SENT || call->slot != s) {
		return;
	}
	if (status == ERR_OVERLOADED && c->peers_up < 2) {
		finish(c, call, status, f);
	} else if (try_elsewhere(call, status)) {
		move_on(c, call, s->peer);
	} else {
		finish(c, call, status, f);
	}
}

static void
peers_changed(struct rpc_client *c)
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
requeue(struct rpc_client *c, struct peer *p)
{
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		struct list *link;

		while ((link = list_pop_front(&p->queue[lane])) != NULL) {
			struct call *call = LIST_ENTRY(link, struct call, link);

			call->place = CALL_FRESH;
			list_push_back(&c->fresh, &call->link);
		}
	}
}

/* The batch failed, or left some of its calls unanswered. */
static void
fail_rest(struct rpc_client *c, struct slot *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		struct call *call = table_find(c, s->ids[i]);

		if (call == NULL || call->place != CALL_SENT ||
		    call->slot != s) {
			continue;
		}
		if (call->idempotent || !s->was_sent) {
			move_on(c, call, s->peer);
		} else {
			finish(c, call, ERR_UNAVAILABLE, NULL);
		}
	}
}

static void
take_batch(struct rpc_client *c, struct slot *s)
{
	struct peer *p = s->peer;
	struct frame f;
	struct rd r;
	unsigned count;
	unsigned version;

	if (s->result == 0 && envelope_open(nng_msg_body(s->reply),
	    nng_msg_len(s->reply), &r, &count, &version) == ERR_OK) {
		while (count-- > 0 && envelope_next(&r, &f) == ERR_OK) {
			take_answer(c, s, &f);
		}
	} else if (s->result == NNG_ETIMEDOUT && p->state == PEER_UP) {
		/* Stopped, or drowning: others serve until it says hello. */
		log_warn("peer_silent", "service=%s addr=%s attempt_ms=%lld",
		    c->service, p->url, (long long)c->conf.attempt_ms);
		p->state = PEER_HELLO;
		p->hello_next_ms = 0;
		requeue(c, p);
		tick_start(c);
		peers_changed(c);
	}
	fail_rest(c, s);
	peer_slot_done(s);
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
	tick_start(c);
	peers_changed(c);
}

static void
take_pipe(struct rpc_client *c, struct rpc_post *post)
{
	struct peer *p = peer_of_pipe_post(post);
	bool was_up = p->state == PEER_UP;

	if (peer_take_pipe(p, post)) {
		if (was_up) {
			log_warn("peer_down", "service=%s addr=%s", c->service,
			    p->url);
		}
		if (p->open) {
			peer_abort(p);
		}
		requeue(c, p);
	} else if (p->state == PEER_HELLO && p->open) {
		peer_send_hello(p, RPC_HELLO_TIMEOUT_MS);
	}
	tick_start(c);
	peers_changed(c);
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
	if (s->is_hello) {
		take_hello(c, s);
	} else {
		take_batch(c, s);
	}
}

/* ---- time ---------------------------------------------------------------- */

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
		if (!p->open && p->slots_len > 0) {
			busy = true;
			if (peer_idle(p)) {
				peer_shrink(p);
			}
		}
	}
	place_all(c);
	if (!busy && list_empty(&c->parked)) {
		uv_timer_stop(timer);
	}
}

static void
tick_start(struct rpc_client *c)
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
		finish(c, call, ERR_UNAVAILABLE, NULL);
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

/* ---- the public face ------------------------------------------------------ */

static void
drop_unwanted(struct rpc_client *c)
{
	LIST_FOREACH(link, &c->peers) {
		struct peer *p = LIST_ENTRY(link, struct peer, link);

		if (!p->wanted && p->open) {
			log_info("peer_gone", "service=%s addr=%s", c->service,
			    p->url);
			requeue(c, p);
			peer_close(p);
		}
	}
	tick_start(c);
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
on_addresses(void *arg, char *const *urls, size_t n)
{
	struct rpc_client *c = arg;

	LIST_FOREACH(link, &c->peers) {
		LIST_ENTRY(link, struct peer, link)->wanted = false;
	}
	for (size_t i = 0; i < n; i++) {
		struct peer *p = find_peer(c, urls[i]);
		int rv = 0;

		if (p == NULL) {
			p = peer_new(c->service, urls[i], c->inbox, &rv);
			if (p == NULL) {
				log_error("peer_address_bad",
				    "service=%s addr=%s reason=\"%s\"",
				    c->service, urls[i], nng_strerror(rv));
				continue;
			}
			list_push_back(&c->peers, &p->link);
		}
		p->wanted = true;
	}
	drop_unwanted(c);
	peers_changed(c);
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
	for (uint32_t i = 0; i < c->table_len; i++) {
		if (c->table[i].call != NULL) {
			call_free(c, c->table[i].call);
		}
	}
	resolver_free(&c->resolver);
	close_peers(c);
	free(c->table);
	c->table = NULL;
	c->table_len = 0;
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
	table_add(c, call);
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
	struct call *call = table_find(c, id);

	if (call != NULL) {
		call_free(c, call);
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
