/*
 * The watermarks of several chats.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/chat_marks.h"

#include <stdlib.h>

#include "chatd/store_chats.h"
#include "common/mem.h"

void
chat_marks_read(struct chat_marks *c, const struct db_result *res,
    unsigned step)
{
	size_t rows = db_rows(res, step);
	size_t n = 0;

	map_init(&c->map);
	c->all = mem_alloc((rows + 1) * sizeof(*c->all));
	for (size_t i = 0; i < rows; i++) {
		struct uuid chat, user;
		int64_t delivered, read;
		struct marks *m;

		store_lowest_read(res, step, i, &chat, &user, &delivered,
		    &read);
		m = map_get(&c->map, &chat);
		if (m == NULL) {
			m = &c->all[n++];
			marks_init(m);
			map_put(&c->map, &chat, m);
		}
		marks_add(m, &user, delivered, read);
	}
}

void
chat_marks_fini(struct chat_marks *c)
{
	map_fini(&c->map);
	free(c->all);
	c->all = NULL;
}

enum message_state
chat_marks_state(const struct chat_marks *c, const struct message *m)
{
	const struct marks *marks = map_get(&c->map, &m->chat_id);

	return marks != NULL ? marks_state(marks, &m->sender_id, m->seq) :
	    STATE_SENT;
}
