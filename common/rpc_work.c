/*
 * The contexts of a REP socket, and the connections they serve.
 *
 *   receiving --batch--> at work --last answer--> sending --> receiving
 *                           |
 *                           +-- `going`: stays in server.watchers until this
 *                               process ends or the connection does
 *
 * CONTEXTS of them are free for work at all times; a batch that only waits for
 * our end has one beyond these. They are the bound on batches at work: further
 * ones wait in NNG and the kernel, which slows their senders. Loop's thread,
 * except on_ctx_aio and on_pipe.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/rpc_limits.h"
#include "common/rpc_server_int.h"

#define CONTEXTS 256
/* Callers that may wait for our end; one more learns of it by its calls. */
#define WATCHERS_MAX 4096

/* What NNG's thread tells of a connection; one that came stays in server.pipes
 * until it goes. */
struct pipe_note {
	struct server_post post;
	struct list link;
	uint32_t pipe;
	bool added;
};

/* ---- batches ------------------------------------------------------------ */

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
	w->roles = w->server->tls
	    ? tunnel_roles(&w->server->doors, nng_msg_get_pipe(w->msg))
	    : PROCESS_SERVICES;
	w->phase = WORK_AT_WORK;
	handoff_give(&w->handoff);
	/* Refused only when all is closed: then works_free drops the message. */
	(void)!inbox_post(w->server->inbox, &w->post.item);
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

void
work_answered(struct work *w)
{
	if (--w->open == 0) {
		work_send(w);
	}
}

/* ---- contexts ----------------------------------------------------------- */

static int
work_open(struct rpc_server *s, struct work **w_r)
{
	struct work *w = mem_zalloc(sizeof(*w));
	int rv;

	w->server = s;
	w->post.kind = SERVER_POST_BATCH;
	w->phase = WORK_RECEIVING;
	buf_init(&w->reply);
	list_init(&w->watch);
	rv = nng_aio_alloc(&w->aio, on_ctx_aio, w);
	if (rv == 0) {
		rv = nng_ctx_open(&w->ctx, s->socket);
	}
	if (rv != 0) {
		nng_aio_free(w->aio);
		free(w);
		return rv;
	}
	if (s->work_len == s->work_cap) {
		s->work_cap = s->work_cap == 0 ? CONTEXTS : s->work_cap * 2;
		s->work = mem_realloc(s->work,
		    s->work_cap * sizeof(*s->work));
	}
	s->work[s->work_len++] = w;
	*w_r = w;
	return 0;
}

static void
work_begin(struct work *w)
{
	handoff_give(&w->handoff);
	nng_ctx_recv(w->ctx, w->aio);
}

int
works_start(struct rpc_server *s)
{
	struct work *w;

	while (s->work_len < CONTEXTS) {
		int rv = work_open(s, &w);

		if (rv != 0) {
			return rv;
		}
	}
	for (size_t i = 0; i < s->work_len; i++) {
		work_begin(s->work[i]);
	}
	return 0;
}

/* Removes it from the register. False: it is not there, because it was refused.
 */
static bool
forget_pipe(struct rpc_server *s, uint32_t pipe)
{
	LIST_FOREACH(link, &s->pipes) {
		struct pipe_note *note = LIST_ENTRY(link, struct pipe_note,
		    link);

		if (note->pipe == pipe) {
			list_del(&note->link);
			free(note);
			s->pipes_len--;
			return true;
		}
	}
	return false;
}

void
works_free(struct rpc_server *s)
{
	for (size_t i = 0; i < s->work_len; i++) {
		struct work *w = s->work[i];

		handoff_take(&w->handoff);
		if (w->msg != NULL) {
			nng_msg_free(w->msg);
		}
		nng_aio_free(w->aio);
		buf_fini(&w->reply);
		free(w);
	}
	free(s->work);
	handoff_take(&s->pipe_handoff);
	while (!list_empty(&s->pipes)) {
		(void)forget_pipe(s, LIST_ENTRY(s->pipes.next,
		    struct pipe_note, link)->pipe);
	}
}

/* ---- those who wait for our end ----------------------------------------- */

bool
work_watch(struct work *w, const struct frame *asked)
{
	struct rpc_server *s = w->server;
	struct work *spare;

	if (list_linked(&w->watch) || s->watchers_len == WATCHERS_MAX) {
		return false;
	}
	if (s->work_len - s->watchers_len <= CONTEXTS) {
		if (work_open(s, &spare) != 0) {
			return false;
		}
		work_begin(spare);
	}
	w->going = *asked;
	w->pipe = (uint32_t)nng_pipe_id(nng_msg_get_pipe(w->msg));
	w->open++;
	list_push_back(&s->watchers, &w->watch);
	s->watchers_len++;
	return true;
}

static void
tell_end(struct work *w)
{
	list_del(&w->watch);
	w->server->watchers_len--;
	reply_status(w, &w->going, ERR_OK);
	work_answered(w);
}

void
works_tell_end(struct rpc_server *s)
{
	while (!list_empty(&s->watchers)) {
		tell_end(LIST_ENTRY(s->watchers.next, struct work, watch));
	}
}

/* ---- connections -------------------------------------------------------- */

/* NNG's thread. */
static void
on_pipe_pre(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct rpc_server *s = arg;

	(void)ev;
	if (atomic_load_explicit(&s->refusing, memory_order_acquire)) {
		nng_pipe_close(pipe);
	}
}

/* NNG's thread. */
static void
on_pipe(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct rpc_server *s = arg;
	struct pipe_note *note = mem_zalloc(sizeof(*note));

	handoff_take(&s->pipe_handoff);
	note->post.kind = SERVER_POST_PIPE;
	note->pipe = (uint32_t)nng_pipe_id(pipe);
	note->added = ev == NNG_PIPE_EV_ADD_POST;
	list_init(&note->link);
	if (!inbox_post(s->inbox, &note->post.item)) {
		free(note);
	}
	handoff_give(&s->pipe_handoff);
}

void
works_watch_pipes(struct rpc_server *s)
{
	handoff_give(&s->pipe_handoff);
	(void)nng_pipe_notify(s->socket, NNG_PIPE_EV_ADD_PRE, on_pipe_pre, s);
	(void)nng_pipe_notify(s->socket, NNG_PIPE_EV_ADD_POST, on_pipe, s);
	(void)nng_pipe_notify(s->socket, NNG_PIPE_EV_REM_POST, on_pipe, s);
}

void
works_take_pipe(struct rpc_server *s, struct server_post *post)
{
	struct pipe_note *note = CONTAINER_OF(post, struct pipe_note, post);
	uint32_t pipe = note->pipe;

	if (note->added && rpc_ended_take(&s->ended, (int)pipe)) {
		free(note);
		return;
	}
	if (note->added) {
		list_push_back(&s->pipes, &note->link);
		s->pipes_len++;
		return;
	}
	free(note);
	if (!forget_pipe(s, pipe)) {
		rpc_ended_note(&s->ended, (int)pipe);
		return;
	}
	if (s->closing) {
		return;
	}
	LIST_FOREACH_SAFE(link, next, &s->watchers) {
		struct work *w = LIST_ENTRY(link, struct work, watch);

		if (w->pipe == pipe) {
			tell_end(w);
		}
	}
}
