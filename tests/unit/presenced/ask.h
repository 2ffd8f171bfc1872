/*
 * The store's calls, waited for: each turns the loop until its answer is there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_PRESENCED_ASK_H
#define TESTS_PRESENCED_ASK_H

#include "presenced/store.h"
#include "unit/presenced/harness.h"

#define LEASE_MS 6000
#define GRACE_MS 5000

/* Opens a store and waits until it is ready. */
struct store *ask_open(int64_t lease_ms, int64_t grace_ms);

/* One change; returns the transitions it made. */
unsigned ask_change(struct store *s, struct uuid gateway, enum session_op op,
    struct uuid user, struct uuid session);
/* Sessions first .. first + n - 1 of as many users, by one list. */
unsigned ask_register(struct store *s, struct uuid gateway, unsigned first,
    unsigned n, bool known);
enum err ask_beat(struct store *s, struct uuid gateway);
char ask_who(struct store *s, struct uuid user);
bool ask_online(struct store *s, struct uuid user);
struct store_tick ask_tick(struct store *s);
/* Until there is no more to do: the sums. */
struct store_swept ask_expire(struct store *s, int64_t cutoff_ms);
struct store_swept ask_due(struct store *s, int64_t cutoff_ms);
unsigned ask_settle(struct store *s, struct uuid user, int64_t at_ms);

struct ask_reports {
	size_t n;
	struct presence_change at[STORE_REPORTS_MAX];
};

struct ask_reports ask_claim(struct store *s, int64_t claim_ms);
unsigned ask_ack(struct store *s, const struct ask_reports *reports);
/* Claims and acknowledges exactly one report of this user. */
struct presence_change ask_report(struct store *s, struct uuid user);
/* How many users a whole scan finds. */
size_t ask_scan(struct store *s);
/* Entries behind `number`, and the last one. */
size_t ask_log(struct store *s, uint64_t number, struct store_seen *last_r);

#endif
