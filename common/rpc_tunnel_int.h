/*
 * What the files of the tunnels share. Nobody else includes this.
 *
 *   rpc_tunnel.c       the public face, the thread and its inbox
 *   rpc_tunnel_ends.c  callers, which connect anew for ever; callees, which accept
 *   rpc_tunnel_link.c  one connection from its first packet to its last
 *   rpc_tunnel_wire.c  NNG's framing, messages into bytes and back
 *   rpc_tunnel_nng.c   a connection's raw NNG socket
 *   rpc_tunnel_tls.c   TLS on a socket
 *
 * Everything here belongs to the tunnels' thread, unless said.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RPC_TUNNEL_INT_H
#define COMMON_RPC_TUNNEL_INT_H

#include <netinet/in.h>
#include <nng/nng.h>
#include <stdatomic.h>
#include <uv.h>

#include "common/inbox.h"
#include "common/list.h"
#include "common/rpc_tunnel.h"
#include "common/rpc_tunnel_tls.h"

/* A record of TLS holds as much. */
#define TUNNEL_STAGE 16384
/* Messages on their way to the other process; NNG is not asked for more. */
#define TUNNEL_OUT_MESSAGES 32
#define TUNNEL_OUT_BYTES ((size_t)1 << 20)
/* Messages on their way to NNG; the connection is not read any further. */
#define TUNNEL_IN_MESSAGES 32
#define TUNNEL_IN_BYTES ((size_t)1 << 20)
/* NNG's first word to each other. */
#define TUNNEL_GREETING 8
#define TUNNEL_DOOR_LEN 64

/* To the tunnels' thread, which calls `fn`. */
struct tunnel_post {
	struct inbox_item item;
	void (*fn)(struct tunnel_post *post);
};

union tunnel_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* ---- the two kinds of ends ---------------------------------------------- */

struct tunnel_link;

struct tunnel_caller {
	struct tunnel_post open;
	struct tunnel_post close;
	struct list node;        /* in tunnels.callers */
	union tunnel_address to;
	char door[TUNNEL_DOOR_LEN]; /* where the REQ socket listens */
	char *service;           /* owned */
	char *host;              /* owned */
	struct tunnel_link *link;       /* borrowed; NULL: the timer runs */
	uv_timer_t timer;        /* until the next attempt */
	uint64_t pause_ms;
};

struct tunnel_callee {
	struct tunnel_post open;
	struct tunnel_post close;
	struct list node;        /* in tunnels.callees */
	int fd;                  /* owned */
	char door[TUNNEL_DOOR_LEN]; /* and "-" and the roles */
	uv_poll_t poll;
	uv_timer_t timer;        /* while no descriptor is free */
	unsigned handles;
	uv_sem_t *closed;        /* borrowed: the address is free again */
};

/* ---- a connection ------------------------------------------------------- */

enum tunnel_link_state {
	LINK_CONNECTING, /* callers: waits for TCP */
	LINK_SHAKING,    /* TLS's handshake */
	LINK_GREETING,   /* waits for the other NNG's first word */
	LINK_JOINING,    /* waits for our NNG's pipe */
	LINK_OPEN,
	LINK_SETTLING,   /* the other process is gone; NNG gets what came */
	LINK_FLUSHING,   /* NNG hung up; what it sent goes out */
	LINK_PARTING,    /* all is said; the other process is to read it */
	LINK_CLOSED,     /* waits for its handles and posts */
};

struct tunnel_queue {
	nng_msg *msgs[TUNNEL_OUT_MESSAGES]; /* owned, a ring */
	size_t first;
	size_t len;
	size_t bytes;
};

struct tunnel_stage {
	size_t at;
	size_t len;
	uint8_t bytes[TUNNEL_STAGE];
};

/* The raw socket and what NNG's threads post about it. */
struct tunnel_nng {
	bool open;
	bool joined;      /* there was a pipe */
	bool gone;        /* it is no more */
	nng_socket socket;
	atomic_int pipe_id; /* of the one pipe it may have; 0: none yet */
	nng_pipe pipe;    /* written by NNG's thread before `added` is posted */
	nng_aio *take;    /* owned; from NNG */
	nng_aio *give;    /* owned; to NNG */
	bool taking;
	bool giving;
	struct tunnel_post taken;
	struct tunnel_post given;
	struct tunnel_post added;
	struct tunnel_post removed;
};

struct tunnel_link {
	struct list node;        /* in tunnels.links */
	struct list early;       /* in tunnels.early until it was open */
	struct tunnel_post last; /* after it no post of this link follows */
	enum tunnel_link_state state;
	int fd;                  /* owned; -1: closed */
	struct tunnel_caller *caller; /* borrowed; NULL: let go of it, or none */
	struct tunnel_callee *callee; /* borrowed; the same */
	bool server;
	char door[TUNNEL_DOOR_LEN + 8]; /* where our NNG listens */
	struct tunnel_tls tls;
	bool write_wants_read;
	bool wants_write;
	bool served;             /* a message came: the link is good */
	unsigned rounds;         /* of settling */
	uv_poll_t poll;
	int watched;             /* events */
	uv_timer_t timer;
	unsigned waits;          /* handles and the last post */
	struct tunnel_nng nng;
	struct tunnel_stage in;
	uint8_t head[TUNNEL_GREETING]; /* a greeting, or a length */
	size_t head_len;
	nng_msg *msg;            /* owned; being read */
	size_t msg_len;          /* as far as it is read */
	struct tunnel_queue to_nng;
	struct tunnel_queue to_wire;
	size_t sent;             /* of the first of to_wire, its length included */
	struct tunnel_stage out;
};

/* ---- rpc_tunnel.c ------------------------------------------------------- */

struct tunnels {
	uv_loop_t loop;
	struct inbox *inbox;
	struct list callers;
	struct list callees;
	struct list links;
	struct list early; /* links of callees that were not open yet, by age */
	size_t early_len;
	bool ending;
};

extern struct tunnels tunnels;

/* Any thread. */
void tunnel_post(struct tunnel_post *post);
/* Something is gone; perhaps it was the last. */
void tunnels_check_end(void);

/* ---- rpc_tunnel_ends.c -------------------------------------------------- */

void tunnel_caller_open(struct tunnel_post *post);
void tunnel_caller_close(struct tunnel_post *post);
void tunnel_callee_open(struct tunnel_post *post);
void tunnel_callee_close(struct tunnel_post *post);
/* A caller's link ended. */
void tunnel_caller_idle(struct tunnel_caller *c, bool served);

/* ---- rpc_tunnel_link.c -------------------------------------------------- */

/* Begins to connect. False: it cannot, for the moment. */
MUST_CHECK bool tunnel_link_connect(struct tunnel_caller *c);
/* Takes a connection that was accepted. */
void tunnel_link_accept(struct tunnel_callee *c, int fd);
/* Its end (caller or callee) goes: what was sent goes out, if it is open. */
void tunnel_link_release(struct tunnel_link *l);
/* At once. */
void tunnel_link_close(struct tunnel_link *l);
/* The connection is of no more use. */
void tunnel_link_lost(struct tunnel_link *l);
/* To be called whenever something changed that the link waits for. */
void tunnel_link_go_on(struct tunnel_link *l);
/* NNG took or gave a message, or its pipe came or went. */
void tunnel_link_pipe_came(struct tunnel_link *l);
void tunnel_link_pipe_went(struct tunnel_link *l);

/* ---- rpc_tunnel_wire.c -------------------------------------------------- */

void tunnel_wire_greet(struct tunnel_link *l);
/* Reads as long as something comes and there is room for it. */
void tunnel_wire_read(struct tunnel_link *l);
/* Whether there is room for more from the other process. */
bool tunnel_wire_has_room(const struct tunnel_link *l);
/* Writes as long as there is something and the connection takes it. */
void tunnel_wire_write(struct tunnel_link *l);
/* Whether something is not written yet. */
bool tunnel_wire_owes(const struct tunnel_link *l);
/* Frees the messages. */
void tunnel_wire_fini(struct tunnel_link *l);
MUST_CHECK nng_msg *tunnel_queue_pop(struct tunnel_queue *q);
void tunnel_queue_push(struct tunnel_queue *q, nng_msg *msg);

/* ---- rpc_tunnel_nng.c --------------------------------------------------- */

/* Opens the raw socket, which begins to connect to the door. */
MUST_CHECK bool tunnel_nng_join(struct tunnel_link *l);
/* Takes from NNG and gives to it what there is. */
void tunnel_nng_go_on(struct tunnel_link *l);
/* Waits for NNG's threads a moment; posts may still come. */
void tunnel_nng_close(struct tunnel_link *l);
/* When no post can come any more. */
void tunnel_nng_fini(struct tunnel_link *l);
/* Bytes of the message's header that the other process does not get. */
size_t tunnel_nng_own(const struct tunnel_link *l);

#endif
