/*
 * The pool: which unit goes to which link, what is sent again, and when waiting
 * ends.
 *
 *   db_submit -> first | large | others (waiting) -> link (sent) -> done
 *                   ^                                  |
 *                   +--------- link broke -------------+
 *
 * Link 0 is left to DB_FIRST units (the send path) and link 1 to DB_LARGE ones
 * (sends to large groups), as long as another is up, so that a slow read never
 * stands before a send, nor a large group before private messages.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/db.h"

#include <stdlib.h>
#include <string.h>

#include "chatd/db_connect.h"
#include "chatd/db_fault.h"
#include "chatd/db_int.h"
#include "common/clock.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"

#define TICK_MS 100
/* Links that are kept for one kind of unit. */
#define KEPT_MAX 2u
#define ATTEMPTS_MAX 6
/* The same refusal is logged once in so long. */
#define REFUSAL_LOG_MS 5000

/* ---- ending units -------------------------------------------------------- */

static void
unit_end(struct db *db, struct db_unit *u)
{
	struct db_result *r = u->result;

	db->pending--;
	metric_observe_us(db->m_latency, clock_mono_us() - u->submitted_us);
	if (r->outcome == DB_OK) {
		for (unsigned i = 0; i < u->step_count; i++) {
			if (r->res[i] == NULL) {
				r->outcome = DB_UNAVAILABLE;
			}
		}
	}
	u->done(u->arg, r);
	db_unit_free(&u);
}

static void
unit_refuse(struct db *db, struct db_unit *u)
{
	metric_inc(db->m_refused);
	db_unit_forget(u);
	u->result->outcome = DB_UNAVAILABLE;
	unit_end(db, u);
}

static void
end_list(struct db *db, struct list *units)
{
	struct list *link;

	while ((link = list_pop_front(units)) != NULL) {
		unit_refuse(db, LIST_ENTRY(link, struct db_unit, link));
	}
}

static void
on_kick(uv_async_t *kick)
{
	struct db *db = kick->data;
	struct list units;

	list_init(&units);
	list_splice_back(&units, &db->refused);
	end_list(db, &units);
}

/* ---- waiting ------------------------------------------------------------- */

static struct list *
queue_of(struct db *db, const struct db_unit *u)
{
	return (u->flags & DB_FIRST) != 0 ? &db->first :
	    (u->flags & DB_LARGE) != 0 ? &db->large : &db->others;
}

static bool
link_has_room(const struct db_link *l)
{
	return l->state == LINK_UP && l->sent_count < LINK_SENT_MAX;
}

/* `own`: the link that is kept for this kind, or KEPT_MAX. */
static struct db_link *
pick_link(struct db *db, unsigned own)
{
	unsigned kept = db->link_count > KEPT_MAX + 1 ? KEPT_MAX : 1;
	struct db_link *best = NULL;
	bool shared_up = false;

	if (own < kept && link_has_room(&db->links[own])) {
		return &db->links[own];
	}
	for (unsigned i = kept; i < db->link_count; i++) {
		struct db_link *l = &db->links[i];

		shared_up = shared_up || l->state == LINK_UP;
		if (link_has_room(l) && (best == NULL ||
		    l->sent_count < best->sent_count)) {
			best = l;
		}
	}
	for (unsigned i = kept; i-- > 0 && !shared_up && best == NULL;) {
		if (link_has_room(&db->links[i])) {
			best = &db->links[i];
		}
	}
	return best;
}

static void
pump_queue(struct db *db, struct list *queue, unsigned own)
{
	while (!list_empty(queue)) {
		struct db_link *l = pick_link(db, own);
		struct db_unit *u;

		if (l == NULL) {
			return;
		}
		u = LIST_ENTRY(list_pop_front(queue), struct db_unit, link);
		db->waiting--;
		metric_observe_us(db->m_wait, clock_mono_us() -
		    u->submitted_us);
		link_send(l, u);
	}
}

void
db_pump(struct db *db)
{
	pump_queue(db, &db->first, 0);
	pump_queue(db, &db->large, 1);
	pump_queue(db, &db->others, KEPT_MAX);
}

void
db_submit(struct db_unit *u, db_done_fn *done, void *arg)
{
	struct db *db = u->db;

	u->done = done;
	u->arg = arg;
	u->submitted_us = clock_mono_us();
	db->pending++;
	if (db->closing) {
		unit_refuse(db, u);
		return;
	}
	if (db->waiting >= DB_WAITING_MAX) {
		list_push_back(&db->refused, &u->link);
		uv_async_send(db->kick);
		return;
	}
	list_push_back(queue_of(db, u), &u->link);
	db->waiting++;
	db_pump(db);
}

/* Back to the head of its queue, unless it was tried often enough. */
static void
unit_again(struct db *db, struct db_unit *u)
{
	bool late = clock_mono_ms() >= u->deadline_ms;

	metric_inc(db->m_retries);
	db_unit_forget(u);
	if (db->closing || late || u->attempts >= ATTEMPTS_MAX) {
		list_push_back(&db->refused, &u->link);
		uv_async_send(db->kick);
		return;
	}
	list_push_front(queue_of(db, u), &u->link);
	db->waiting++;
}

/* One line for many of a kind: a full disk refuses every send. */
static void
log_refused(struct db *db, const struct db_unit *u)
{
	const struct db_result *r = u->result;
	uint64_t now = clock_mono_ms();

	if (strcmp(db->refusal, r->sqlstate) == 0 &&
	    now - db->refusal_logged_ms < REFUSAL_LOG_MS) {
		db->refusals_unlogged++;
		return;
	}
	log_warn("db_refused", "statement=%s sqlstate=%s constraint=%s "
	    "unlogged_before=%u remedy=\"%s\"",
	    sql_statements[u->steps[0].statement].name, r->sqlstate,
	    r->constraint, db->refusals_unlogged,
	    db_fault_remedy(r->sqlstate));
	memcpy(db->refusal, r->sqlstate, sizeof(db->refusal));
	db->refusal_logged_ms = now;
	db->refusals_unlogged = 0;
}

void
db_unit_answered(struct db *db, struct db_unit *u)
{
	struct db_result *r = u->result;
	bool passes = r->outcome == DB_FAILED && db_fault_passes(r->sqlstate);

	if (passes) {
		metric_inc(db->m_conflicts);
		if (u->attempts < ATTEMPTS_MAX &&
		    clock_mono_ms() < u->deadline_ms) {
			unit_again(db, u);
			return;
		}
	}
	if (r->outcome == DB_FAILED) {
		metric_inc(db->m_failed);
		log_refused(db, u);
	}
	unit_end(db, u);
}

void
db_link_lost(struct db *db, struct db_link *l, struct list *units)
{
	struct list *link;

	metric_inc(db->m_lost);
	l->state = LINK_DOWN;
	db->up_count--;
	daemon_need("postgres", db->up_count > 0);
	/* From the last to the first, each to the head: the order is kept. */
	while (!list_empty(units)) {
		link = units->prev;
		list_del(link);
		struct db_unit *u = LIST_ENTRY(link, struct db_unit, link);

		if ((u->flags & DB_SNAPSHOT) == 0) {
			u->result->doubtful = true;
		}
		unit_again(db, u);
	}
}

static void
expire(struct db *db, struct list *queue, uint64_t now)
{
	struct list late;

	list_init(&late);
	LIST_FOREACH_SAFE(link, tmp, queue) {
		struct db_unit *u = LIST_ENTRY(link, struct db_unit, link);

		if (now >= u->deadline_ms) {
			list_del(link);
			list_push_back(&late, link);
			db->waiting--;
		}
	}
	end_list(db, &late);
}

static void
on_tick(uv_timer_t *tick)
{
	struct db *db = tick->data;
	uint64_t now = clock_mono_ms();

	db_keep_links(db, now);
	expire(db, &db->first, now);
	expire(db, &db->large, now);
	expire(db, &db->others, now);
	db_pump(db);
}

/* ---- life ---------------------------------------------------------------- */

static double
gauge_waiting(void *arg)
{
	return (double)((struct db *)arg)->waiting;
}

static double
gauge_links(void *arg)
{
	return (double)((struct db *)arg)->up_count;
}

static double
gauge_tls_links(void *arg)
{
	const struct db *db = arg;
	unsigned n = 0;

	for (unsigned i = 0; i < db->link_count; i++) {
		n += db->links[i].state == LINK_UP &&
		    PQsslInUse(db->links[i].conn) != 0;
	}
	return (double)n;
}

static void
register_metrics(struct db *db)
{
	db->m_latency = metric_latency("parley_db_unit_seconds", NULL,
	    "From submitting a database transaction to its end.");
	db->m_wait = metric_latency("parley_db_wait_seconds", NULL,
	    "From submitting a database transaction to its being sent.");
	db->m_retries = metric_counter("parley_db_retries_total", NULL,
	    "Transactions sent again after a conflict or a lost link.");
	db->m_conflicts = metric_counter("parley_db_conflicts_total", NULL,
	    "Transactions rolled back for a serialization failure, a deadlock "
	    "or a lock held too long.");
	db->m_failed = metric_counter("parley_db_failed_total", NULL,
	    "Transactions that the database refused.");
	db->m_refused = metric_counter("parley_db_unavailable_total", NULL,
	    "Transactions that ended without the database's answer.");
	db->m_lost = metric_counter("parley_db_links_lost_total", NULL,
	    "Database connections that broke.");
	db->m_connect_failures = metric_counter(
	    "parley_db_connect_failures_total", NULL,
	    "Attempts to connect to the database that failed.");
	metric_gauge_fn("parley_db_waiting", NULL,
	    "Transactions waiting for a connection.", gauge_waiting, db);
	metric_gauge_fn("parley_db_links", NULL,
	    "Database connections that are up.", gauge_links, db);
	metric_set(metric_gauge("parley_db_links_wanted", NULL,
	    "Database connections that should be up."), db->link_count);
	metric_gauge_fn("parley_db_tls_links", NULL,
	    "Of these: with TLS.", gauge_tls_links, db);
}

static void
start_handles(struct db *db)
{
	db->tick = mem_zalloc(sizeof(*db->tick));
	uv_timer_init(db->loop, db->tick);
	db->tick->data = db;
	uv_timer_start(db->tick, on_tick, 1, TICK_MS);
	db->kick = mem_zalloc(sizeof(*db->kick));
	uv_async_init(db->loop, db->kick, on_kick);
	db->kick->data = db;
}

struct db *
db_open(uv_loop_t *loop, const char *url, unsigned connections)
{
	char error[256];
	PGconn *conn = db_connect(url, NULL, error, sizeof(error));
	struct db *db;

	/* Gone since the schema was checked: it is waited for like later on. Once
	 * more, since it may have come back between the two looks. */
	if (conn == NULL && !db_is_away(url)) {
		conn = db_connect(url, NULL, error, sizeof(error));
	}
	if (conn == NULL && !db_is_away(url)) {
		log_error("cannot_reach_postgres", "cause=\"%s\" "
		    "remedy=\"check database_url and that the server runs\"",
		    error);
		return NULL;
	}
	db = mem_zalloc(sizeof(*db));
	db->loop = loop;
	db->url = mem_strdup(url);
	list_init(&db->first);
	list_init(&db->large);
	list_init(&db->others);
	list_init(&db->refused);
	db->link_count = connections < DB_LINKS_MAX ? connections :
	    DB_LINKS_MAX;
	for (unsigned i = 0; i < db->link_count; i++) {
		db->links[i].db = db;
		db->links[i].number = i;
		list_init(&db->links[i].sent);
	}
	register_metrics(db);
	start_handles(db);
	if (conn == NULL) {
		daemon_need("postgres", false);
	} else if (link_adopt(&db->links[0], conn)) {
		db_link_is_up(db, &db->links[0]);
	}
	return db;
}

static void
free_handle(uv_handle_t *handle)
{
	free(handle);
}

bool
db_settle(struct db *db)
{
	db->settling = true;
	db_keep_settle(db);
	return db->job == NULL;
}

void
db_close(struct db *db)
{
	if (db == NULL || db->closing) {
		return;
	}
	db->closing = true;
	db_keep_end(db);
	for (unsigned i = 0; i < db->link_count; i++) {
		struct db_link *l = &db->links[i];

		list_splice_back(&db->refused, &l->sent);
		link_close(l);
	}
	list_splice_back(&db->refused, &db->first);
	list_splice_back(&db->refused, &db->large);
	list_splice_back(&db->refused, &db->others);
	db->waiting = 0;
	db->up_count = 0;
	end_list(db, &db->refused);
	uv_timer_stop(db->tick);
	uv_close((uv_handle_t *)db->tick, free_handle);
	uv_close((uv_handle_t *)db->kick, free_handle);
}

void
db_free(struct db **dbp)
{
	struct db *db = *dbp;

	*dbp = NULL;
	if (db == NULL) {
		return;
	}
	db_close(db);
	free(db->url);
	free(db);
}

bool
db_up(const struct db *db)
{
	return db->up_count > 0;
}

size_t
db_pending(const struct db *db)
{
	return db->pending;
}
