/*
 * conn: one client's WebSocket connection, a session, from its handshake to its
 * end.
 *
 *   CHECKING -> SUBSCRIBING -> SNAPSHOT -> LIVE -> CLOSING -> CLOSED
 *       (opening.c)                        |  backend.c: its requests
 *                                          |  deliver.c: its events
 *
 * A conn is made when the handshake is done and freed when libwebsockets lets
 * go of the socket (conn_gone), never before: code that holds a conn may go on
 * after conn_close and finds it in CLOSING. What it must not do is trust the
 * state it saw before it sent something.
 *
 * Frames that arrive before LIVE wait in `in`, events in `waiting`; both are
 * bounded. All on the main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_CONN_H
#define GATEWAY_CONN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/list.h"
#include "common/uuid.h"
#include "gateway/auth.h"
#include "gateway/chats.h"
#include "gateway/flush.h"
#include "gateway/gateway.h"
#include "gateway/inbound.h"
#include "gateway/limits.h"
#include "gateway/outbox.h"

struct lws;
struct fan_user;
struct contract_row;

enum conn_state {
	CONN_CHECKING,    /* waits for its turn, or its token is with chatd */
	CONN_SUBSCRIBING, /* on its fan_user's list; Redis has to confirm */
	CONN_SNAPSHOT,    /* its user_info is asked for; events wait */
	CONN_LIVE,        /* frames and events flow */
	CONN_CLOSING,     /* on conns.closing: flushes, sends its close frame */
	CONN_CLOSED,      /* the library has let go of it */
};

struct kept_answer;

/* A request that chatd is working on, or whose next part waits for room in the
 * outbox (then `id` is 0 and `more` is not), or whose answer waits for those
 * before it (then it is `kept`). */
struct conn_call {
	struct list link;               /* conn.calls, in their order */
	struct conn *conn;              /* borrowed */
	uint64_t id;                    /* of the rpc call; 0: none */
	const struct contract_row *row; /* borrowed, constant */
	struct uuid chat;
	struct uuid front_msg_id;
	char *request_id;               /* owned; may be NULL */
	uint64_t started_us;
	uint64_t trace;                 /* the request id in all logs */
	/* Rows with ROW_FRAMES: the answer comes in parts. */
	struct inbound_frame *frame;    /* owned; asked again for each */
	uint64_t more;                  /* the next part; 0: none */
	struct kept_answer *kept;       /* owned; NULL: none yet */
	bool refused;                   /* by us; chatd was not asked */
};

/* What the session has to ask chatd for. See catchup.c. */
#define CONN_UNKNOWN_MAX 8
struct conn_catchup {
	struct list link;    /* catchup.waiting; unlinked: nothing wanted */
	uint64_t due_ms;
	uint64_t call;       /* rpc id; 0: none in flight */
	unsigned failures;
	/* Wishes; those for known chats stand in session_chat.want. */
	bool all;            /* also which chats were gained and lost */
	uint64_t missed_since_ms; /* events may be missing since then; 0: none */
	struct uuid *unknown; /* owned, CONN_UNKNOWN_MAX of them: chats met, not
	                       * yet known; NULL: never met one */
	unsigned unknown_len;
	/* What the call in flight asks. */
	bool asking_all;
	uint64_t asking_since_ms;
	struct uuid *asking; /* owned, as many; NULL: never asked for one */
	unsigned asking_len;
};

struct conn {
	uint32_t magic;
	enum conn_state state;
	struct gateway *gw;      /* borrowed */
	struct lws *wsi;         /* borrowed; NULL when CLOSED */
	struct uuid session;
	struct uuid user;        /* nil until the token is checked */
	struct uuid token;
	struct token_hash hash;
	int64_t expires_ms;      /* of the token, unix */
	uint64_t opened_ms;

	struct list link;        /* conns.all */
	struct list watch;       /* conns.idle, .pinged or .closing */
	uint64_t watch_due_ms;
	struct list expiry;      /* tokens.expiring */

	struct caller *caller;   /* held by its remote, which outlives it */
	rate_bucket refusals;    /* see watch_rest */
	struct list rest;        /* conns.resting; unlinked: it does not */
	uint64_t rest_due_ms;

	struct list turn;        /* conns.waiting; unlinked: it does not */
	uint64_t opening_call;   /* rpc id; 0: none */
	struct fan_user *fan;    /* borrowed; NULL: not subscribed */
	struct list fan_link;

	struct outbox out;
	struct list flush;       /* in conns.flush; unlinked: nothing new */
	struct inbound in;
	struct list calls;       /* struct conn_call: one, or a group of sends;
	                          * the first is unanswered */
	struct chats chats;
	struct conn_catchup catchup;
	struct buf snapshot;     /* delivered marks to report once user_info
	                          * was written */
	struct list waiting;     /* events before LIVE */
	size_t waiting_len;
	size_t waiting_bytes;
	struct list held;        /* receipts behind an answer to come */
	size_t held_len;
	size_t held_bytes;

	uint64_t *abuse;         /* owned: ring of times; NULL: none yet */
	size_t abuse_len;
	size_t abuse_next;

	bool admitted;           /* counts in conns.admitted */
	bool read_paused;        /* `in` is full */
	bool announced;          /* presenced was told of it */
	bool lingers;            /* its token outlives the logout: presence
	                          * takes its grace */
	bool ping_due;           /* when no frame is half written */
	bool drain_due;          /* close when its call has returned */
	int close_code;
	const char *close_why;   /* fixed text */
	bool close_given;        /* the library has the close frame */
	bool dead;               /* broken: no close frame */
};

/* All connections of the process. */
struct conns {
	struct gateway *gw;      /* borrowed */
	struct list all;
	struct list idle;        /* by time of the next ping */
	struct list pinged;      /* by time at which the pong is overdue */
	struct list closing;     /* by time at which patience ends */
	struct flush flush;      /* whose outbox is written as the turn ends */
	uint64_t in_turn_us;     /* since when some wait in turn; 0: nobody */
	struct list resting;     /* by time at which requests go on */
	struct list waiting;     /* for their turn to open, by time of coming */
	size_t waiting_len;
	size_t admitted;         /* opening now */
	size_t count;            /* of all */
	size_t live;
	uv_timer_t timer;
	uv_idle_t awake;         /* runs while some wait in turn */
	unsigned handles;        /* of these two, not yet closed */
	struct turn *turn;
};

struct conns *conns_new(struct gateway *gw);
/* All connections must be gone. The loop has to turn once more. */
void conns_free(struct conns **c);
/* The connection's outbox has something to write. */
void conns_flush_later(struct conns *conns, struct conn *c,
    enum flush_when when);

/* The handshake of `wsi` is done. */
struct conn *conn_new(struct gateway *gw, struct lws *wsi);
/* The library has let go: frees it. */
void conn_gone(struct conn **c);

/* Checks the edge, keeps the counts, logs at debug. */
void conn_set_state(struct conn *c, enum conn_state state);
/* Whether it may still be written to by us (not closing). */
bool conn_is_open(const struct conn *c);
/* Whether chatd works on a request of its. */
bool conn_asks(const struct conn *c);

/* Queues a frame, to be written as the turn ends, or in turn with others who get
 * it as well (flush.h); `note` may be NULL. A reader that is too slow is
 * closed. */
void conn_send(struct conn *c, struct out_frame *f,
    const struct out_note *note, enum flush_when when);
void conn_send_json(struct conn *c, const void *json, size_t len);

/* Ends the session now and tells the client why, after what is queued for it.
 * `why` is a fixed text of at most 100 bytes. Only the first call counts. */
void conn_close(struct conn *c, int code, const char *why);
/* Ends it without a word: the socket is broken or stuck. */
void conn_kill(struct conn *c, const char *why);

/* One more malformed frame; closes the connection of one who does not stop. */
void conn_count_abuse(struct conn *c);

/* From ws.c. */
void conn_receive(struct conn *c, const void *data, size_t len, size_t more,
    bool last, bool binary);
/* The library ends the connection by itself: nothing more may be written to it.
 * `code` is what the client is told, 0: nothing. */
void conn_ends(struct conn *c, int code, const char *why);
/* Writes what this turn has brought for it. */
void conn_flush(struct conn *c);
/* Returns -1 when the library should close the socket. */
MUST_CHECK int conn_writable(struct conn *c);
void conn_pong(struct conn *c);

/* Sends a ping, or notes that one is due while a frame is half written. */
void conn_ping(struct conn *c);

#endif
