/*
 * What the files of the calling side share. Nobody else includes this.
 *
 *   rpc_client.c  the public face, the deadlines, the peers' comings and goings
 *   rpc_place.c   the table of calls; where a call goes and when it moves on
 *   rpc_batch.c   calls into batches, batches' answers back into calls
 *   rpc_peer.c    one address: socket, slots, hello
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_INT_H
#define COMMON_RPC_INT_H

#include "common/list.h"
#include "common/rpc.h"
#include "common/rpc_peer.h"

struct metric;
struct resolver;
struct table_entry;

/* Peers a call remembers as tried. */
#define RPC_TRIED_MAX 8

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
	bool grouped;            /* sent along with another of its group */
	uint64_t tried[RPC_TRIED_MAX];
	unsigned tried_len;
	rpc_reply_fn *fn;
	void *arg;
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

/* ---- rpc_place.c -------------------------------------------------------- */

/* The call of this id if it is still pending. */
struct call *calls_find(const struct rpc_client *c, uint64_t id);
/* Gives the call its id. */
void calls_add(struct rpc_client *c, struct call *call);
void calls_remove(struct rpc_client *c, struct call *call);
/* Frees all without calling back. */
void calls_drop(struct rpc_client *c);
/* Removes the call and calls back; reply NULL: no answer came. */
void call_finish(struct rpc_client *c, struct call *call, enum err status,
    const struct frame *reply);
/* An attempt failed; the call is on no list and may be repeated. */
void call_move_on(struct rpc_client *c, struct call *call,
    const struct peer *failed);
/* Every fresh call to the queue of its peer, or parked. */
void calls_place(struct rpc_client *c);
/* Takes what a peer has not been sent back to be placed anew. */
void calls_requeue(struct rpc_client *c, struct peer *p);

/* ---- rpc_batch.c -------------------------------------------------------- */

/* Sends what is queued, as far as slots are idle. */
void batches_send(struct rpc_client *c);
/* A batch was answered, or failed. */
void batch_take(struct rpc_client *c, struct slot *s);

/* ---- rpc_client.c ------------------------------------------------------- */

void client_tick_start(struct rpc_client *c);
/* The peer said that it ends: it gets no more calls. */
void client_peer_goes(struct rpc_client *c, struct peer *p);
/* After any change of a peer's state. */
void client_peers_changed(struct rpc_client *c);

#endif
