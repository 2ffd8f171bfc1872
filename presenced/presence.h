/*
 * presence: the calls that presenced answers: sessions_changed and heartbeat of
 * gateways, who_is_online of chatd (bodies in common/calls.h). Each becomes one
 * or a few calls to the store; nothing is kept here.
 *
 * Loop's thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PRESENCED_PRESENCE_H
#define PRESENCED_PRESENCE_H

struct memory;
struct report;
struct rpc_in;
struct store;

/* Longer lists are answered ERR_TOO_LARGE. */
#define PRESENCE_LIST_MAX 5000

struct presence {
	struct store *store;   /* these are borrowed */
	struct memory *memory;
	struct report *report;
};

/* An rpc_handler_fn; `arg` is a struct presence. */
void presence_handle(void *arg, struct rpc_in *in);

#endif
