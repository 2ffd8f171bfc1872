/*
 * What of its groups a session was not told: names, descriptions, pictures,
 * members and admins, as they are now, in the frames that tell of such changes.
 * A part of catch_up. Main thread only.
 *
 *	missed_changes_steps(u, ...) -> submit -> missed_changes_read
 *	    -> who of missed_changes_people is online -> each change
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_MISSED_CHANGES_H
#define CHATD_MISSED_CHANGES_H

#include "chatd/store_chats.h"
#include "common/buf.h"

struct missed_changes {
	const struct db_result *res; /* borrowed */
	unsigned step;
	size_t count;        /* changes to be told now */
	size_t people_count; /* members to be shown with them */
	bool more;           /* there may be others: ask again */
};

/* Two steps. */
void missed_changes_steps(struct db_unit *u, const struct uuid *user,
    const struct chat_known *known, size_t n);
/* `res` must stay as long as `m` is used; `step` is the first one's. */
void missed_changes_read(struct missed_changes *m,
    const struct db_result *res, unsigned step);
/* Writes people_count ids. */
void missed_changes_people(const struct missed_changes *m, struct uuid *ids);
/* The frame of change `i` for `viewer`, into `json`. `online`: of
 * missed_changes_people. Returns the change. */
struct group_changed missed_changes_put(const struct missed_changes *m,
    size_t i, const struct uuid *viewer, const bool *online,
    struct buf *json);

#endif
