/*
 * Turns of chats, and the removal of emptied groups. How many wait for a turn is
 * bounded by the requests in flight.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/groups.h"

#include <stdbool.h>
#include <stdlib.h>

#include "chatd/db.h"
#include "chatd/service.h"
#include "chatd/store_groups.h"
#include "common/log.h"
#include "common/map.h"
#include "common/mem.h"
#include "common/metrics.h"

/* Messages removed in one transaction. */
#define PURGE_MAX 5000

struct groups {
	struct service *svc; /* borrowed */
	struct map lines;    /* owns the lines; of chats with a turn taken */
	bool purging;
	bool purge_again;
	bool settled;
	struct metric *m_purged;
};

/* Those who wait for one chat. */
struct line {
	struct list waiting;
	bool taken;
	bool calling; /* fn may end its turn from within */
};

/* ---- turns ---------------------------------------------------------------- */

static void
line_go_on(struct groups *g, struct line *l, struct uuid chat)
{
	struct list *link;

	if (l->calling) {
		return;
	}
	l->calling = true;
	while (!l->taken && (link = list_pop_front(&l->waiting)) != NULL) {
		struct group_turn *t = LIST_ENTRY(link, struct group_turn,
		    link);

		l->taken = true;
		t->fn(t->arg);
	}
	l->calling = false;
	if (!l->taken) {
		map_del(&g->lines, &chat);
		free(l);
	}
}

void
group_turn_take(struct groups *g, struct group_turn *t,
    const struct uuid *chat, group_turn_fn *fn, void *arg)
{
	struct line *l = map_get(&g->lines, chat);

	t->chat = *chat;
	t->fn = fn;
	t->arg = arg;
	if (l == NULL) {
		l = mem_zalloc(sizeof(*l));
		list_init(&l->waiting);
		map_put(&g->lines, chat, l);
	}
	list_push_back(&l->waiting, &t->link);
	line_go_on(g, l, *chat);
}

void
group_turn_end(struct groups *g, struct group_turn *t)
{
	struct line *l = map_get(&g->lines, &t->chat);

	l->taken = false;
	line_go_on(g, l, t->chat);
}

/* ---- emptied groups ------------------------------------------------------- */

static void
on_purged(void *arg, struct db_result *res)
{
	struct groups *g = arg;
	size_t n = db_outcome(res) == DB_OK ? db_affected(res, 0) : 0;
	bool more = n == PURGE_MAX || g->purge_again;

	g->purging = false;
	g->purge_again = false;
	if (n > 0) {
		metric_add(g->m_purged, n);
		log_info("emptied_groups_purged", "messages=%zu", n);
	}
	if (more) {
		groups_purge(g);
	}
}

void
groups_purge(struct groups *g)
{
	struct db_unit *u;

	if (g->settled) {
		return;
	}
	if (g->purging) {
		g->purge_again = true;
		return;
	}
	g->purging = true;
	u = db_unit_new(g->svc->db, 0, 0);
	store_groups_purge_steps(u, PURGE_MAX);
	db_submit(u, on_purged, g);
}

/* ---- life ----------------------------------------------------------------- */

struct groups *
groups_new(struct service *svc)
{
	struct groups *g = mem_zalloc(sizeof(*g));

	g->svc = svc;
	map_init(&g->lines);
	g->m_purged = metric_counter("parley_groups_messages_purged_total",
	    NULL, "Messages of emptied groups that were removed.");
	return g;
}

void
groups_settle(struct groups *g)
{
	g->settled = true;
}

void
groups_free(struct groups **gp)
{
	struct groups *g = *gp;

	*gp = NULL;
	if (g != NULL) {
		map_fini(&g->lines);
		free(g);
	}
}
