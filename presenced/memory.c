/*
 * memory: see memory.h.
 *
 * A map's value is never read as a pointer: in `now` it only has to be
 * something, in `before` it is the time at which the user was last known to be
 * online.
 *
 * SPDX-License-Identifier: MIT
 */
#include "presenced/memory.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/map.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "presenced/report.h"
#include "presenced/store.h"

/* Later than this nobody can tell who was touched since (scripts/lib.lua). */
#define SETTLE_LEASES_MAX 9

static_assert(sizeof(uintptr_t) >= sizeof(int64_t), "a time fits a pointer");

enum memory_state {
	MEMORY_EMPTY,    /* no epoch seen yet */
	MEMORY_SCANNING, /* reading the whole book */
	MEMORY_CURRENT,  /* following the log */
};

struct memory {
	struct store *store;   /* borrowed */
	struct report *report; /* borrowed */
	int64_t lease_ms;
	enum memory_state state;
	struct map now;
	struct map before;
	int64_t epoch_ms;
	int64_t seen_ms;       /* Redis's clock at the last tick of the epoch */
	uint64_t number;       /* of the log: all up to it is in `now` */
	uint64_t cursor;       /* of the scan */
	bool reading;          /* a scan or log call is out */
	int64_t reading_epoch; /* what it belongs to */
	bool settling;         /* a settle call is out */
	struct store_lost *lost; /* owned; NULL: not settling */
	size_t lost_len;
	size_t lost_done;
	struct metric *m_losses;
	struct metric *m_settled;
	struct metric *m_dropped;
};

/* ---- learning ------------------------------------------------------------ */

static void
remember(struct memory *m, const struct uuid *user)
{
	if (m->now.len >= MEMORY_USERS_MAX && map_get(&m->now, user) == NULL) {
		metric_inc(m->m_dropped);
		return;
	}
	map_put(&m->now, user, m);
}

static void
begin_scan(struct memory *m, uint64_t noted)
{
	map_fini(&m->now);
	map_init(&m->now);
	m->state = MEMORY_SCANNING;
	m->cursor = 0;
	m->number = noted;
}

static bool
still_reading(struct memory *m, enum err e)
{
	m->reading = false;
	return e == ERR_OK && m->reading_epoch == m->epoch_ms;
}

static void read_on(struct memory *m);

static void
on_scanned(void *arg, enum err e, const struct store_seen *seen, size_t n,
    uint64_t cursor)
{
	struct memory *m = arg;

	if (!still_reading(m, e)) {
		return;
	}
	for (size_t i = 0; i < n; i++) {
		remember(m, &seen[i].user);
	}
	m->cursor = cursor;
	if (cursor == 0) {
		m->state = MEMORY_CURRENT;
	}
	read_on(m);
}

static void
on_logged(void *arg, enum err e, const struct store_seen *seen, size_t n,
    uint64_t cursor)
{
	struct memory *m = arg;

	(void)cursor;
	if (!still_reading(m, e)) {
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (seen[i].number != m->number + 1) {
			/* The log was cut before we had read it. */
			begin_scan(m, seen[n - 1].number);
			return;
		}
		m->number = seen[i].number;
		if (seen[i].online) {
			remember(m, &seen[i].user);
		} else {
			map_del(&m->now, &seen[i].user);
		}
	}
	if (n > 0) {
		read_on(m);
	}
}

static void
read_on(struct memory *m)
{
	m->reading = true;
	m->reading_epoch = m->epoch_ms;
	if (m->state == MEMORY_SCANNING) {
		store_scan(m->store, m->cursor, on_scanned, m);
	} else {
		store_log(m->store, m->number, on_logged, m);
	}
}

/* ---- a loss -------------------------------------------------------------- */

static void
settle_end(struct memory *m)
{
	map_fini(&m->before);
	map_init(&m->before);
	free(m->lost);
	m->lost = NULL;
	m->lost_len = m->lost_done = 0;
}

/* Everything known of the book that was moves to `before`. */
static void
keep_before(struct memory *m)
{
	void *at = (void *)(uintptr_t)m->seen_ms;
	struct uuid user;
	size_t cursor = 0;

	while (map_next(&m->now, &cursor, &user) != NULL) {
		if (m->before.len < MEMORY_USERS_MAX) {
			map_put(&m->before, &user, at);
		}
	}
	free(m->lost);
	m->lost = NULL;
	metric_inc(m->m_losses);
	log_warn("book_lost", "users_remembered=%zu cause=\"Redis was emptied, "
	    "restarted or replaced\"; gateways register again, who is missing "
	    "after ms=%" PRId64 " goes offline", m->before.len, m->lease_ms);
}

static void settle_next(struct memory *m);

static void
on_settled(void *arg, enum err e, unsigned transitions)
{
	struct memory *m = arg;
	size_t left;

	m->settling = false;
	if (e != ERR_OK || m->lost == NULL) {
		return;
	}
	left = m->lost_len - m->lost_done;
	m->lost_done += left < STORE_SETTLE_MAX ? left : STORE_SETTLE_MAX;
	metric_add(m->m_settled, transitions);
	if (transitions > 0) {
		report_kick(m->report);
	}
	settle_next(m);
}

static void
settle_next(struct memory *m)
{
	size_t left = m->lost_len - m->lost_done;

	if (left == 0) {
		log_info("book_settled", "users=%zu", m->lost_len);
		settle_end(m);
		return;
	}
	m->settling = true;
	store_settle(m->store, m->lost + m->lost_done,
	    left < STORE_SETTLE_MAX ? left : STORE_SETTLE_MAX, on_settled, m);
}

static void
settle_begin(struct memory *m)
{
	struct uuid user;
	size_t cursor = 0;
	void *at;

	m->lost = mem_alloc(m->before.len * sizeof(*m->lost));
	m->lost_len = m->lost_done = 0;
	while ((at = map_next(&m->before, &cursor, &user)) != NULL) {
		m->lost[m->lost_len].user = user;
		m->lost[m->lost_len++].at_ms = (int64_t)(uintptr_t)at;
	}
}

static void
settle(struct memory *m, const struct store_tick *t, bool may_judge)
{
	int64_t age = t->now_ms - m->epoch_ms;

	if (m->before.len == 0 || m->settling || !may_judge ||
	    age < m->lease_ms) {
		return;
	}
	if (age > SETTLE_LEASES_MAX * m->lease_ms) {
		log_warn("book_unsettled", "users=%zu cause=\"Redis was out of "
		    "reach too long\"", m->before.len);
		settle_end(m);
		return;
	}
	if (m->lost == NULL) {
		settle_begin(m);
	}
	settle_next(m);
}

void
memory_tick(struct memory *m, const struct store_tick *t, bool may_judge)
{
	if (m->epoch_ms != t->epoch_ms) {
		if (m->state != MEMORY_EMPTY) {
			keep_before(m);
		}
		m->epoch_ms = t->epoch_ms;
		begin_scan(m, t->noted);
	}
	m->seen_ms = t->now_ms;
	if (!m->reading) {
		read_on(m);
	}
	settle(m, t, may_judge);
}

bool
memory_knows(const struct memory *m, const struct uuid *user)
{
	return map_get(&m->before, user) != NULL ||
	    map_get(&m->now, user) != NULL;
}

/* ---- life ---------------------------------------------------------------- */

static double
users_gauge(void *arg)
{
	return (double)((struct memory *)arg)->now.len;
}

struct memory *
memory_new(struct store *s, struct report *r, int64_t lease_ms)
{
	struct memory *m = mem_zalloc(sizeof(*m));

	m->store = s;
	m->report = r;
	m->lease_ms = lease_ms;
	map_init(&m->now);
	map_init(&m->before);
	m->m_losses = metric_counter("parley_presence_book_losses_total", NULL,
	    "Times the book in Redis was found to be a new one");
	m->m_settled = metric_counter("parley_presence_settled_total", NULL,
	    "Users reported offline after a loss of the book");
	m->m_dropped = metric_counter("parley_presence_not_remembered_total",
	    NULL, "Users not remembered because too many are online");
	metric_gauge_fn("parley_presence_users_remembered", NULL,
	    "Users that this process remembers as online", users_gauge, m);
	return m;
}

void
memory_free(struct memory **mp)
{
	struct memory *m = *mp;

	if (m == NULL) {
		return;
	}
	*mp = NULL;
	map_fini(&m->now);
	map_fini(&m->before);
	free(m->lost);
	free(m);
}

size_t
memory_users(const struct memory *m)
{
	return m->now.len;
}

size_t
memory_unsettled(const struct memory *m)
{
	return m->before.len;
}
