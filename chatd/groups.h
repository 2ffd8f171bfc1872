/*
 * What groups need beyond the database: turns, so that the changes of one chat
 * are told in the order in which they were made (two links may bring the answers
 * of two transactions in either order), and the removal of what emptied groups
 * leave behind.
 *
 *	group_turn_take -> fn, now or when those before have ended
 *	    -> commit -> publish -> group_turn_end
 *
 * Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_GROUPS_H
#define CHATD_GROUPS_H

#include "common/list.h"
#include "common/uuid.h"

struct groups;
struct service;

typedef void group_turn_fn(void *arg);

/* Embedded in what waits. */
struct group_turn {
	struct list link;
	struct uuid chat;
	group_turn_fn *fn;
	void *arg;
};

struct groups *groups_new(struct service *svc);
/* No further removals are begun. */
void groups_settle(struct groups *g);
/* All turns must have ended. */
void groups_free(struct groups **g);

/* Each taken turn ends exactly once. */
void group_turn_take(struct groups *g, struct group_turn *t,
    const struct uuid *chat, group_turn_fn *fn, void *arg);
void group_turn_end(struct groups *g, struct group_turn *t);

/* Removes what emptied groups have left, in the background. */
void groups_purge(struct groups *g);

#endif
