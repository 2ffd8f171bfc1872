/*
 * What a client shows to be let in: finds the token in what the handshake
 * carried, and turns it into the hash by which chatd knows it. Tokens
 * themselves are never stored or logged. Pure; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_AUTH_H
#define GATEWAY_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/calls.h"
#include "common/uuid.h"

struct token_hash {
	uint8_t b[TOKEN_HASH_LEN];
};

/* Longer texts are no tokens of ours, whatever they hold. */
#define AUTH_TOKEN_MAX 4096

/* The credentials of `Authorization: Bearer X`, or NULL; *len_r is its length.
 * Points into `header`. */
const char *auth_bearer(const char *header, size_t *len_r);
/* The value of the cookie `token` in a Cookie header, or NULL. */
const char *auth_cookie(const char *header, size_t *len_r);
/* Whether a page of `origin` may use the cookie of `host` (the Host header):
 * true for the same host and port, and for each entry of `allowed` (a
 * comma-separated list of origins, may be NULL). */
MUST_CHECK bool auth_origin_allowed(const char *origin, const char *host,
    const char *allowed);

void auth_hash(const char *token, size_t len, struct token_hash *hash_r);
/* By which chatd process the token is checked: the hash's first bytes. */
struct uuid auth_hash_route(const struct token_hash *hash);

/* By which chatd process a name's logins are answered, and so counted: the same
 * for all spellings of one username. Longer texts than a name can be are cut. */
struct uuid auth_name_route(const char *name, size_t len);

#endif
