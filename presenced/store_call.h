/*
 * store_call: one script or command on its way to Redis. Private to store.c,
 * which sends it, and store_calls.c, which says what goes in and reads what
 * comes back.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PRESENCED_STORE_CALL_H
#define PRESENCED_STORE_CALL_H

#include <hiredis/hiredis.h>

#include "common/buf.h"
#include "presenced/script.h"
#include "presenced/store.h"

#define STORE_ARGS_MAX (2 * STORE_REPORTS_MAX + 8)

struct store_call;

/* `reply` NULL: Redis is away or refused. */
typedef void store_parse_fn(struct store_call *c, const redisReply *reply);

struct store_call {
	struct store *store;         /* borrowed */
	const struct script *script; /* NULL: the arguments are a command */
	store_parse_fn *parse;
	union {
		store_done_fn *done;
		store_change_fn *change;
		store_who_fn *who;
		store_tick_fn *tick;
		store_swept_fn *swept;
		store_claim_fn *claim;
		store_ack_fn *ack;
		store_seen_fn *seen;
	} fn;
	void *arg;
	size_t n;                    /* items asked about */
	bool retried;                /* sent again with its full text */
	struct buf args;             /* all arguments, end to end */
	size_t lens[STORE_ARGS_MAX];
	int argc;
};

/* A call of `script` with the arguments that all scripts share. */
struct store_call *store_call_new(struct store *s, const struct script *script,
    store_parse_fn *parse, void *arg);
void store_call_arg(struct store_call *c, const void *data, size_t len);
void store_call_arg_text(struct store_call *c, const char *text);
void store_call_arg_int(struct store_call *c, int64_t v);
/* Sends it, and frees it once parse() was called. */
void store_call_send(struct store_call *c);

/* Redis gave a version out: later ones must be above it, whatever happens. */
void store_saw_version(struct store *s, uint64_t version);
/* Counts and logs (not every time) what Redis said. */
void store_bad_reply(struct store *s, const char *what,
    const redisReply *reply);

#endif
