/*
 * What the handlers of operators' calls (ADMIN rows) share. Answers are JSON for
 * parleyctl; whatever changes something leaves one audit line in the log, with
 * who asked (as parleyctl says), what, and whom, and no secret.
 *
 * Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_ADMIN_H
#define CHATD_ADMIN_H

#include "chatd/request.h"
#include "chatd/store_admin.h"
#include "common/json_out.h"

/* Lists are cut to pages of at most so many rows. */
#define ADMIN_PAGE_MAX 1000

/* The line `admin`: done=<what> user=<id> by=<who> and `more`, which begins with
 * a space or is empty. `by` is the FIELD_ index of the row's field. */
void admin_audit(const struct request *r, unsigned by, const char *what,
    const struct uuid *user, const char *more);

void admin_put_user(struct json_out *j, const struct admin_user *u);

/* Answers {"sessions_ended":n} once the gateways were told to close the sockets
 * of the user's token (NULL: all of them). Takes the request. */
void admin_answer_ended(struct request *r, const struct uuid *user,
    const struct uuid *token, size_t ended);

#endif
