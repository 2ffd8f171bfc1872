/*
 * Keeping the pool's links: which has stalled, which is to be made, and when.
 *
 *   DOWN --due--> CONNECTING (thread pool) --> UP --broke, stalled--> DOWN
 *
 * SPDX-License-Identifier: MIT
 */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "chatd/db_int.h"
#include "chatd/db_tls.h"
#include "common/clock.h"
#include "common/daemon.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"

/* Longer than statement_timeout: a link on which nothing moves for so long has
 * a server that answers no more. */
#define STALL_MS 8000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 3000

struct connect_job {
	uv_work_t work;
	struct db *db;   /* borrowed; NULL once the pool was closed */
	unsigned number; /* of the link it is for */
	char *url;       /* owned */
	atomic_bool given_up;
	PGconn *conn;
	char error[256];
};

/* ---- connecting ---------------------------------------------------------- */

static void
job_work(uv_work_t *work)
{
	struct connect_job *job = CONTAINER_OF(work, struct connect_job, work);

	job->conn = db_connect(job->url, &job->given_up, job->error,
	    sizeof(job->error));
}

static void
connect_failed(struct db *db, const char *error)
{
	uint64_t wait = BACKOFF_MIN_MS << (db->failures < 5 ? db->failures : 5);

	if (wait > BACKOFF_MAX_MS) {
		wait = BACKOFF_MAX_MS;
	}
	db->failures++;
	metric_inc(db->m_connect_failures);
	log_warn("postgres_connect_failed", "retry_ms=%llu cause=\"%s\" "
	    "remedy=\"check database_url, and that the server runs and has "
	    "connections left\"", (unsigned long long)wait, error);
	/* Half to all of it, so that many chatds do not knock at once. */
	db->connect_at_ms = clock_mono_ms() + wait / 2 +
	    randombytes_uniform((uint32_t)(wait / 2 + 1));
}

void
db_link_is_up(struct db *db, struct db_link *l)
{
	db->failures = 0;
	db->up_count++;
	log_info("postgres_link_up", "link=%u tls=%s", l->number,
	    db_tls_version(l->conn));
	daemon_need("postgres", true);
	db_pump(db);
}

/* The servers of database_url are tried in their order, so a link that leads to
 * another one than before tells that the former primary is gone; the links to it
 * may not have noticed. */
static void
leave_former(struct db *db, const struct db_link *fresh)
{
	for (unsigned i = 0; i < db->link_count; i++) {
		struct db_link *l = &db->links[i];

		if (l->state == LINK_UP &&
		    (strcmp(PQhost(l->conn), PQhost(fresh->conn)) != 0 ||
		    strcmp(PQport(l->conn), PQport(fresh->conn)) != 0)) {
			link_fail(l, "another server is the primary now");
		}
	}
}

static void connect_next(struct db *db, uint64_t now);

static void
job_done(uv_work_t *work, int status)
{
	struct connect_job *job = CONTAINER_OF(work, struct connect_job, work);
	struct db *db = job->db;

	if (db == NULL) {
		PQfinish(job->conn);
	} else {
		struct db_link *l = &db->links[job->number];

		db->job = NULL;
		l->state = LINK_DOWN;
		if (status != 0 || job->conn == NULL) {
			connect_failed(db, status != 0 ?
			    uv_strerror(status) : job->error);
		} else if (link_adopt(l, job->conn)) {
			db_link_is_up(db, l);
			leave_former(db, l);
			connect_next(db, clock_mono_ms());
		}
	}
	free(job->url);
	free(job);
}

/* One connect at a time: it occupies one thread of the pool, and a server that
 * just came back is not stormed. */
static void
connect_next(struct db *db, uint64_t now)
{
	struct connect_job *job;
	unsigned i = 0;

	if (db->job != NULL || db->settling || now < db->connect_at_ms) {
		return;
	}
	while (i < db->link_count && db->links[i].state != LINK_DOWN) {
		i++;
	}
	if (i == db->link_count) {
		return;
	}
	job = mem_zalloc(sizeof(*job));
	job->db = db;
	job->number = i;
	job->url = mem_strdup(db->url);
	if (uv_queue_work(db->loop, &job->work, job_work, job_done) != 0) {
		free(job->url);
		free(job);
		return;
	}
	db->job = job;
	db->links[i].state = LINK_CONNECTING;
}

static bool
is_stalled(const struct db_link *l, uint64_t now)
{
	return l->state == LINK_UP && l->sent_count > 0 &&
	    now - l->moved_ms > STALL_MS;
}

/* Where one link's server process has stopped, the others may have as well, and
 * each would cost as long to find out: what has been silent for long is given
 * up and made anew. */
static void
end_stalled(struct db *db, uint64_t now)
{
	bool stalled = false;

	for (unsigned i = 0; i < db->link_count; i++) {
		stalled = stalled || is_stalled(&db->links[i], now);
	}
	for (unsigned i = 0; stalled && i < db->link_count; i++) {
		struct db_link *l = &db->links[i];
		bool recent = now - l->moved_ms <= STALL_MS / 2;

		if (l->state == LINK_UP && !recent) {
			link_fail(l, "no answer, here or on another link");
		}
	}
}

void
db_keep_links(struct db *db, uint64_t now)
{
	end_stalled(db, now);
	connect_next(db, now);
}

void
db_keep_settle(struct db *db)
{
	if (db->job != NULL) {
		atomic_store(&db->job->given_up, true);
	}
}

void
db_keep_end(struct db *db)
{
	db_keep_settle(db);
	if (db->job != NULL) {
		db->job->db = NULL; /* it frees itself when it is back */
		uv_cancel((uv_req_t *)&db->job->work);
		db->job = NULL;
	}
}
