/*
 * The answering side: an NNG REP socket with many contexts, each carrying one
 * batch from receipt to reply.
 *
 *   RECV (NNG) -> post -> open batch -> handler per frame -> rpc_reply each
 *      ^                                                        | last one
 *      +--------------------- SEND (NNG) <----------------------+
 *
 * Contexts are the bound on batches at work; further ones wait in NNG and the
 * kernel, which slows their senders. Loop's thread, except on_ctx_aio.
 *
 * SPDX-License-Identifier: MIT
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/handoff.h"
#include "common/inbox.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/rpc.h"
#include "common/rpc_limits.h"

#define CONTEXTS 256
#define VERSION_LOG_EVERY_MS 10000

struct rpc_server;

enum work_phase {
	WORK_RECEIVING, /* with NNG */
	WORK_AT_WORK,   /* with the loop */
	WORK_SENDING,   /* with NNG */
};

struct work {
	struct inbox_item item;
	struct rpc_server *server; /* borrowed */
	nng_ctx ctx;
	nng_aio *aio;              /* owned */
	struct handoff handoff;    /* between the loop and NNG's thread */
	enum work_phase phase;
	int result;
	nng_msg *msg;              /* owned while at work: bodies point into it */
	unsigned open;             /* frames not answered, +1 while dispatching */
	struct buf reply;
};

/* rpc_in as the handler sees it, and what leads back to its batch. */
struct in_frame {
	struct rpc_in in;
	struct work *work; /* borrowed */
};

struct rpc_server {
	uv_loop_t *loop;
	nng_socket socket;
	struct inbox *inbox;
	rpc_handler_fn *fn;
	void *arg;
	size_t in_flight;
	size_t in_flight_max;
	bool draining;
	bool closing;
	bool closed; /* NNG and inbox are gone */
	uint64_t version_logged_ms;
	struct work work[CONTEXTS];
	size_t work_len;
	struct metric *m_expired;
	struct metric *m_overloaded;
	struct metric *m_malformed;
};

/* NNG's thread. */
static void
on_ctx_aio(void *arg)
{
	struct work *w = arg;
	int rv;

	handoff_take(&w->handoff);
	rv = nng_aio_result(w->aio);
	if (w->phase == WORK_SENDING) {
		if (rv != 0) {
			/* The caller went away; it repeats elsewhere. */
			nng_msg_free(nng_aio_get_msg(w->aio));
			nng_aio_set_msg(w->aio, NULL);
		}
		if (rv == NNG_ECLOSED || rv == NNG_ECANCELED) {
			handoff_give(&w->handoff);
			return;
		}
		w->phase = WORK_RECEIVING;
		handoff_give(&w->handoff);
		nng_ctx_recv(w->ctx, w->aio);
		return;
	}
	if (rv == NNG_ECLOSED || rv == NNG_ECANCELED) {
		handoff_give(&w->handoff);
		return;
	}
	if (rv != 0) {
		handoff_give(&w->handoff);
		nng_ctx_recv(w->ctx, w->aio);
		return;
	}
	w->msg = nng_aio_get_msg(w->aio);
	nng_aio_set_msg(w->aio, NULL);
	w->phase = WORK_AT_WORK;
	handoff_give(&w->handoff);
	/* Refused only when all is closed: then release() drops the message. */
	(void)!inbox_post(w->server->inbox, &w->item);
	handoff_give(&w->handoff);
}

static void
work_send(struct work *w)
{
	nng_msg *out = NULL;

	nng_msg_free(w->msg);
	w->msg = NULL;
	if (nng_msg_alloc(&out, 0) != 0 ||
	    nng_msg_append(out, w->reply.data, w->reply.len) != 0) {
		log_error("out_of_memory", "bytes=%zu", w->reply.len);
		abort();
	}
	if (w->reply.cap > RPC_BATCH_BYTES) {
		buf_fini(&w->reply);
		buf_init(&w->reply);
	}
	w->phase = WORK_SENDING;
	nng_aio_set_msg(w->aio, out);
	handoff_give(&w->handoff);
	nng_ctx_send(w->ctx, w->aio);
}

static void
work_answered(struct work *w)
{
	if (--w->open == 0) {
		work_send(w);
	}
}

static void
reply_add(struct work *w, const struct frame *asked, const struct rpc_out *out)
{
	struct frame f = {
		.kind = asked->kind,
		.status = (uint16_t)out->status,
		.id = asked->id,
		.trace = asked->trace,
		.seq = out->seq,
		.user = out->user,
		.token = out->token,
		.chat = out->chat,
		.body = out->body,
		.body_len = out->body_len,
	};

	envelope_add(&w->reply, &f);
}

static void
reply_hello(struct work *w, const struct frame *asked)
{
	struct buf body = BUF_INIT;
	struct rpc_out out = { .status = ERR_OK };

	buf_put_u64(&body, clock_mono_ms());
	buf_put_blob(&body, PARLEY_VERSION, strlen(PARLEY_VERSION));
	out.body = body.data;
	out.body_len = body.len;
	reply_add(w, asked, &out);
	buf_fini(&body);
}

static void
reply_status(struct work *w, const struct frame *asked, enum err status)
{
	struct rpc_out out = { .status = status };

	reply_add(w, asked, &out);
}

static void
take_frame(struct rpc_server *s, struct work *w, const struct frame *f)
{
	struct in_frame *in;

	if (f->kind == CALL_hello) {
		reply_hello(w, f);
		return;
	}
	if (s->draining) {
		reply_status(w, f, ERR_DRAINING);
		return;
	}
	if (f->deadline_ms != 0 && f->deadline_ms <= clock_mono_ms()) {
		metric_inc(s->m_expired);
		reply_status(w, f, ERR_EXPIRED);
		return;
	}
	if (s->in_flight >= s->in_flight_max) {
		metric_inc(s->m_overloaded);
		reply_status(w, f, ERR_OVERLOADED);
		return;
	}
	in = mem_alloc(sizeof(*in));
	in->in.frame = *f;
	in->in.deadline_ms = f->deadline_ms;
	in->work = w;
	w->open++;
	s->in_flight++;
	s->fn(s->arg, &in->in);
}

static void
refuse_batch(struct rpc_server *s, enum err e, unsigned version)
{
	uint64_t now = clock_mono_ms();

	metric_inc(s->m_malformed);
	if (s->version_logged_ms != 0 &&
	    now - s->version_logged_ms < VERSION_LOG_EVERY_MS) {
		return;
	}
	s->version_logged_ms = now;
	if (e == ERR_VERSION) {
		log_error("caller_refused", "reason=\"it speaks envelope "
		    "version %u, this process %u\" remedy=\"run the same "
		    "release on both sides\"", version, ENVELOPE_VERSION);
	} else {
		log_error("caller_refused", "reason=\"not an envelope\" "
		    "remedy=\"let only gateways, chatds and presenceds reach "
		    "the setting listen\"");
	}
}

static void
on_batch(void *arg, struct inbox_item *item)
{
	struct rpc_server *s = arg;
	struct work *w = CONTAINER_OF(item, struct work, item);
	struct frame f;
	struct rd r;
	unsigned count;
	unsigned version;
	enum err e;

	if (s->closing) {
		return;
	}
	envelope_begin(&w->reply);
	w->open = 1;
	e = envelope_open(nng_msg_body(w->msg), nng_msg_len(w->msg), &r, &count,
	    &version);
	if (e != ERR_OK) {
		refuse_batch(s, e, version);
	}
	while (e == ERR_OK && count-- > 0) {
		e = envelope_next(&r, &f);
		if (e == ERR_OK) {
			take_frame(s, w, &f);
		} else {
			refuse_batch(s, e, version);
		}
	}
	work_answered(w);
}

/* Frees a closed server once no handler holds a frame of it. */
static void
release(struct rpc_server *s)
{
	if (!s->closed || s->in_flight > 0) {
		return;
	}
	for (size_t i = 0; i < s->work_len; i++) {
		handoff_take(&s->work[i].handoff);
		if (s->work[i].msg != NULL) {
			nng_msg_free(s->work[i].msg);
		}
		nng_aio_free(s->work[i].aio);
		buf_fini(&s->work[i].reply);
	}
	free(s);
}

void
rpc_reply(struct rpc_in *in, const struct rpc_out *out)
{
	struct in_frame *f = CONTAINER_OF(in, struct in_frame, in);
	struct work *w = f->work;

	w->server->in_flight--;
	if (!w->server->closing) {
		reply_add(w, &in->frame, out);
		work_answered(w);
	}
	free(f);
	release(w->server);
}

static int
work_start(struct rpc_server *s)
{
	for (size_t i = 0; i < CONTEXTS; i++) {
		struct work *w = &s->work[i];
		int rv;

		w->server = s;
		w->phase = WORK_RECEIVING;
		buf_init(&w->reply);
		rv = nng_aio_alloc(&w->aio, on_ctx_aio, w);
		if (rv != 0) {
			return rv;
		}
		s->work_len = i + 1;
		rv = nng_ctx_open(&w->ctx, s->socket);
		if (rv != 0) {
			return rv;
		}
	}
	for (size_t i = 0; i < CONTEXTS; i++) {
		handoff_give(&s->work[i].handoff);
		nng_ctx_recv(s->work[i].ctx, s->work[i].aio);
	}
	return 0;
}

static double
in_flight_gauge(void *arg)
{
	return (double)((struct rpc_server *)arg)->in_flight;
}

static void
metrics_open(struct rpc_server *s)
{
	s->m_expired = metric_counter("parley_rpc_expired_total", NULL,
	    "Frames dropped because their deadline had passed");
	s->m_overloaded = metric_counter("parley_rpc_overloaded_total", NULL,
	    "Frames refused because too many were at work");
	s->m_malformed = metric_counter("parley_rpc_malformed_total", NULL,
	    "Batches refused: wrong version or damaged");
	metric_gauge_fn("parley_rpc_in_flight", NULL,
	    "Frames at work", in_flight_gauge, s);
}

struct rpc_server *
rpc_server_new(uv_loop_t *loop, const char *url, size_t in_flight_max,
    rpc_handler_fn *fn, void *arg)
{
	struct rpc_server *s = mem_zalloc(sizeof(*s));
	int rv;

	s->loop = loop;
	s->fn = fn;
	s->arg = arg;
	s->in_flight_max = in_flight_max;
	s->inbox = inbox_new(loop, on_batch, s);
	metrics_open(s);
	rv = nng_rep0_open(&s->socket);
	if (rv == 0) {
		(void)nng_socket_set_size(s->socket, NNG_OPT_RECVMAXSZ,
		    RPC_MESSAGE_MAX);
		rv = nng_listen(s->socket, url, NULL, 0);
		if (rv == 0) {
			rv = work_start(s);
		}
	}
	if (rv != 0) {
		log_error("cannot_listen", "addr=%s reason=\"%s\" remedy=\"set "
		    "listen to a free address whose directory exists, or stop "
		    "the process that holds it\"", url, nng_strerror(rv));
		rpc_server_free(&s);
		return NULL;
	}
	log_info("listening", "addr=%s", url);
	return s;
}

void
rpc_server_drain(struct rpc_server *s)
{
	s->draining = true;
}

size_t
rpc_server_in_flight(const struct rpc_server *s)
{
	return s->in_flight;
}

void
rpc_server_free(struct rpc_server **sp)
{
	struct rpc_server *s = *sp;

	if (s == NULL) {
		return;
	}
	*sp = NULL;
	s->closing = true;
	for (size_t i = 0; i < s->work_len; i++) {
		nng_aio_stop(s->work[i].aio);
	}
	if (nng_socket_id(s->socket) > 0) {
		nng_close(s->socket);
	}
	inbox_close(s->inbox);
	inbox_free(&s->inbox);
	s->closed = true;
	release(s);
}

void
rpc_end(void)
{
	/* Without it NNG's threads are still there while the process exits,
	 * which leak checkers and thread sanitizers take badly. */
	nng_fini();
}
