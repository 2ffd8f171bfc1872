/*
 * catchup: asks chatd for what a session missed, and lets deliver.c write it.
 *
 *   catchup_want_*(conn) -> [ waiting, by due time ] -> at most CALLS_MAX calls
 *        ^                                                 |
 *        +---- more, or no answer: again, later <----------+
 *
 * One call a session at a time; wishes that arrive meanwhile wait for the next.
 * A wish ends only with chatd's answer or with the session. Main thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_CATCHUP_H
#define GATEWAY_CATCHUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct catchup;
struct gateway;
struct session_chat;
struct uuid;

struct catchup *catchup_new(struct gateway *gw);
/* All connections must have left. The loop has to turn once more. */
void catchup_free(struct catchup **cu);
size_t catchup_waiting(const struct catchup *cu);

/* Everything: chats gained and lost, messages, and receipts of the last
 * away_ms. Starts within spread_ms, once the session is live. */
void catchup_want_all(struct conn *c, uint64_t away_ms, uint32_t spread_ms);
/* The holes of one chat, unless they close within delay_ms. */
void catchup_want_chat(struct conn *c, struct session_chat *chat,
    uint64_t delay_ms);
/* A chat the session does not know. */
void catchup_want_unknown(struct conn *c, const struct uuid *chat,
    uint64_t delay_ms);
/* Takes the wish for an unknown chat back; true if there was one. */
bool catchup_was_unknown(struct conn *c, const struct uuid *chat);
/* The session has become live: its wishes may start. */
void catchup_ready(struct conn *c);
void catchup_leave(struct conn *c);

#endif
