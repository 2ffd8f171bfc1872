/*
 * The state of a message from its chat's watermarks. A message is delivered or
 * read when every member but its own sender holds it or has read it; two lowest
 * marks with the lowest one's owner are enough to tell for any sender. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_MARKS_H
#define CHATD_MARKS_H

#include <stdint.h>

#include "chatd/model.h"

struct mark {
	int64_t lowest;
	int64_t second;
	struct uuid owner; /* of the lowest */
};

struct marks {
	struct mark delivered;
	struct mark read;
};

void marks_init(struct marks *m);
/* One member, each once, in any order. */
void marks_add(struct marks *m, const struct uuid *user, int64_t delivered_seq,
    int64_t read_seq);
/* With no other member: read. */
enum message_state marks_state(const struct marks *m,
    const struct uuid *sender, int64_t seq);

#endif
