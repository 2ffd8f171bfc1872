/*
 * opening: from a finished handshake to a live session.
 *
 *   opening_start: check_token (chatd)
 *     -> fanout_join: SUBSCRIBE, confirmed
 *       -> user_info (chatd; checks the token again) -> written -> LIVE
 *
 * The order matters: once the topic is subscribed no event can be missed, and
 * what the snapshot holds already is told apart by its marks. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_OPENING_H
#define GATEWAY_OPENING_H

#include <stddef.h>

struct conn;

/* `token` NULL: the client showed none. */
void opening_start(struct conn *c, const char *token, size_t len);
/* From admission: it is its turn. */
void opening_begin(struct conn *c);
/* From fanout: live events reach this connection from now on. */
void opening_subscribed(struct conn *c);
void opening_cancel(struct conn *c);

#endif
