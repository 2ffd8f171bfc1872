/*
 * presence_changed: what presenced found out, stored and told to those who may
 * know. Acknowledged after the commit; presenced repeats until then. The same
 * change again is published again unless this process knows it has done so: a
 * predecessor may have died between its commit and its publish.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "chatd/events.h"
#include "chatd/handlers.h"
#include "chatd/presence.h"
#include "chatd/service.h"
#include "chatd/settings.h"
#include "chatd/store_users.h"
#include "chatd/view.h"
#include "common/mem.h"

#define CHANGES_MAX 5000
/* Users of one transaction: their watchers may be many. */
#define CHUNK_MAX 200

struct changes {
	struct request *r;              /* owned until answered */
	struct presence_change *change; /* owned */
	size_t count;
	size_t done;                    /* stored and told */
	size_t flying;                  /* of the chunk under way */
};

static void store_chunk(struct changes *g);

static void
changes_end(struct changes *g, enum err err)
{
	if (err == ERR_OK) {
		request_answer(g->r);
	} else {
		request_fail(g->r, err, NULL);
	}
	free(g->change);
	free(g);
}

static void
put_status_event(struct buf *b, struct buf *json, const struct request *r,
    const struct watched *w)
{
	struct event e = { .kind = EVENT_FRAME, .trace = r->frame->trace };

	buf_reset(json);
	view_status_changed(json, &w->user, w->online, w->last_seen_at);
	e.json = (const char *)json->data;
	e.json_len = json->len;
	buf_reset(b);
	put_event(b, &e);
}

static void
on_stored(void *arg, struct db_result *res)
{
	struct changes *g = arg;
	enum err err = request_db_err(res);
	struct buf bytes = BUF_INIT;
	struct buf json = BUF_INIT;
	struct uuid last = { { 0 } };
	bool news = false;

	if (err != ERR_OK) {
		changes_end(g, err);
		return;
	}
	for (size_t i = 0; i < db_rows(res, 0); i++) {
		struct watched w;

		store_presence_read(res, 0, i, &w);
		if (!uuid_eq(&w.user, &last)) {
			last = w.user;
			news = presence_is_news(g->r->svc->presence, &w.user,
			    w.version);
			put_status_event(&bytes, &json, g->r, &w);
		}
		if (news) {
			events_bytes_to_user(g->r->svc->events, &w.watcher,
			    &bytes);
		}
	}
	buf_fini(&bytes);
	buf_fini(&json);
	g->done += g->flying;
	if (g->done == g->count) {
		changes_end(g, ERR_OK);
	} else {
		store_chunk(g);
	}
}

static void
store_chunk(struct changes *g)
{
	size_t left = g->count - g->done;
	struct db_unit *u;

	g->flying = left < CHUNK_MAX ? left : CHUNK_MAX;
	u = db_unit_new(g->r->svc->db, 0, g->r->in->deadline_ms);
	store_presence_step(u, g->change + g->done, g->flying,
	    settings.status_group_max);
	db_submit(u, on_stored, g);
}

/* False: none that a presenced with a clock would send. */
static bool
read_change(struct rd *rd, struct presence_change *c)
{
	get_presence_change(rd, c);
	return rd_ok(rd) && c->at_ms >= 0 && c->at_ms <= PRESENCE_AT_MAX_MS &&
	    c->version <= INT64_MAX;
}

void
handle_presence_changed(struct request *r)
{
	struct changes *g;
	bool good = true;
	struct rd rd;
	uint32_t n;

	rd_init(&rd, r->frame->body, r->frame->body_len);
	n = rd_u32(&rd);
	if (n > CHANGES_MAX) {
		request_fail(r, ERR_TOO_LARGE, NULL);
		return;
	}
	g = mem_zalloc(sizeof(*g));
	g->r = r;
	g->count = n;
	g->change = mem_alloc((n + 1) * sizeof(*g->change));
	for (uint32_t i = 0; i < n && good; i++) {
		good = read_change(&rd, &g->change[i]);
	}
	good = good && rd_done(&rd);
	if (!good || n == 0) {
		changes_end(g, good ? ERR_OK : ERR_PROTOCOL);
		return;
	}
	store_chunk(g);
}
