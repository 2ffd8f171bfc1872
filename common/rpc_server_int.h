/*
 * What the files of the answering side share. Nobody else includes this.
 *
 *   rpc_server.c  the public face: frames to the handler, answers to the batch
 *   rpc_work.c    contexts: batches in and out, callers that wait for our end,
 *                 connections
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_SERVER_INT_H
#define COMMON_RPC_SERVER_INT_H

#include <nng/nng.h>
#include <stdatomic.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/handoff.h"
#include "common/inbox.h"
#include "common/list.h"
#include "common/rpc.h"
#include "common/rpc_ended.h"
#include "common/rpc_tunnel.h"

/* What was posted to the server's inbox. */
enum server_post_kind {
	SERVER_POST_BATCH, /* a batch was received */
	SERVER_POST_PIPE,  /* a connection came or went */
};

struct server_post {
	struct inbox_item item;
	enum server_post_kind kind;
};

enum work_phase {
	WORK_RECEIVING, /* with NNG */
	WORK_AT_WORK,   /* with the loop */
	WORK_SENDING,   /* with NNG */
};

/* One NNG context: carries one batch from receipt to reply. */
struct work {
	struct server_post post;
	struct rpc_server *server; /* borrowed */
	struct list watch;         /* in server.watchers: answered at our end */
	struct frame going;        /* while there: what to answer */
	uint32_t pipe;             /* while there: its connection */
	nng_ctx ctx;
	nng_aio *aio;              /* owned */
	struct handoff handoff;    /* between the loop and NNG's thread */
	enum work_phase phase;
	int result;
	nng_msg *msg;              /* owned while at work: bodies point into it */
	unsigned roles;            /* what its caller may be: PROCESS_ bits */
	unsigned open;             /* frames not answered, +1 while dispatching */
	struct buf reply;
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
	bool tls;                  /* callers have certificates */
	struct tunnel_callee *tunnel; /* owned; NULL: no TLS */
	struct tunnel_doors doors; /* and by which of them each came */
	uint64_t version_logged_ms;
	uint64_t forbidden_logged_ms;
	uint64_t idle_ms;          /* draining: since when nothing is in flight */
	atomic_bool refusing;      /* NNG's threads: no new connections */
	struct handoff pipe_handoff; /* to NNG's threads and back */
	struct list pipes;         /* connections open */
	size_t pipes_len;
	struct rpc_ended ended;
	struct work **work;        /* owned, each */
	size_t work_len;
	size_t work_cap;
	struct list watchers;      /* works, see struct work */
	size_t watchers_len;
	struct metric *m_expired;
	struct metric *m_overloaded;
	struct metric *m_malformed;
	struct metric *m_forbidden;
};

/* ---- rpc_work.c --------------------------------------------------------- */

/* Before listening: connections are told of from the first on. */
void works_watch_pipes(struct rpc_server *s);
/* All contexts begin to receive. An NNG error, or 0. */
MUST_CHECK int works_start(struct rpc_server *s);
/* After the socket was closed. */
void works_free(struct rpc_server *s);
/* One frame of the batch is answered; with the last one it goes. */
void work_answered(struct work *w);
/* Keeps the batch until the server's end; another context takes its place.
 * False: too many wait already. */
MUST_CHECK bool work_watch(struct work *w, const struct frame *asked);
/* Answers all that wait for the end. */
void works_tell_end(struct rpc_server *s);
/* After a SERVER_POST_PIPE. */
void works_take_pipe(struct rpc_server *s, struct server_post *post);

/* ---- rpc_server.c ------------------------------------------------------- */

void reply_status(struct work *w, const struct frame *asked, enum err status);

#endif
