/*
 * The answering side: an NNG REP socket with many contexts, each carrying one
 * batch from receipt to reply.
 *
 *   RECV (NNG) -> post -> open batch -> handler per frame -> rpc_reply each
 *      ^                                                        | last one
 *      +--------------------- SEND (NNG) <----------------------+
 *
 * The end: callers that asked `going` are told, take their calls elsewhere, wait
 * for the answers that are due and hang up; new connections are refused. So no
 * call is cut off between its caller and us. Who does not know `going` is told
 * ERR_DRAINING call by call, and hung up on after a while.
 *
 * SPDX-License-Identifier: MIT
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/nng_mend.h"
#include "common/rpc_limits.h"
#include "common/rpc_links.h"
#include "common/rpc_plain.h"
#include "common/rpc_server_int.h"

#define VERSION_LOG_EVERY_MS 10000
/* Draining: callers that do not hang up are left after so long without work. */
#define LEAVE_MAX_MS 2000

/* rpc_in as the handler sees it, and what leads back to its batch. */
struct in_frame {
	struct rpc_in in;
	struct work *work; /* borrowed */
};

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

	/* More than the caller takes would cost it the connection. */
	if (w->reply.len + ENVELOPE_FRAME_LEN + f.body_len > RPC_MESSAGE_MAX) {
		f.status = ERR_UNAVAILABLE;
		f.body_len = 0;
	}
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

void
reply_status(struct work *w, const struct frame *asked, enum err status)
{
	struct rpc_out out = { .status = status };

	reply_add(w, asked, &out);
}

static void
tell_forbidden(struct rpc_server *s, const struct work *w,
    const struct contract_row *row)
{
	uint64_t now = clock_mono_ms();

	metric_inc(s->m_forbidden);
	if (s->forbidden_logged_ms != 0 &&
	    now - s->forbidden_logged_ms < VERSION_LOG_EVERY_MS) {
		return;
	}
	s->forbidden_logged_ms = now;
	if (s->tls) {
		log_error("call_forbidden", "call=%s reason=\"the caller's "
		    "certificate names roles that do not make this call\" "
		    "roles=%#x remedy=\"find out who holds that certificate\"",
		    row->name, w->roles);
	} else {
		log_error("call_forbidden", "call=%s reason=\"over a link "
		    "without TLS only root and this process's own account may "
		    "make it, through an ipc:// socket\" remedy=\"call as one "
		    "of them, use tls+tcp://, or see setting "
		    "insecure_admin_calls\"", row->name);
	}
}

/* Whether the caller's certificate, or account, lets it make this call: above
 * all, only a gateway may say for whom a request is. */
static bool
may_call(struct rpc_server *s, const struct work *w, const struct frame *f)
{
	const struct contract_row *row = contract_row(f->kind);

	if (row == NULL || (row->from & w->roles) != 0) {
		return true;
	}
	if (w->roles == 0) {
		return false; /* it is gone, and hears no answer */
	}
	if (!s->tls && (row->from & PROCESS_PARLEYCTL) != 0 &&
	    rpc_plain_is_admin(nng_msg_get_pipe(w->msg))) {
		return true;
	}
	tell_forbidden(s, w, row);
	return false;
}

static void
take_frame(struct rpc_server *s, struct work *w, const struct frame *f)
{
	struct in_frame *in;

	if (f->kind == CALL_hello) {
		reply_hello(w, f);
		return;
	}
	if (!may_call(s, w, f)) {
		reply_status(w, f, ERR_UNAUTHORIZED);
		return;
	}
	if (f->kind == CALL_going) {
		if (s->draining) {
			reply_status(w, f, ERR_OK);
		} else if (!work_watch(w, f)) {
			reply_status(w, f, ERR_OVERLOADED);
		}
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
take_batch(struct rpc_server *s, struct work *w)
{
	struct frame f;
	struct rd r;
	unsigned count;
	unsigned version;
	enum err e;

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

static void
on_post(void *arg, struct inbox_item *item)
{
	struct rpc_server *s = arg;
	struct server_post *post = CONTAINER_OF(item, struct server_post, item);

	if (post->kind == SERVER_POST_PIPE) {
		works_take_pipe(s, post);
	} else if (!s->closing) {
		take_batch(s, CONTAINER_OF(post, struct work, post));
	}
}

/* Frees a closed server once no handler holds a frame of it. */
static void
release(struct rpc_server *s)
{
	if (!s->closed || s->in_flight > 0) {
		return;
	}
	works_free(s);
	free(s);
}

void
rpc_reply(struct rpc_in *in, const struct rpc_out *out)
{
	struct in_frame *f = CONTAINER_OF(in, struct in_frame, in);
	struct work *w = f->work;

	w->server->in_flight--;
	w->server->idle_ms = clock_mono_ms();
	if (!w->server->closing) {
		reply_add(w, &in->frame, out);
		work_answered(w);
	}
	free(f);
	release(w->server);
}

static double
in_flight_gauge(void *arg)
{
	return (double)((struct rpc_server *)arg)->in_flight;
}

static double
callers_gauge(void *arg)
{
	return (double)rpc_server_callers(arg);
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
	s->m_forbidden = metric_counter("parley_rpc_forbidden_total", NULL,
	    "Calls that the caller's certificate does not allow");
	metric_gauge_fn("parley_rpc_in_flight", NULL,
	    "Frames at work", in_flight_gauge, s);
	metric_gauge_fn("parley_rpc_callers", NULL,
	    "Connections of processes that call this one", callers_gauge, s);
}

struct rpc_server *
rpc_server_new(uv_loop_t *loop, const char *url, size_t in_flight_max,
    rpc_handler_fn *fn, void *arg)
{
	struct rpc_server *s = mem_zalloc(sizeof(*s));
	int rv;

	nng_mend();
	s->loop = loop;
	s->fn = fn;
	s->arg = arg;
	s->in_flight_max = in_flight_max;
	s->tls = rpc_is_tls(url);
	s->inbox = inbox_new(loop, on_post, s);
	list_init(&s->watchers);
	list_init(&s->pipes);
	metrics_open(s);
	rv = nng_rep0_open(&s->socket);
	if (rv == 0) {
		(void)nng_socket_set_size(s->socket, NNG_OPT_RECVMAXSZ,
		    RPC_MESSAGE_MAX);
		works_watch_pipes(s);
		rv = s->tls ? tunnel_listen(&s->tunnel, &s->doors, s->socket,
		    url) : rpc_plain_listen(s->socket, url);
		if (rv == 0) {
			rv = works_start(s);
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
	if (s->draining) {
		return;
	}
	s->draining = true;
	s->idle_ms = clock_mono_ms();
	atomic_store_explicit(&s->refusing, true, memory_order_release);
	works_tell_end(s);
}

bool
rpc_server_drained(const struct rpc_server *s)
{
	return s->draining && s->in_flight == 0 && (s->pipes_len == 0 ||
	    clock_mono_ms() - s->idle_ms >= LEAVE_MAX_MS);
}

size_t
rpc_server_callers(const struct rpc_server *s)
{
	return s->pipes_len;
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
		nng_aio_stop(s->work[i]->aio);
	}
	tunnel_unlisten(&s->tunnel);
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
	tunnels_end();
	/* Without it NNG's threads are still there while the process exits,
	 * which leak checkers and thread sanitizers take badly. */
	nng_fini();
}
