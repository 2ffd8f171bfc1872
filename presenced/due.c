/*
 * due: see due.h.
 *
 * After a gap in the contact the grace counts anew, up to a lease: sessions
 * that came back meanwhile may still wait at our door.
 *
 * SPDX-License-Identifier: MIT
 */
#include "presenced/due.h"

#include <stdbool.h>
#include <stdlib.h>

#include "common/mem.h"
#include "presenced/report.h"
#include "presenced/store.h"

struct due {
	struct store *store;   /* borrowed */
	struct report *report; /* borrowed */
	int64_t grace_ms;
	int64_t wait_ms;       /* contact needed before anyone is judged */
	int64_t cutoff_ms;
	bool sweeping;         /* a sweep is out */
};

static void
on_swept(void *arg, enum err e, const struct store_swept *w)
{
	struct due *d = arg;

	d->sweeping = false;
	if (e != ERR_OK) {
		return;
	}
	if (w->transitions > 0) {
		report_kick(d->report);
	}
	if (w->more) {
		d->sweeping = true;
		store_due(d->store, d->cutoff_ms, on_swept, d);
	}
}

void
due_tick(struct due *d, const struct store_tick *t, int64_t held_ms)
{
	if (d->sweeping || t->due == 0 || held_ms < d->wait_ms) {
		return;
	}
	d->sweeping = true;
	d->cutoff_ms = t->now_ms - d->grace_ms;
	store_due(d->store, d->cutoff_ms, on_swept, d);
}

struct due *
due_new(struct store *s, struct report *r, int64_t lease_ms, int64_t grace_ms)
{
	struct due *d = mem_zalloc(sizeof(*d));

	d->store = s;
	d->report = r;
	d->grace_ms = grace_ms;
	d->wait_ms = grace_ms < lease_ms ? grace_ms : lease_ms;
	return d;
}

void
due_free(struct due **d)
{
	free(*d);
	*d = NULL;
}
