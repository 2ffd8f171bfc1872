/*
 * Who is typing: told to the other members' sessions, never stored, met with
 * silence. What arrives while one question is with the database is asked
 * together with the next. Typing is the first to be shed: when too much waits,
 * here, for the database or for Redis, it is dropped.
 *
 * Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_TYPING_H
#define CHATD_TYPING_H

#include "chatd/request.h"

struct typing;

struct typing *typing_new(struct service *svc);
/* Ends what waits. */
void typing_close(struct typing *t);
void typing_free(struct typing **t);
/* Takes the request: answered with no frame, or with chat_forbidden. */
void typing_tell(struct typing *t, struct request *r, const struct uuid *chat,
    bool is_typing);

#endif
