/*
 * The raw NNG socket of a link: towards a REQ socket of ours it plays REP, and
 * the other way round. It is joined to it by inproc://, which moves whole
 * messages: there is no part of one that a closed pipe could leave NNG waiting
 * for.
 *
 * Thread: the tunnels', except the callbacks marked so, which only post.
 *
 * SPDX-License-Identifier: MIT
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>

#include "common/rpc_tunnel_int.h"

/* NNG's dialler must not connect again after its pipe went: the link ends. */
#define NEVER_MS (3600 * 1000)
/* What a raw REP socket puts before a request: its pipe's id. */
#define OWN_HEADER 4

/* NNG's thread. */
static void
on_take(void *arg)
{
	tunnel_post(&((struct tunnel_link *)arg)->nng.taken);
}

/* NNG's thread. */
static void
on_give(void *arg)
{
	tunnel_post(&((struct tunnel_link *)arg)->nng.given);
}

/* NNG's threads. A link has one pipe: a dialler of NNG 1.5 whose pause is drawn
 * negative (half of all) connects again at once, whatever its settings say. */
static void
on_pipe(nng_pipe pipe, nng_pipe_ev ev, void *arg)
{
	struct tunnel_nng *n = &((struct tunnel_link *)arg)->nng;
	int id = nng_pipe_id(pipe);
	int none = 0;

	if (ev == NNG_PIPE_EV_ADD_PRE) {
		if (atomic_compare_exchange_strong(&n->pipe_id, &none, id)) {
			n->pipe = pipe;
		} else {
			(void)nng_pipe_close(pipe);
		}
	} else if (atomic_load(&n->pipe_id) == id) {
		tunnel_post(ev == NNG_PIPE_EV_ADD_POST ? &n->added
		                                       : &n->removed);
	}
}

/* ---- messages ----------------------------------------------------------- */

static void
take(struct tunnel_link *l)
{
	struct tunnel_nng *n = &l->nng;

	if (!n->taking && l->state == LINK_OPEN &&
	    l->to_wire.len < TUNNEL_OUT_MESSAGES &&
	    l->to_wire.bytes < TUNNEL_OUT_BYTES) {
		n->taking = true;
		nng_recv_aio(n->socket, n->take);
	}
}

static void
give(struct tunnel_link *l)
{
	struct tunnel_nng *n = &l->nng;
	nng_msg *msg;

	if (n->giving || n->gone || l->to_nng.len == 0) {
		return;
	}
	msg = tunnel_queue_pop(&l->to_nng);
	/* A raw REP socket sends to the pipe that the header names. Out of
	 * memory it would drop the message, as a lost answer. */
	if (!l->server && nng_msg_header_append_u32(msg,
	    (uint32_t)nng_pipe_id(n->pipe)) != 0) {
		nng_msg_free(msg);
		return;
	}
	n->giving = true;
	nng_aio_set_msg(n->give, msg);
	nng_send_aio(n->socket, n->give);
}

void
tunnel_nng_go_on(struct tunnel_link *l)
{
	if (l->nng.open) {
		take(l);
		give(l);
	}
}

static void
on_taken(struct tunnel_post *post)
{
	struct tunnel_link *l = CONTAINER_OF(post, struct tunnel_link,
	    nng.taken);
	nng_msg *msg;

	l->nng.taking = false;
	if (nng_aio_result(l->nng.take) != 0) {
		return;
	}
	msg = nng_aio_get_msg(l->nng.take);
	nng_aio_set_msg(l->nng.take, NULL);
	if (l->state != LINK_OPEN && l->state != LINK_FLUSHING) {
		nng_msg_free(msg);
		return;
	}
	tunnel_queue_push(&l->to_wire, msg);
	tunnel_link_go_on(l);
}

static void
on_given(struct tunnel_post *post)
{
	struct tunnel_link *l = CONTAINER_OF(post, struct tunnel_link,
	    nng.given);

	l->nng.giving = false;
	if (nng_aio_result(l->nng.give) != 0) {
		nng_msg_free(nng_aio_get_msg(l->nng.give));
		nng_aio_set_msg(l->nng.give, NULL);
		return;
	}
	tunnel_link_go_on(l);
}

size_t
tunnel_nng_own(const struct tunnel_link *l)
{
	return l->server ? 0 : OWN_HEADER;
}

/* ---- the pipe ----------------------------------------------------------- */

static void
on_added(struct tunnel_post *post)
{
	struct tunnel_link *l = CONTAINER_OF(post, struct tunnel_link,
	    nng.added);

	if (l->nng.open) {
		l->nng.joined = true;
		tunnel_link_pipe_came(l);
	}
}

static void
on_removed(struct tunnel_post *post)
{
	struct tunnel_link *l = CONTAINER_OF(post, struct tunnel_link,
	    nng.removed);

	l->nng.gone = true;
	if (l->nng.open) {
		tunnel_link_pipe_went(l);
	}
}

static int
dial(struct tunnel_link *l)
{
	nng_socket s = l->nng.socket;
	nng_dialer d;
	int rv = nng_dialer_create(&d, s, l->door);

	if (rv != 0) {
		return rv;
	}
	(void)nng_pipe_notify(s, NNG_PIPE_EV_ADD_PRE, on_pipe, l);
	(void)nng_pipe_notify(s, NNG_PIPE_EV_ADD_POST, on_pipe, l);
	(void)nng_pipe_notify(s, NNG_PIPE_EV_REM_POST, on_pipe, l);
	(void)nng_dialer_set_ms(d, NNG_OPT_RECONNMINT, NEVER_MS);
	(void)nng_dialer_set_ms(d, NNG_OPT_RECONNMAXT, NEVER_MS);
	return nng_dialer_start(d, NNG_FLAG_NONBLOCK);
}

bool
tunnel_nng_join(struct tunnel_link *l)
{
	struct tunnel_nng *n = &l->nng;
	int rv;

	n->taken.fn = on_taken;
	n->given.fn = on_given;
	n->added.fn = on_added;
	n->removed.fn = on_removed;
	rv = l->server ? nng_req0_open_raw(&n->socket)
	               : nng_rep0_open_raw(&n->socket);
	if (rv != 0) {
		return false;
	}
	n->open = true;
	return nng_aio_alloc(&n->take, on_take, l) == 0 &&
	    nng_aio_alloc(&n->give, on_give, l) == 0 && dial(l) == 0;
}

void
tunnel_nng_close(struct tunnel_link *l)
{
	struct tunnel_nng *n = &l->nng;

	if (!n->open) {
		return;
	}
	n->open = false;
	if (n->take != NULL) {
		nng_aio_stop(n->take);
	}
	if (n->give != NULL) {
		nng_aio_stop(n->give);
	}
	nng_close(n->socket);
}

void
tunnel_nng_fini(struct tunnel_link *l)
{
	nng_aio_free(l->nng.take);
	nng_aio_free(l->nng.give);
}
