/*
 * rpc_peer: one address of a service: its NNG socket, the contexts that carry
 * batches, and whether it may be used (hello). Private to rpc_client.c, which
 * decides which call goes where and what to do when one fails.
 *
 *   DOWN --pipe added--> HELLO --answer--> UP
 *     ^                   | ^               |  an attempt timed out: HELLO again
 *     +---pipe removed----+ +---------------+
 *                         +--other version--> REFUSED (until the pipe goes)
 *   UP, HELLO --it says that it ends--> GOING (until its last answer is here;
 *                                       then we hang up: DOWN)
 *
 * Loop's thread only; NNG's threads fill a slot or a note and post it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_PEER_H
#define COMMON_RPC_PEER_H

#include <nng/nng.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/contract.h"
#include "common/envelope.h"
#include "common/err.h"
#include "common/handoff.h"
#include "common/inbox.h"
#include "common/list.h"
#include "common/rpc_ended.h"
#include "common/rpc_tunnel.h"

/* Batches a lane may have in flight at one peer. */
#define RPC_SLOTS_MAX 16

enum peer_state {
	PEER_DOWN,    /* no connection */
	PEER_HELLO,   /* connected, or suspect: hello is asked */
	PEER_UP,      /* may be given calls */
	PEER_REFUSED, /* speaks another envelope version */
	PEER_GOING,   /* about to end: owes answers, gets no more calls */
};

/* What was posted to the client's inbox. */
enum rpc_post_kind {
	POST_SLOT, /* a batch is answered or failed */
	POST_PIPE, /* the connection came or went */
};

struct rpc_post {
	struct inbox_item item;
	enum rpc_post_kind kind;
};

struct peer;

enum slot_role {
	SLOT_CALLS,
	SLOT_HELLO,
	SLOT_GOING, /* answered when the peer is about to end */
};

/* One NNG context: carries one batch at a time. */
struct slot {
	struct rpc_post post;
	struct peer *peer;   /* borrowed */
	struct list idle;    /* link in the peer's idle list of its lane */
	enum lane lane;
	enum slot_role role;
	nng_ctx ctx;
	nng_aio *aio;        /* owned */
	struct handoff handoff; /* between the loop and NNG's thread */
	bool receiving;      /* NNG's thread: the send is done */
	int result;          /* NNG's thread, read after the post */
	nng_msg *reply;      /* owned; NULL when result is not 0 */
	bool was_sent;       /* whether the peer may have got it */
	unsigned count;
	uint64_t ids[ENVELOPE_FRAMES_MAX]; /* calls in the batch */
};

struct peer {
	struct list link;      /* in the client's peers */
	struct handoff handoff; /* to NNG's threads and back */
	struct inbox *inbox;   /* borrowed: the client's */
	const char *service;   /* borrowed */
	char *url;             /* owned */
	uint64_t url_hash;     /* same in every process: rendezvous */
	bool wanted;           /* still among the addresses */
	enum peer_state state;
	bool was_up;
	bool served;           /* up on the present connection */
	nng_socket socket;
	nng_dialer dialer;     /* unless there is a tunnel */
	struct tunnel_caller *tunnel; /* owned; NULL: no TLS */
	char *host;            /* owned; NULL: ipc. As peer_new was given it */
	uint64_t redial_at_ms; /* while it is down */
	uint64_t down_since_ms;
	bool down_told;        /* in the log */
	bool open;
	bool connected;        /* by `pipe` */
	nng_pipe pipe;
	struct rpc_ended ended;
	int64_t clock_ahead;   /* its monotonic ms minus ours */
	uint64_t hello_sent_ms;
	uint64_t hello_next_ms; /* when to ask again */
	bool hello_busy;
	bool going_busy;       /* it was asked to tell its end */
	struct slot *slots;    /* owned: all lanes, then hello's, going's */
	size_t slots_len;
	struct list idle[LANE_COUNT];
	struct list queue[LANE_COUNT]; /* calls placed here, not yet sent */
	unsigned timeouts;
};

/* `host`: whom a certificate must be for, if the URL is tls+tcp://. NULL: the URL
 * or the socket is refused; *nng_error_r says why. */
MUST_CHECK struct peer *peer_new(const char *service, const char *url,
    const char *host, struct inbox *inbox, int *nng_error_r);
/* Ends the connection and waits for NNG to let go of the slots; what it still
 * posted stays valid until peer_free. */
void peer_close(struct peer *p);
/* After peer_close, when none of its posts is left in the inbox. */
void peer_free(struct peer **p);
/* Whether no slot is with NNG or in the inbox. */
bool peer_idle(const struct peer *p);
/* Releases the slots of a closed peer that is idle; the rest of it stays,
 * because a last POST_PIPE may still name it. */
void peer_shrink(struct peer *p);

/* Logs, once, that there has been no connection for a while. */
void peer_tell_down(struct peer *p, uint64_t now);
/* Whether it has no connection and a dialler that may be dead. A tunnel's
 * connects again by itself. */
bool peer_must_redial(const struct peer *p, uint64_t now);
/* Makes the dialler anew. */
void peer_redial(struct peer *p);

/* Sends a finished batch in an idle slot (taken off its list). Takes `b`'s
 * content. The slot comes back by POST_SLOT. */
void peer_send(struct slot *s, struct buf *b, int64_t timeout_ms);
void peer_send_hello(struct peer *p, int64_t timeout_ms);
/* Takes hello's answer; the new state is in p->state. */
void peer_take_hello(struct slot *s);
/* After a POST_PIPE: the connection's new state. True when the one that was went
 * away (another may have taken its place). */
bool peer_take_pipe(struct peer *p, struct rpc_post *post);
/* Asks to be told the peer's end, unless that is asked already. */
void peer_send_going(struct peer *p);
/* Takes the answer to it. True: the peer is about to end. */
bool peer_take_going(struct slot *s);
void peer_set_going(struct peer *p);
/* Hangs up on a going peer that owes us nothing more. */
void peer_leave(struct peer *p);
/* Puts the slot back on the idle list and drops its reply. */
void peer_slot_done(struct slot *s);
/* Fails all batches in flight at once. */
void peer_abort(struct peer *p);

/* The peer of a POST_PIPE. */
struct peer *peer_of_pipe_post(struct rpc_post *post);

#endif
