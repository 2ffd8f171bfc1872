/*
 * Bodies of the CALL rows of contract.def and of the events on the bus, as typed
 * put/get pairs: both sides of every call use the same two functions. A list is
 * a u32 count followed by that many items. A get reads from an rd whose failure
 * is sticky: ask rd_done() at the end. Pure; any thread.
 *
 *  call               request                            reply
 *  check_token        32 bytes: SHA-256 of the token     frame.user, frame.token,
 *                                                        frame.seq = expiry (unix
 *                                                        ms); ERR_TOKEN_UNKNOWN,
 *                                                        ERR_TOKEN_EXPIRED
 *  user_info          frame.user, frame.token            list of chat_mark, then a
 *                                                        blob: the JSON frame;
 *                                                        ERR_TOKEN_*
 *  catch_up           frame.user; catch_up_head, list    u8 more, list of
 *                     of chat_known                      catch_up_part
 *  report_delivered   frame.chat; list of                none
 *                     delivered_mark
 *  check_held_tokens  list of uuid                       list of u64: expiry (unix
 *                                                        ms), 0 where revoked
 *  sessions_changed   session_head, list of              none
 *                     session_change
 *  heartbeat          session_head (complete false)      ERR_NOT_FOUND: register
 *                                                        all sessions again
 *  who_is_online      list of uuid                       list of u8, 1 online
 *  presence_changed   list of presence_change            none
 *
 * Contract requests: the body is the client's frame as it came. frame.seq of a
 * chat_messages_read is the highest seq of that chat up to which everything was
 * written to the session (0: unknown, read all). Replies carry the JSON frame
 * for the client as body, also when status is an error (status is then for
 * metrics and the abuse count); frame.chat and frame.seq of the reply:
 *   send_message          chat and seq of the message
 *   open_chat             chat and last_seq of the chat_info
 *   logout                seq: ms the token stays usable (logout_grace)
 *   create_private_chat   chat and last_seq of it: the session knows it now
 *   create_group          the same
 *   remove_member         chat; seq 0: the asker himself has left it, the session
 *                         knows it no more; else as the next
 *   change_group_name, change_group_description, give_admin, add_members
 *                         chat and, as seq, the change's version; 0: none
 * Rows with the flag FRAMES: with ERR_OK the body is a list of blobs, each a JSON
 * frame for the client (none: it hears nothing). A reply's frame.seq that is not
 * 0 says that this was a part: once that is written the request is sent again,
 * the same but with this value as frame.seq, for the next part.
 * HTTP calls: JSON in, JSON out, status by err.def's HTTP column (a successful
 * register is 201). frame.user is whom the Bearer token names, frame.chat the
 * chat of the path. Of register and login frame.session is the client's address
 * (address_site); a reply ERR_RATE_LIMITED has in seq the ms to wait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_CALLS_H
#define COMMON_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/uuid.h"

#define TOKEN_HASH_LEN 32

/* A chat of the user as a snapshot holds it; CHAT_MARK_LEN bytes. */
#define CHAT_MARK_LEN (16 + 8 + 8 + 4)
struct chat_mark {
	struct uuid chat;
	uint64_t last_seq;
	uint64_t delivered_seq; /* the user's own watermark */
	uint32_t version;       /* changes of the group up to this snapshot */
};

/* catch_up: what is asked beyond the listed chats. */
struct catch_up_head {
	bool all_chats;   /* the list is all the session knows: also tell which
	                   * chats were gained and which lost */
	uint32_t away_ms; /* also tell what was read and delivered in the last so
	                   * many ms; 0: do not */
};

struct chat_known {
	struct uuid chat;
	uint64_t after_seq; /* wants what is above */
	uint32_t version;   /* the last change of the group it was told; wants
	                     * what has changed since as it is now */
	bool known;         /* false: wants private_chat_created (or chat_added)
	                     * first, then what followed the user's joining */
};

enum catch_up_kind {
	PART_CHAT_ADDED = 1, /* json: *_created or chat_added; seq: base */
	PART_CHAT_LOST = 2,  /* the user is no member (any more); json may be
	                      * empty */
	PART_MESSAGE = 3,    /* json: new_message with catch_up; seq */
	PART_RECEIPT = 4,    /* json: what was read or delivered */
	PART_CHANGE = 5,     /* json: what of a group has changed, as of
	                      * `version`; all of one version belong together */
	PART_STATUS = 6,     /* json: user_status_changed */
	PART_SET_BACK = 7,   /* the session was told more of the chat than the
	                      * store has: it is to begin anew. Alone */
};

struct catch_up_part {
	enum catch_up_kind kind;
	struct uuid chat;
	uint64_t seq;
	uint32_t version; /* of a CHANGE, of an added chat; else 0 */
	const char *json; /* borrowed */
	size_t json_len;
};

/* Of one report_delivered: the chat is locked while they are stored. */
#define DELIVERED_MARKS_MAX 250

/* `user` holds all of the chat up to and including `upto`. */
struct delivered_mark {
	struct uuid user;
	uint64_t upto;
};

struct session_head {
	struct uuid gateway; /* one run of one gateway process */
	/* The list is one part of a complete registration, made because
	 * presenced did not know this gateway; announces nobody. */
	bool complete;
};

enum session_op {
	SESSION_UP = 1,
	SESSION_DOWN = 2,     /* closed: Offline after the grace period */
	SESSION_LOGGED_OUT = 3, /* Offline at once */
};

struct session_change {
	enum session_op op;
	struct uuid user;
	struct uuid session;
};

/* The end of the year 9999: no clock says later. */
#define PRESENCE_AT_MAX_MS INT64_C(253402300799999)

struct presence_change {
	struct uuid user;
	bool online;
	int64_t at_ms;    /* unix ms: when it became so; last_seen_at if offline;
	                   * 0 to PRESENCE_AT_MAX_MS */
	uint64_t version; /* grows per user; older ones are dropped */
};

void put_chat_mark(struct buf *b, const struct chat_mark *m);
void get_chat_mark(struct rd *r, struct chat_mark *m);
void put_catch_up_head(struct buf *b, const struct catch_up_head *h);
void get_catch_up_head(struct rd *r, struct catch_up_head *h);
void put_chat_known(struct buf *b, const struct chat_known *k);
void get_chat_known(struct rd *r, struct chat_known *k);
void put_catch_up_part(struct buf *b, const struct catch_up_part *p);
void get_catch_up_part(struct rd *r, struct catch_up_part *p);
void put_delivered_mark(struct buf *b, const struct delivered_mark *m);
void get_delivered_mark(struct rd *r, struct delivered_mark *m);
void put_session_head(struct buf *b, const struct session_head *h);
void get_session_head(struct rd *r, struct session_head *h);
void put_session_change(struct buf *b, const struct session_change *c);
void get_session_change(struct rd *r, struct session_change *c);
void put_presence_change(struct buf *b, const struct presence_change *c);
void get_presence_change(struct rd *r, struct presence_change *c);

/* ---- events on the bus -------------------------------------------------- */

#define EVENT_TOPIC_GATEWAYS "gateways"
/* Gateways that know EVENT_MESSAGE_SPREAD; see chatd/reach.h. */
#define EVENT_TOPIC_SPREADS "spreads"
#define EVENT_TOPIC_USER_LEN (5 + UUID_TEXT_LEN)

/* `user:<uuid>` and a NUL. Returns `topic`. */
char *event_topic_user(const struct uuid *user,
    char topic[EVENT_TOPIC_USER_LEN + 1]);
MUST_CHECK bool event_topic_parse(const char *topic, size_t len,
    struct uuid *user_r);

enum event_kind {
	EVENT_FRAME = 1,      /* json goes to every session but skip_session */
	EVENT_MESSAGE = 2,    /* as FRAME; ordered by chat and seq, once each */
	EVENT_RECEIPT = 3,    /* as FRAME; held back while the session's own send
	                       * is in flight */
	EVENT_CHAT_ADDED = 4, /* as FRAME; the chat is known from now on, seq is
	                       * its base; not repeated to who knows it */
	EVENT_CHAT_LOST = 5,  /* as FRAME; the chat is known no more */
	EVENT_TOKEN_ENDED = 6, /* close the sockets of `token`, 1000 for logout;
	                        * no json. skip_session: closes by its answer */
	EVENT_RESYNC = 7,     /* topic gateways: events of the last `seq` ms may
	                       * be lost; every gateway catches up */
	EVENT_SPREAD = 8,     /* topic gateways: a long json that many users get
	                       * as FRAME, see spread_to */
	EVENT_REVOKED = 9,    /* close the sockets of `token`, or with none all
	                       * of the user, 1008; no json */
	EVENT_ASK = 10,       /* tell topic `answers:<chat>` what you hold: of
	                       * the user, or (topic gateways) in all; an answer
	                       * is seq as u64 and a blob, see gateway/census.h */
	EVENT_MESSAGE_SPREAD = 11, /* topic spreads: as SPREAD, but its users get
	                       * the json as MESSAGE */
};

#define EVENT_TOPIC_ANSWERS_LEN (8 + UUID_TEXT_LEN)
/* `answers:<uuid>` and a NUL. Returns `topic`. */
char *event_topic_answers(const struct uuid *asker,
    char topic[EVENT_TOPIC_ANSWERS_LEN + 1]);

/*
 * The users a spread (either kind) is for: so many spread_to, each followed by its
 * splices. A splice replaces `len` bytes of the json at `at` for this user;
 * they are in order and apart. So what differs between users costs what it is
 * long, and the rest is sent and kept once.
 */
struct spread_to {
	struct uuid user;
	uint32_t splices;
};

struct splice {
	uint32_t at;
	uint32_t len;
	const char *text; /* borrowed */
	size_t text_len;
};

struct event {
	enum event_kind kind;
	uint64_t trace;
	uint64_t seq;
	/* FRAME, SPREAD: they tell this change of the group `chat` (1, 2, 3 ...
	 * of each), 0: none. CHAT_ADDED: the last change that it shows. */
	uint32_t version;
	struct uuid chat;
	struct uuid skip_session;
	struct uuid token;
	const char *json; /* borrowed */
	size_t json_len;
	const void *spread; /* borrowed; of spreads: list of spread_to */
	size_t spread_len;
};

void put_spread_to(struct buf *b, const struct spread_to *s);
void get_spread_to(struct rd *r, struct spread_to *s);
void put_splice(struct buf *b, const struct splice *s);
void get_splice(struct rd *r, struct splice *s);
bool event_is_spread(enum event_kind kind);
void put_event(struct buf *b, const struct event *e);
/* False when the bytes are no event of this version. */
MUST_CHECK bool get_event(const void *data, size_t len, struct event *e);

#endif
