/*
 * Two lowest watermarks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/marks.h"

static void
mark_init(struct mark *m)
{
	*m = (struct mark){ .lowest = INT64_MAX, .second = INT64_MAX };
}

void
marks_init(struct marks *m)
{
	mark_init(&m->delivered);
	mark_init(&m->read);
}

static void
mark_add(struct mark *m, const struct uuid *user, int64_t seq)
{
	if (seq < m->lowest) {
		m->second = m->lowest;
		m->lowest = seq;
		m->owner = *user;
	} else if (seq < m->second) {
		m->second = seq;
	}
}

void
marks_add(struct marks *m, const struct uuid *user, int64_t delivered_seq,
    int64_t read_seq)
{
	mark_add(&m->delivered, user, delivered_seq);
	mark_add(&m->read, user, read_seq);
}

/* The least that anyone but the sender has; INT64_MAX when there is nobody. */
static int64_t
least_of_others(const struct mark *m, const struct uuid *sender)
{
	return uuid_eq(&m->owner, sender) ? m->second : m->lowest;
}

enum message_state
marks_state(const struct marks *m, const struct uuid *sender, int64_t seq)
{
	if (least_of_others(&m->read, sender) >= seq) {
		return STATE_READ;
	}
	if (least_of_others(&m->delivered, sender) >= seq) {
		return STATE_DELIVERED;
	}
	return STATE_SENT;
}
