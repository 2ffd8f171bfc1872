/*
 * limits: how much one user and one address may ask of this gateway, and what
 * was refused. Buckets hang off what a frame has at hand anyway, its user's
 * fan_user and its connection, so that the hot path looks nothing up.
 *
 * A user who leaves while he still owes something, and an address without a
 * connection, are remembered in bounded tables (rate_table.h). Every refusal is
 * counted; the log has one line for all of a period.
 *
 * Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_LIMITS_H
#define GATEWAY_LIMITS_H

#include <stddef.h>
#include <stdint.h>

#include "common/address.h"
#include "common/attr.h"
#include "common/contract.h"
#include "common/rate_table.h"

struct gateway;
struct limits;

/* What one address is counted by. */
enum caller_limit {
	CALLER_FRAMES,         /* of WebSockets */
	CALLER_REQUESTS,       /* of HTTP, handshakes included */
	CALLER_CONNECTS,
	CALLER_REFUSALS,       /* connections that are told why */
	CALLER_REGISTRATIONS,
	CALLER_LOGINS,
	CALLER_LOGIN_FAILURES,
	CALLER_LIMIT_COUNT,
};

/* What a connection is refused for, beside its address's rate. */
enum refused_connection {
	REFUSED_CONNECTS,      /* by CALLER_CONNECTS */
	REFUSED_CONNECTIONS,   /* address_connections_max */
	REFUSED_HANDSHAKES,    /* address_handshakes_max */
	REFUSED_TOTAL,         /* more sockets than the process should have */
	REFUSED_PROXY,         /* no proper PROXY header, or too many wait */
	REFUSED_CONNECTION_COUNT,
};

/* One client's address; of IPv6 its /64. */
struct caller {
	struct rate_entry entry;
	unsigned sockets;      /* counted by remote.c */
	unsigned handshakes;
};

struct limits *limits_new(struct gateway *gw);
/* Nothing may be held any more. The loop has to turn once more. */
void limits_free(struct limits **l);

/* A user's buckets; each hold wants its release. */
struct rate_entry *limits_user_hold(struct limits *l, const struct uuid *user);
void limits_user_release(struct limits *l, struct rate_entry *user);
struct caller *limits_caller_hold(struct limits *l, const struct address *a);
void limits_caller_release(struct limits *l, struct caller *caller);

/* 0: go on. Else refused, and counted; the same is fine after so many ms. */
MUST_CHECK int64_t limits_user(struct limits *l, struct rate_entry *user,
    enum limit kind, uint64_t n);
MUST_CHECK int64_t limits_caller(struct limits *l, struct caller *caller,
    enum caller_limit kind);
/* The same for those nobody holds. */
MUST_CHECK int64_t limits_user_id(struct limits *l, const struct uuid *user,
    enum limit kind, uint64_t n);
MUST_CHECK int64_t limits_address(struct limits *l, const struct address *a,
    enum caller_limit kind);
/* It turned out not to count: a login that was none of the failed. */
void limits_address_give_back(struct limits *l, const struct address *a,
    enum caller_limit kind);

/* Counts one connection that was refused. */
void limits_refused(struct limits *l, enum refused_connection why,
    const struct address *a);

#endif
