/*
 * What every change of a group begins with: its turn, its transaction, and
 * whether the asker may. Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_GROUP_CHANGE_H
#define CHATD_GROUP_CHANGE_H

#include "chatd/groups.h"
#include "chatd/request.h"
#include "chatd/service.h"
#include "chatd/store_groups.h"

/* The first member of each change's own struct. */
struct group_change {
	struct request *r;     /* owned until answered */
	struct group_turn turn;
	struct uuid chat;
};

/* What the lack of an admin's right is to the asker; ERR_OK for an admin. Over
 * HTTP a stranger to a chat that exists is not allowed; a frame's sender does
 * not learn that it exists. */
static inline enum err
group_change_err(const struct request *r, enum group_right right)
{
	switch (right) {
	case GROUP_ADMIN:
		return ERR_OK;
	case GROUP_MEMBER:
		return ERR_UNAUTHORIZED;
	case GROUP_PRIVATE:
	case GROUP_STRANGER:
		return r->row->class == ROW_HTTP ? ERR_UNAUTHORIZED :
		    ERR_NOT_FOUND;
	case GROUP_ABSENT:
		break;
	}
	return ERR_NOT_FOUND;
}

/* The turn comes with fn(g). */
static inline void
group_change_begin(struct group_change *g, struct request *r,
    const struct uuid *chat, group_turn_fn *fn)
{
	g->r = r;
	g->chat = *chat;
	group_turn_take(r->svc->groups, &g->turn, chat, fn, g);
}

/* The transaction, with the lock and the asker's rights. */
static inline struct db_unit *
group_change_unit(const struct group_change *g)
{
	struct db_unit *u = db_unit_new(g->r->svc->db, 0,
	    g->r->in->deadline_ms);

	store_group_begin(u, &g->chat, &g->r->frame->user);
	return u;
}

#endif
