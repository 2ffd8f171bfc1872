/*
 * Tokens in the database, which knows only their hashes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_STORE_TOKENS_H
#define CHATD_STORE_TOKENS_H

#include "chatd/db.h"
#include "common/calls.h"
#include "common/err.h"

/* 32 bytes as base64url. */
#define TOKEN_TEXT_LEN 43

struct token {
	struct uuid id;
	uint8_t hash[TOKEN_HASH_LEN];
};

/* A new token: its text, to be told to its user and forgotten, and its row. */
void store_token_make(char text[TOKEN_TEXT_LEN + 1], struct token *t);

void store_token_insert_step(struct db_unit *u, const struct token *t,
    const struct uuid *user, int64_t ttl_ms);
/* After a login, if the account is enabled and its password's hash still
 * `verified`. */
void store_token_grant_step(struct db_unit *u, const struct token *t,
    const struct uuid *user, int64_t ttl_ms, struct text verified);
MUST_CHECK bool store_token_granted(const struct db_result *r, unsigned step);
void store_tokens_check_step(struct db_unit *u,
    const uint8_t (*hashes)[TOKEN_HASH_LEN], size_t n);
/* Of the hash at `place`; *at is the next row, 0 before the first hash.
 * ERR_TOKEN_UNKNOWN (also: ended) or ERR_TOKEN_EXPIRED. */
MUST_CHECK enum err store_token_check_read(const struct db_result *r,
    unsigned step, size_t place, size_t *at, struct uuid *id_r,
    struct uuid *user_r, int64_t *expires_at_r);
void store_tokens_revive_step(struct db_unit *u,
    const uint8_t (*hashes)[TOKEN_HASH_LEN], size_t n);
void store_tokens_held_step(struct db_unit *u, const struct uuid *ids,
    size_t n);
/* -1: it is no more. */
int64_t store_tokens_held_read(const struct db_result *r, unsigned step,
    size_t row);
void store_token_end_step(struct db_unit *u, const struct uuid *id,
    const struct uuid *user, int64_t grace_ms);
void store_tokens_purge_step(struct db_unit *u);

#endif
