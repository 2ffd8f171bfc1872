/*
 * One peer of a service: NNG socket, slots, hello. See rpc_peer.h.
 *
 * Thread: the loop's, except on_slot_aio and on_pipe, which NNG calls on threads
 * of its own; they touch only their slot or a fresh note, then post it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/rpc_limits.h"
#include "common/rpc_links.h"
#include "common/rpc_peer.h"

/* Batches in flight at one peer, by lane. Few for sends and openings: while they
 * are away the next batch gathers. Slow calls ride alone, so they need more. */
static const unsigned lane_slots[LANE_COUNT] = {
	[LANE_SEND] = 8,
	[LANE_READ] = 16,
	[LANE_SLOW] = 16,
	[LANE_OPENING] = 4,
};

struct pipe_note {
	struct rpc_post post;
	struct peer *peer; /* borrowed: outlives its socket's callbacks */
	nng_pipe pipe;
	bool added;
};

/* FNV-1a with a final mix: the same in every process, unlike uuid_hash. */
static uint64_t
stable_hash(const char *text)
{
	uint64_t h = 1469598103934665603ULL;

	for (const char *p = text; *p != '\0'; p++) {
		h = (h ^ (uint8_t)*p) * 1099511628211ULL;
	}
	h ^= h >> 33;
	h *= 0xff51afd7ed558ccdULL;
	h ^= h >> 33;
	return h;
}

/* NNG's thread. First the send completes, then the same aio receives. */
static void
on_slot_aio(void *arg)
{
	struct slot *s = arg;

	handoff_take(&s->handoff);
	s->result = nng_aio_result(s->aio);
	if (s->result != 0) {
		if (!s->receiving) {
			nng_msg_free(nng_aio_get_msg(s->aio));
			nng_aio_set_msg(s->aio, NULL);
		}
	} else if (!s->receiving) {
		s->receiving = true;
		handoff_give(&s->handoff);
		nng_ctx_recv(s->ctx, s->aio);
		return;
	} else {
		s->reply = nng_aio_get_msg(s->aio);
		nng_aio_set_msg(s->aio, NULL);
	}
	s->was_sent = s->receiving;
	handoff_give(&s->handoff);
	/* Refused only when all is closed: then peer_shrink drops the reply. */
	(void)!inbox_post(s->peer->inbox, &s->post.item);
	handoff_give(&s->handoff);
}

/* NNG's thread. */
static void
on_pipe(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct peer *p = arg;
	struct pipe_note *note = mem_zalloc(sizeof(*note));

	handoff_take(&p->handoff);
	note->post.kind = POST_PIPE;
	note->pipe = pipe;
	note->peer = p;
	note->added = ev == NNG_PIPE_EV_ADD_POST;
	if (!inbox_post(p->inbox, &note->post.item)) {
		free(note);
	}
	handoff_give(&p->handoff);
}

static int
slot_open(struct peer *p, enum slot_role role, enum lane lane)
{
	struct slot *s = &p->slots[p->slots_len];
	int rv;

	s->peer = p;
	s->post.kind = POST_SLOT;
	s->lane = lane;
	s->role = role;
	list_init(&s->idle);
	rv = nng_aio_alloc(&s->aio, on_slot_aio, s);
	if (rv != 0) {
		return rv;
	}
	p->slots_len++;
	rv = nng_ctx_open(&s->ctx, p->socket);
	if (rv == 0 && role == SLOT_CALLS) {
		list_push_back(&p->idle[lane], &s->idle);
	}
	return rv;
}

static int
slots_open(struct peer *p)
{
	size_t n = 2;
	int rv = 0;

	for (int lane = 0; lane < LANE_COUNT; lane++) {
		n += lane_slots[lane];
	}
	p->slots = mem_zalloc(n * sizeof(*p->slots));
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		for (unsigned i = 0; i < lane_slots[lane] && rv == 0; i++) {
			rv = slot_open(p, SLOT_CALLS, (enum lane)lane);
		}
	}
	if (rv == 0) {
		rv = slot_open(p, SLOT_HELLO, 0);
	}
	return rv == 0 ? slot_open(p, SLOT_GOING, 0) : rv;
}

/* A dialler for the address. It is not started. */
static int
dialer_open(struct peer *p)
{
	int rv = nng_dialer_create(&p->dialer, p->socket, p->url);

	if (rv != 0) {
		return rv;
	}
	if (p->host != NULL) {
		/* A host that vanished without a word is noticed. */
		(void)nng_dialer_set_bool(p->dialer, NNG_OPT_TCP_KEEPALIVE,
		    true);
	}
	return 0;
}

static int
dialer_start(struct peer *p)
{
	p->redial_at_ms = clock_mono_ms() + (p->host == NULL ?
	    RPC_REDIAL_IPC_MS : RPC_REDIAL_MS);
	return nng_dialer_start(p->dialer, NNG_FLAG_NONBLOCK);
}

void
peer_tell_down(struct peer *p, uint64_t now)
{
	if (p->down_told || now < p->down_since_ms + RPC_TELL_DOWN_MS) {
		return;
	}
	p->down_told = true;
	log_warn("peer_unreachable", "service=%s addr=%s since_ms=%llu "
	    "remedy=\"see that it runs, that the address is right, that both "
	    "sides write tcp:// or both tls+tcp://, and what it logs of us\"",
	    p->service, p->url, (unsigned long long)(now - p->down_since_ms));
}

static int
socket_open(struct peer *p)
{
	int rv = nng_req0_open(&p->socket);

	if (rv != 0) {
		return rv;
	}
	p->open = true;
	handoff_give(&p->handoff);
	/* We repeat calls ourselves, and only those that may be repeated. */
	(void)nng_socket_set_ms(p->socket, NNG_OPT_REQ_RESENDTIME,
	    NNG_DURATION_INFINITE);
	(void)nng_socket_set_size(p->socket, NNG_OPT_RECVMAXSZ,
	    RPC_MESSAGE_MAX);
	(void)nng_socket_set_ms(p->socket, NNG_OPT_RECONNMINT, 20);
	(void)nng_socket_set_ms(p->socket, NNG_OPT_RECONNMAXT, 500);
	(void)nng_pipe_notify(p->socket, NNG_PIPE_EV_ADD_POST, on_pipe, p);
	(void)nng_pipe_notify(p->socket, NNG_PIPE_EV_REM_POST, on_pipe, p);
	return 0;
}

/* Begins to connect, and goes on doing so. */
static int
link_start(struct peer *p)
{
	int rv;

	if (rpc_is_tls(p->url)) {
		return tunnel_call(&p->tunnel, p->socket, p->url, p->service,
		    p->host);
	}
	rv = dialer_open(p);
	return rv == 0 ? dialer_start(p) : rv;
}

bool
peer_must_redial(const struct peer *p, uint64_t now)
{
	return p->open && p->tunnel == NULL && !p->connected &&
	    now >= p->redial_at_ms;
}

void
peer_redial(struct peer *p)
{
	int rv;

	(void)nng_dialer_close(p->dialer);
	rv = dialer_open(p);
	if (rv == 0) {
		rv = dialer_start(p);
	}
	if (rv != 0) {
		log_warn("peer_redial_failed", "service=%s addr=%s "
		    "reason=\"%s\"", p->service, p->url, nng_strerror(rv));
		p->redial_at_ms = clock_mono_ms() + RPC_REDIAL_MS;
	}
}

struct peer *
peer_new(const char *service, const char *url, const char *host,
    struct inbox *inbox, int *nng_error_r)
{
	struct peer *p = mem_zalloc(sizeof(*p));

	list_init(&p->link);
	p->inbox = inbox;
	p->service = service;
	p->url = mem_strdup(url);
	p->host = host != NULL ? mem_strdup(host) : NULL;
	p->url_hash = stable_hash(url);
	p->wanted = true;
	p->down_since_ms = clock_mono_ms();
	for (int lane = 0; lane < LANE_COUNT; lane++) {
		list_init(&p->idle[lane]);
		list_init(&p->queue[lane]);
	}
	*nng_error_r = socket_open(p);
	if (*nng_error_r == 0) {
		*nng_error_r = slots_open(p);
	}
	if (*nng_error_r == 0) {
		*nng_error_r = link_start(p);
	}
	if (*nng_error_r != 0) {
		peer_free(&p);
		return NULL;
	}
	return p;
}

void
peer_close(struct peer *p)
{
	if (!p->open) {
		return;
	}
	for (size_t i = 0; i < p->slots_len; i++) {
		nng_aio_stop(p->slots[i].aio);
	}
	tunnel_hang_up(&p->tunnel);
	nng_close(p->socket);
	p->open = false;
	p->state = PEER_DOWN;
}

static bool
slot_busy(const struct slot *s)
{
	switch (s->role) {
	case SLOT_HELLO:
		return s->peer->hello_busy;
	case SLOT_GOING:
		return s->peer->going_busy;
	default:
		return !list_linked(&s->idle);
	}
}

bool
peer_idle(const struct peer *p)
{
	for (size_t i = 0; i < p->slots_len; i++) {
		if (slot_busy(&p->slots[i])) {
			return false;
		}
	}
	return true;
}

void
peer_shrink(struct peer *p)
{
	for (size_t i = 0; i < p->slots_len; i++) {
		handoff_take(&p->slots[i].handoff);
		if (p->slots[i].reply != NULL) {
			nng_msg_free(p->slots[i].reply);
		}
		nng_aio_free(p->slots[i].aio);
	}
	free(p->slots);
	p->slots = NULL;
	p->slots_len = 0;
}

void
peer_free(struct peer **pp)
{
	struct peer *p = *pp;

	if (p == NULL) {
		return;
	}
	peer_close(p);
	peer_shrink(p);
	handoff_take(&p->handoff);
	free(p->url);
	free(p->host);
	free(p);
	*pp = NULL;
}

void
peer_send(struct slot *s, struct buf *b, int64_t timeout_ms)
{
	nng_msg *msg = NULL;

	s->receiving = false;
	s->was_sent = false;
	s->result = 0;
	s->reply = NULL;
	if (nng_msg_alloc(&msg, 0) != 0 ||
	    nng_msg_append(msg, b->data, b->len) != 0) {
		log_error("out_of_memory", "bytes=%zu", b->len);
		abort();
	}
	nng_aio_set_timeout(s->aio, (nng_duration)timeout_ms);
	nng_aio_set_msg(s->aio, msg);
	handoff_give(&s->handoff);
	nng_ctx_send(s->ctx, s->aio);
}

static void
send_bare(struct slot *s, enum msg_kind kind, int64_t timeout_ms)
{
	struct buf b = BUF_INIT;
	struct frame f = { .kind = (uint16_t)kind };

	envelope_begin(&b);
	envelope_add(&b, &f);
	peer_send(s, &b, timeout_ms);
	buf_fini(&b);
}

void
peer_send_hello(struct peer *p, int64_t timeout_ms)
{
	if (p->hello_busy) {
		return;
	}
	p->hello_busy = true;
	p->hello_sent_ms = clock_mono_ms();
	send_bare(&p->slots[p->slots_len - 2], CALL_hello, timeout_ms);
}

void
peer_send_going(struct peer *p)
{
	if (!p->going_busy) {
		p->going_busy = true;
		send_bare(&p->slots[p->slots_len - 1], CALL_going,
		    NNG_DURATION_INFINITE);
	}
}

bool
peer_take_going(struct slot *s)
{
	struct peer *p = s->peer;
	struct rd r;
	struct frame f;
	unsigned count;
	unsigned version;

	p->going_busy = false;
	/* Another status: it does not know the question, or too many ask. Then
	 * its answers to calls will tell. */
	return s->result == 0 && envelope_open(nng_msg_body(s->reply),
	    nng_msg_len(s->reply), &r, &count, &version) == ERR_OK &&
	    count == 1 && envelope_next(&r, &f) == ERR_OK &&
	    f.kind == CALL_going && f.status == ERR_OK;
}

void
peer_set_going(struct peer *p)
{
	log_info("peer_going", "service=%s addr=%s", p->service, p->url);
	p->state = PEER_GOING;
}

void
peer_leave(struct peer *p)
{
	if (p->state == PEER_GOING && p->open && peer_idle(p)) {
		nng_pipe_close(p->pipe);
	}
}

static void
refuse(struct peer *p, unsigned version)
{
	if (p->state != PEER_REFUSED) {
		log_error("peer_refused", "service=%s addr=%s "
		    "reason=\"it speaks envelope version %u, this process %u\" "
		    "remedy=\"run the same release on both sides\"",
		    p->service, p->url, version, ENVELOPE_VERSION);
	}
	p->state = PEER_REFUSED;
}

static bool
hello_parse(struct slot *s, uint64_t *mono_r, unsigned *version_r)
{
	struct rd r;
	struct rd body;
	struct frame f;
	unsigned count;
	enum err e = envelope_open(nng_msg_body(s->reply),
	    nng_msg_len(s->reply), &r, &count, version_r);

	if (e != ERR_OK || count != 1 || envelope_next(&r, &f) != ERR_OK ||
	    f.kind != CALL_hello) {
		if (e == ERR_OK) {
			*version_r = 0;
		}
		return false;
	}
	rd_init(&body, f.body, f.body_len);
	*mono_r = rd_u64(&body);
	return rd_ok(&body);
}

void
peer_take_hello(struct slot *s)
{
	struct peer *p = s->peer;
	uint64_t now = clock_mono_ms();
	uint64_t mono = 0;
	unsigned version = 0;

	p->hello_busy = false;
	p->hello_next_ms = now + RPC_HELLO_RETRY_MS;
	if (s->result != 0) {
		return;
	}
	if (hello_parse(s, &mono, &version)) {
		/* Half the round trip is the error at most: the deadline then
		 * errs by that much, which nobody notices. */
		p->clock_ahead = (int64_t)mono -
		    (int64_t)(p->hello_sent_ms + (now - p->hello_sent_ms) / 2);
		p->timeouts = 0;
		if (p->connected && p->state == PEER_HELLO) {
			p->state = PEER_UP;
			p->was_up = true;
			p->served = true;
		}
	} else if (version != 0 && version != ENVELOPE_VERSION) {
		refuse(p, version);
	}
}

struct peer *
peer_of_pipe_post(struct rpc_post *post)
{
	return CONTAINER_OF(post, struct pipe_note, post)->peer;
}

static bool
pipe_came(struct peer *p, nng_pipe pipe)
{
	bool replaced = p->connected;

	if (rpc_ended_take(&p->ended, nng_pipe_id(pipe))) {
		return false;
	}
	p->connected = true;
	p->pipe = pipe;
	p->state = PEER_HELLO;
	p->hello_next_ms = 0;
	return replaced;
}

static bool
pipe_went(struct peer *p, nng_pipe pipe)
{
	if (!p->connected || nng_pipe_id(pipe) != nng_pipe_id(p->pipe)) {
		rpc_ended_note(&p->ended, nng_pipe_id(pipe));
		return false;
	}
	p->connected = false;
	p->state = PEER_DOWN;
	p->down_since_ms = clock_mono_ms();
	p->down_told = false;
	p->redial_at_ms = clock_mono_ms() + (p->host == NULL ?
	    RPC_REDIAL_IPC_MS : RPC_REDIAL_MS);
	return true;
}

bool
peer_take_pipe(struct peer *p, struct rpc_post *post)
{
	struct pipe_note *note = CONTAINER_OF(post, struct pipe_note, post);
	nng_pipe pipe = note->pipe;
	bool added = note->added;

	free(note);
	return added ? pipe_came(p, pipe) : pipe_went(p, pipe);
}

void
peer_slot_done(struct slot *s)
{
	if (s->reply != NULL) {
		nng_msg_free(s->reply);
		s->reply = NULL;
	}
	s->count = 0;
	if (s->role == SLOT_CALLS) {
		list_push_back(&s->peer->idle[s->lane], &s->idle);
	}
}

void
peer_abort(struct peer *p)
{
	for (size_t i = 0; i < p->slots_len; i++) {
		struct slot *s = &p->slots[i];

		if (slot_busy(s)) {
			nng_aio_abort(s->aio, NNG_ECONNRESET);
		}
	}
}
