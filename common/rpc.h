/*
 * Calls between processes over NNG REQ/REP, in envelopes.
 *
 *   caller's loop                                  callee's loop
 *   rpc_call -> [lane queue] -> end of loop turn -> one batch -> handler
 *   callback <- inbox <------------- one reply batch <- rpc_reply (each)
 *
 * Client: one NNG socket a peer address; the peers of a service are ranked by
 * rendezvous hashing of the call's route key and the best one that is up is
 * taken. A peer is up once it answered `hello` on its present connection, which
 * also tells its clock (deadlines are given in the callee's monotonic time) and
 * refuses other envelope versions; then it is asked `going`, which it answers
 * when it is about to end: it gets no more calls, and once those it has are
 * answered the connection is given up. Calls wait, bounded, while no peer is up. An
 * attempt that fails or takes longer than attempt_ms is repeated at the next
 * peer if the call is idempotent; when timeout_ms is over, the callback gets
 * ERR_UNAVAILABLE.
 *
 * An address is an NNG URL (ipc:///path, ipc://relative, tcp://host:port). A
 * DNS name stands for all its addresses and is looked up again every 30 s.
 *
 * Everything runs on the loop's thread; NNG's own threads only post to an inbox.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_H
#define COMMON_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "common/attr.h"
#include "common/contract.h"
#include "common/envelope.h"
#include "common/err.h"

/* ---- client ------------------------------------------------------------- */

struct rpc_client;

struct rpc_client_conf {
	const char *service;   /* "chatd": for logs and metrics */
	const char *addresses; /* comma-separated */
	int64_t timeout_ms;    /* default bound of a call */
	int64_t attempt_ms;    /* bound of one attempt */
	size_t pending_max;    /* calls waiting or in flight; beyond: refused */
	/* A peer came up, or the last one went down. May be NULL. */
	void (*on_change)(void *arg, bool any_up);
	/* A peer that was up is gone, and had not said that it ends: it was
	 * killed, or the link was cut. May be NULL. */
	void (*on_lost)(void *arg);
	/* At start every peer that answered spoke another version: the process
	 * should end. May be NULL. */
	void (*on_version_mismatch)(void *arg);
	void *arg;
};

struct rpc_request {
	enum msg_kind kind;
	struct uuid route;     /* rendezvous key */
	/* Of a group with the call made just before, of the same kind and route,
	 * ENVELOPE_FRAMES_MAX at most: they reach the callee's handler one after
	 * the other, whatever is repeated. What of a group the callee says it has
	 * not executed is given up, so that none is executed before an earlier
	 * one. */
	bool follows;
	int64_t timeout_ms;    /* 0: the client's */
	uint64_t trace;
	uint64_t seq;
	struct uuid user;
	struct uuid session;
	struct uuid token;
	struct uuid chat;
	const void *body;      /* copied */
	size_t body_len;
};

/*
 * Exactly once a call unless it was cancelled, never from within rpc_call.
 * `status` is the reply's, or ERR_UNAVAILABLE (then reply is NULL). The reply
 * and its body are borrowed for the call.
 */
typedef void rpc_reply_fn(void *arg, enum err status,
    const struct frame *reply);

/* NULL (and a log_error naming the setting) when an address is malformed. */
MUST_CHECK struct rpc_client *rpc_client_new(uv_loop_t *loop,
    const struct rpc_client_conf *conf);
/* Cancels what is pending (no callbacks) and closes all sockets. Waits for NNG's
 * threads to let go, at most a moment. */
void rpc_client_free(struct rpc_client **c);

/* Returns the call's id (never 0), for rpc_cancel. */
uint64_t rpc_call(struct rpc_client *c, const struct rpc_request *req,
    rpc_reply_fn *fn, void *arg);
/* The callback will not come. An id that is no more is ignored. */
void rpc_cancel(struct rpc_client *c, uint64_t id);
bool rpc_client_up(const struct rpc_client *c);
size_t rpc_client_pending(const struct rpc_client *c);

/* ---- server ------------------------------------------------------------- */

struct rpc_server;

/* One received frame. Lives until rpc_reply. */
struct rpc_in {
	struct frame frame;    /* body borrowed until rpc_reply */
	uint64_t deadline_ms;  /* ours, monotonic; 0: none */
};

struct rpc_out {
	enum err status;
	uint64_t seq;
	struct uuid user;
	struct uuid token;
	struct uuid chat;
	const void *body;      /* copied */
	size_t body_len;
};

/* Called on the loop for each frame whose deadline has not passed and that is
 * no hello. Must lead to exactly one rpc_reply, now or later. */
typedef void rpc_handler_fn(void *arg, struct rpc_in *in);

/* Listens at `url`. NULL (and a log_error naming cause and remedy) when it
 * cannot. At most in_flight_max frames are with the handler; frames beyond are
 * answered ERR_OVERLOADED. */
MUST_CHECK struct rpc_server *rpc_server_new(uv_loop_t *loop, const char *url,
    size_t in_flight_max, rpc_handler_fn *fn, void *arg);
/* From now on new frames are answered ERR_DRAINING, unexecuted, and callers are
 * told to turn to another process and to hang up. */
void rpc_server_drain(struct rpc_server *s);
/* After rpc_server_drain: whether all is answered, and every caller has the
 * answers and hung up, or did not within 2 s. To be asked now and then. */
bool rpc_server_drained(const struct rpc_server *s);
/* Connections of callers. */
size_t rpc_server_callers(const struct rpc_server *s);
size_t rpc_server_in_flight(const struct rpc_server *s);
/* Ends listening. Frames still with the handler get no answer, but stay valid
 * until their rpc_reply, which releases the rest. */
void rpc_server_free(struct rpc_server **s);

/* Ends NNG's threads: the last act of main(), when all clients and servers are
 * freed. Harmless when none was ever made. */
void rpc_end(void);

/* Answers; `in` is gone afterwards. */
void rpc_reply(struct rpc_in *in, const struct rpc_out *out);

#endif
