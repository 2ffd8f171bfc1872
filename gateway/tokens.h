/*
 * tokens: ends sessions whose token has ended: at its expiry, and when chatd
 * says so. Revocation normally arrives as an event at once; asking again now
 * and then is for the events that were lost. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_TOKENS_H
#define GATEWAY_TOKENS_H

struct conn;
struct gateway;
struct tokens;

struct tokens *tokens_new(struct gateway *gw);
/* The loop has to turn once more. */
void tokens_free(struct tokens **t);

/* The session is live; its token and expires_ms are known. */
void tokens_join(struct conn *c);
void tokens_leave(struct conn *c);
/* Asks chatd about all tokens in use, now. */
void tokens_recheck(struct tokens *t);

#endif
