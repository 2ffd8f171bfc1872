/*
 * The password pool. A job is in its address's line or with a worker; a
 * worker's thread sees nothing but its job. Where no account exists, the
 * password is verified against a hash made at start that nobody's password
 * fits, so that the time taken tells nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/password.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/map.h"
#include "common/mem.h"
#include "common/metrics.h"

/* The jobs of one address that wait; it goes with the last of them. */
struct line {
	struct list link;          /* in passwords.lines */
	struct list jobs;
	size_t len;
	struct uuid address;
};

struct job {
	uv_work_t work;
	struct list link;          /* in its line or passwords.running */
	struct line *line;         /* borrowed; NULL: not waiting */
	struct passwords *pool;    /* borrowed */
	bool orphan;               /* the pool was closed: tell nobody */
	uint64_t deadline_ms;
	uint64_t queued_us;
	size_t memory;
	unsigned ops;
	bool verify;
	bool known;                /* there is an account */
	char stored[crypto_pwhash_STRBYTES];
	char made[crypto_pwhash_STRBYTES];
	char *password;            /* owned, wiped */
	size_t password_len;
	enum err err;
	password_fn *fn;
	void *arg;
};

struct passwords {
	uv_loop_t *loop;
	struct passwords_conf conf;
	struct list lines;         /* whose turn is next, first */
	struct map by_address;     /* the lines; borrowed */
	struct list running;
	size_t waiting_count;
	size_t running_count;
	bool closed;
	char nobody[crypto_pwhash_STRBYTES];
	struct metric *m_time;
	struct metric *m_refused;
	struct metric *m_displaced;
};

static void start_next(struct passwords *p);

static void
job_free(struct job *j)
{
	sodium_memzero(j->password, j->password_len);
	free(j->password);
	sodium_memzero(j->stored, sizeof(j->stored));
	free(j);
}

/* ---- on the thread pool -------------------------------------------------- */

static bool
make_hash(struct job *j)
{
	return crypto_pwhash_str(j->made, j->password, j->password_len,
	    j->ops, j->memory) == 0;
}

static void
job_work(uv_work_t *work)
{
	struct job *j = CONTAINER_OF(work, struct job, work);

	if (!j->verify) {
		j->err = make_hash(j) ? ERR_OK : ERR_UNAVAILABLE;
		return;
	}
	if (crypto_pwhash_str_verify(j->stored, j->password,
	    j->password_len) != 0 || !j->known) {
		j->err = ERR_CREDENTIALS;
		return;
	}
	j->err = ERR_OK;
	if (crypto_pwhash_str_needs_rehash(j->stored, j->ops, j->memory) == 0 ||
	    !make_hash(j)) {
		j->made[0] = '\0';
	}
}

/* ---- on the loop --------------------------------------------------------- */

static void
job_done(uv_work_t *work, int status)
{
	struct job *j = CONTAINER_OF(work, struct job, work);
	struct passwords *p = j->pool;

	if (j->orphan) {
		job_free(j);
		return;
	}
	list_del(&j->link);
	p->running_count--;
	metric_observe_us(p->m_time, clock_mono_us() - j->queued_us);
	if (status != 0) {
		j->err = ERR_UNAVAILABLE;
	}
	start_next(p);
	j->fn(j->arg, j->err, j->err == ERR_OK && j->made[0] != '\0' ?
	    j->made : NULL);
	job_free(j);
}

static void
refuse(struct job *j, enum err err)
{
	j->fn(j->arg, err, NULL);
	job_free(j);
}

/* ---- lines --------------------------------------------------------------- */

static void
line_up(struct passwords *p, struct job *j, const struct uuid *address)
{
	struct line *line = map_get(&p->by_address, address);

	if (line == NULL) {
		line = mem_zalloc(sizeof(*line));
		line->address = *address;
		list_init(&line->jobs);
		map_put(&p->by_address, address, line);
		list_push_back(&p->lines, &line->link);
	}
	j->line = line;
	list_push_back(&line->jobs, &j->link);
	line->len++;
	p->waiting_count++;
}

static void
leave_line(struct passwords *p, struct job *j)
{
	struct line *line = j->line;

	j->line = NULL;
	list_del(&j->link);
	p->waiting_count--;
	if (--line->len == 0) {
		list_del(&line->link);
		map_del(&p->by_address, &line->address);
		free(line);
	}
}

/* The oldest job of the line whose turn it is; NULL: none waits. */
static struct job *
take_next(struct passwords *p)
{
	struct list *link = list_pop_front(&p->lines);
	struct line *line;
	struct job *j;

	if (link == NULL) {
		return NULL;
	}
	line = LIST_ENTRY(link, struct line, link);
	list_push_back(&p->lines, &line->link);
	j = LIST_ENTRY(line->jobs.next, struct job, link);
	leave_line(p, j);
	return j;
}

/* Takes a place for `address` from the longest line, if that leaves it longer
 * still, or as long. Looks at all lines: with many of them, none is long. */
static bool
displace(struct passwords *p, const struct uuid *address)
{
	const struct line *own = map_get(&p->by_address, address);
	struct line *longest = NULL;
	struct job *j;

	LIST_FOREACH(link, &p->lines) {
		struct line *line = LIST_ENTRY(link, struct line, link);

		if (longest == NULL || line->len > longest->len) {
			longest = line;
		}
	}
	if (longest == NULL ||
	    longest->len < (own != NULL ? own->len : 0) + 2) {
		return false;
	}
	j = LIST_ENTRY(longest->jobs.prev, struct job, link);
	leave_line(p, j);
	metric_inc(p->m_displaced);
	refuse(j, ERR_OVERLOADED);
	return true;
}

/* ---- turns --------------------------------------------------------------- */

static void
start_next(struct passwords *p)
{
	struct job *j;

	while (!p->closed && p->running_count < p->conf.workers &&
	    (j = take_next(p)) != NULL) {
		if (j->deadline_ms != 0 && clock_mono_ms() >= j->deadline_ms) {
			refuse(j, ERR_EXPIRED);
			continue;
		}
		if (uv_queue_work(p->loop, &j->work, job_work, job_done) != 0) {
			refuse(j, ERR_UNAVAILABLE);
			continue;
		}
		list_push_back(&p->running, &j->link);
		p->running_count++;
	}
}

static struct job *
job_new(struct passwords *p, const struct uuid *address, struct text password,
    uint64_t deadline_ms, password_fn *fn, void *arg)
{
	struct job *j;

	if (p->closed || (p->waiting_count + p->running_count >=
	    p->conf.queue_max + p->conf.workers && !displace(p, address))) {
		metric_inc(p->m_refused);
		return NULL;
	}
	j = mem_zalloc(sizeof(*j));
	list_init(&j->link);
	j->pool = p;
	j->deadline_ms = deadline_ms;
	j->queued_us = clock_mono_us();
	j->memory = p->conf.memory;
	j->ops = p->conf.ops;
	j->password = mem_dup(password.p, password.len);
	j->password_len = password.len;
	j->fn = fn;
	j->arg = arg;
	return j;
}

static enum err
job_queue(struct passwords *p, struct job *j, const struct uuid *address)
{
	line_up(p, j, address);
	start_next(p);
	return ERR_OK;
}

enum err
password_hash(struct passwords *p, const struct uuid *address,
    struct text password, uint64_t deadline_ms, password_fn *fn, void *arg)
{
	struct job *j = job_new(p, address, password, deadline_ms, fn, arg);

	return j == NULL ? ERR_OVERLOADED : job_queue(p, j, address);
}

enum err
password_verify(struct passwords *p, const struct uuid *address,
    struct text password, const char *stored, uint64_t deadline_ms,
    password_fn *fn, void *arg)
{
	struct job *j = job_new(p, address, password, deadline_ms, fn, arg);

	if (j == NULL) {
		return ERR_OVERLOADED;
	}
	j->verify = true;
	j->known = stored != NULL;
	snprintf(j->stored, sizeof(j->stored), "%s",
	    stored != NULL ? stored : p->nobody);
	return job_queue(p, j, address);
}

/* ---- life ---------------------------------------------------------------- */

static double
gauge_waiting(void *arg)
{
	return (double)((struct passwords *)arg)->waiting_count;
}

static double
gauge_running(void *arg)
{
	return (double)((struct passwords *)arg)->running_count;
}

/* Also the test that the system can hash with these settings. */
static bool
make_nobody(struct passwords *p)
{
	unsigned char secret[32];

	randombytes_buf(secret, sizeof(secret));
	return crypto_pwhash_str(p->nobody, (const char *)secret,
	    sizeof(secret), p->conf.ops, p->conf.memory) == 0;
}

struct passwords *
passwords_new(uv_loop_t *loop, const struct passwords_conf *conf)
{
	struct passwords *p = mem_zalloc(sizeof(*p));

	p->loop = loop;
	p->conf = *conf;
	list_init(&p->lines);
	map_init(&p->by_address);
	list_init(&p->running);
	if (!make_nobody(p)) {
		log_error("cannot_hash_passwords", "password_memory=%zu "
		    "remedy=\"lower password_memory or give the process more "
		    "memory\"", conf->memory);
		free(p);
		return NULL;
	}
	p->m_time = metric_latency("parley_password_seconds", NULL,
	    "From queueing a password hash to its end.");
	p->m_refused = metric_counter("parley_password_refused_total", NULL,
	    "Password hashes refused because too many were waiting.");
	p->m_displaced = metric_counter("parley_password_displaced_total",
	    NULL, "Waiting ones refused in favour of another address.");
	metric_gauge_fn("parley_password_running", NULL,
	    "Password hashes with a worker.", gauge_running, p);
	metric_gauge_fn("parley_password_waiting", NULL,
	    "Password hashes waiting for a worker.", gauge_waiting, p);
	return p;
}

void
passwords_close(struct passwords *p)
{
	struct list *link;
	struct job *waiting;

	if (p == NULL || p->closed) {
		return;
	}
	p->closed = true;
	while ((waiting = take_next(p)) != NULL) {
		refuse(waiting, ERR_UNAVAILABLE);
	}
	while ((link = list_pop_front(&p->running)) != NULL) {
		struct job *j = LIST_ENTRY(link, struct job, link);

		j->orphan = true;
		p->running_count--;
		j->fn(j->arg, ERR_UNAVAILABLE, NULL);
	}
}

void
passwords_free(struct passwords **pp)
{
	struct passwords *p = *pp;

	*pp = NULL;
	if (p != NULL) {
		passwords_close(p);
		map_fini(&p->by_address);
		free(p);
	}
}

size_t
passwords_pending(const struct passwords *p)
{
	return p->waiting_count + p->running_count;
}
