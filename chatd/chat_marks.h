/*
 * The watermarks of several chats from one query, so that messages of any of
 * them can be given their states.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_CHAT_MARKS_H
#define CHATD_CHAT_MARKS_H

#include "chatd/db.h"
#include "chatd/marks.h"
#include "common/map.h"

struct chat_marks {
	struct marks *all; /* owned; of each chat in the map */
	struct map map;    /* chat -> its marks */
};

/* From the rows of store_lowest_step. */
void chat_marks_read(struct chat_marks *c, const struct db_result *res,
    unsigned step);
void chat_marks_fini(struct chat_marks *c);
/* STATE_SENT in a chat that has no members any more. */
enum message_state chat_marks_state(const struct chat_marks *c,
    const struct message *m);

#endif
