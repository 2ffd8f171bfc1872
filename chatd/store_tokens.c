/*
 * Tokens.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/store_tokens.h"

#include <sodium.h>

void
store_token_make(char text[TOKEN_TEXT_LEN + 1], struct token *t)
{
	unsigned char secret[32];

	randombytes_buf(secret, sizeof(secret));
	sodium_bin2base64(text, TOKEN_TEXT_LEN + 1, secret, sizeof(secret),
	    sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(secret, sizeof(secret));
	t->id = uuid_v7();
	crypto_hash_sha256(t->hash, (const unsigned char *)text,
	    TOKEN_TEXT_LEN);
}

void
store_token_insert_step(struct db_unit *u, const struct token *t,
    const struct uuid *user, int64_t ttl_ms)
{
	db_step(u, SQL_token_insert);
	db_put_uuid(u, &t->id);
	db_put_bytes(u, t->hash, sizeof(t->hash));
	db_put_uuid(u, user);
	db_put_i64(u, ttl_ms);
}

void
store_token_grant_step(struct db_unit *u, const struct token *t,
    const struct uuid *user, int64_t ttl_ms, struct text verified)
{
	db_step(u, SQL_token_grant);
	db_put_uuid(u, &t->id);
	db_put_bytes(u, t->hash, sizeof(t->hash));
	db_put_uuid(u, user);
	db_put_i64(u, ttl_ms);
	db_put_text(u, verified);
}

bool
store_token_granted(const struct db_result *r, unsigned step)
{
	struct db_row row = db_row(r, step, 0);

	return db_get_bool(&row);
}

void
store_tokens_check_step(struct db_unit *u,
    const uint8_t (*hashes)[TOKEN_HASH_LEN], size_t n)
{
	db_step(u, SQL_tokens_check);
	db_put_hashes(u, hashes[0], TOKEN_HASH_LEN, n);
}

enum err
store_token_check_read(const struct db_result *r, unsigned step, size_t place,
    size_t *at, struct uuid *id_r, struct uuid *user_r,
    int64_t *expires_at_r)
{
	struct db_row row;
	bool expired;

	if (*at == db_rows(r, step)) {
		return ERR_TOKEN_UNKNOWN;
	}
	row = db_row(r, step, *at);
	if ((size_t)db_get_int(&row) != place + 1) {
		return ERR_TOKEN_UNKNOWN;
	}
	++*at;
	*id_r = db_get_uuid(&row);
	*user_r = db_get_uuid(&row);
	*expires_at_r = db_get_time(&row);
	expired = db_get_bool(&row);
	if (db_get_bool(&row)) {
		return ERR_TOKEN_UNKNOWN;
	}
	return expired ? ERR_TOKEN_EXPIRED : ERR_OK;
}

void
store_tokens_revive_step(struct db_unit *u,
    const uint8_t (*hashes)[TOKEN_HASH_LEN], size_t n)
{
	db_step(u, SQL_tokens_revive);
	db_put_hashes(u, hashes[0], TOKEN_HASH_LEN, n);
}

void
store_tokens_held_step(struct db_unit *u, const struct uuid *ids, size_t n)
{
	db_step(u, SQL_tokens_held);
	db_put_uuids(u, ids, n);
}

int64_t
store_tokens_held_read(const struct db_result *r, unsigned step, size_t i)
{
	struct db_row row = db_row(r, step, i);

	return db_get_time(&row);
}

void
store_token_end_step(struct db_unit *u, const struct uuid *id,
    const struct uuid *user, int64_t grace_ms)
{
	db_step(u, SQL_token_end);
	db_put_uuid(u, id);
	db_put_uuid(u, user);
	db_put_i64(u, grace_ms);
}

void
store_tokens_purge_step(struct db_unit *u)
{
	db_step(u, SQL_tokens_purge);
}
