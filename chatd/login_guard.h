/*
 * login_guard: how often somebody may fail at a name, so that a password cannot
 * be guessed, and that nobody is shut out by others who try.
 *
 *   - of one name from one address: rate_login_failures;
 *   - of one name from everywhere: rate_login_failures_name; but addresses from
 *     which that name has lately logged in (login_familiar) neither pay into
 *     this nor are held by it, so who attacks from many addresses slows down
 *     strangers alone.
 *
 * A try is counted before its password is looked at, and given back if it was
 * right, so that tries at the same time count as well. Names are counted
 * whether they exist or not. Everything is in this process's memory, in bounded tables:
 * gateways bring all tries at a name to the same chatd as long as it lives; a
 * restart forgets. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_LOGIN_GUARD_H
#define CHATD_LOGIN_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "chatd/text.h"
#include "common/attr.h"
#include "common/uuid.h"

struct login_guard;

/* One try, from _begin to _end. */
struct login_try {
	struct uuid name; /* keys of the guard's tables */
	struct uuid pair;
	bool familiar;
};

enum login_outcome {
	LOGIN_RIGHT,
	LOGIN_WRONG,
	LOGIN_UNDECIDED, /* something else went wrong */
};

struct login_guard *login_guard_new(void);
void login_guard_free(struct login_guard **g);

/* A try at `name` (as it was given) from `address`. 0: it may go on, to exactly
 * one _end. Else it may be repeated after so many ms. */
MUST_CHECK int64_t login_guard_begin(struct login_guard *g, struct text name,
    const struct uuid *address, struct login_try *try_r);
void login_guard_end(struct login_guard *g, const struct login_try *t,
    enum login_outcome outcome);
/* `name` was made from `address`, which is familiar to it from now on. */
void login_guard_made(struct login_guard *g, struct text name,
    const struct uuid *address);

#endif
