/*
 * Argon2id on libuv's thread pool: few at a time, few waiting, refused beyond.
 * Callers get their answer on the loop.
 *
 * Every address has a line of its own, and the lines take turns: who sends many
 * waits behind himself. When all room is taken, a job of an address with fewer
 * waiting takes the place of the newest of the longest line, which is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_PASSWORD_H
#define CHATD_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "chatd/text.h"
#include "common/attr.h"
#include "common/err.h"
#include "common/uuid.h"

struct passwords;

struct passwords_conf {
	size_t memory;
	unsigned ops;
	size_t workers;
	size_t queue_max;
};

/* `err` is ERR_OK, ERR_CREDENTIALS (verify only: it is not the password),
 * ERR_EXPIRED (the deadline passed in the queue), ERR_OVERLOADED (gave way to
 * another address) or ERR_UNAVAILABLE. `hash`:
 * after hashing, the hash; after verifying, a new one to be stored if the old
 * one was made with other settings, else NULL. Borrowed for the call. */
typedef void password_fn(void *arg, enum err err, const char *hash);

/* NULL (and a log_error naming the setting) when the system cannot hash with
 * these settings. */
MUST_CHECK struct passwords *passwords_new(uv_loop_t *loop,
    const struct passwords_conf *conf);
/* Every job not yet answered is answered ERR_UNAVAILABLE now; those that run go
 * on to their end unheard. */
void passwords_close(struct passwords *p);
void passwords_free(struct passwords **p);
/* Jobs waiting or running. */
size_t passwords_pending(const struct passwords *p);

/* For the client at `address`. ERR_OVERLOADED: refused, no callback. The
 * password is copied and wiped. */
MUST_CHECK enum err password_hash(struct passwords *p,
    const struct uuid *address, struct text password, uint64_t deadline_ms,
    password_fn *fn, void *arg);
/* `stored` NULL: there is no such account; takes as long, never right. */
MUST_CHECK enum err password_verify(struct passwords *p,
    const struct uuid *address, struct text password, const char *stored,
    uint64_t deadline_ms, password_fn *fn, void *arg);

#endif
