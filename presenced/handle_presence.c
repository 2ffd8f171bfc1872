/*
 * handle_presence: see presence.h.
 *
 * Long lists go to Redis in parts, so that no script holds it for long; the
 * answer waits for all parts. A list of which a part failed is answered
 * ERR_UNAVAILABLE as a whole: the caller repeats it, and each change may be
 * made twice.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/calls.h"
#include "common/contract.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/rpc.h"
#include "presenced/memory.h"
#include "presenced/presence.h"
#include "presenced/report.h"
#include "presenced/store.h"

#define CHANGE_LEN 33
#define COUNT_LEN 4

/* Every answer leaves here; `in` is gone afterwards. */
static void
answer_out(struct rpc_in *in, const struct rpc_out *out)
{
	const struct contract_row *row = contract_row(in->frame.kind);
	const char *call = row != NULL ? row->name : "unknown";
	const char *result = err_reason(out->status);
	char labels[96];

	/* Calls come in batches of many users each, some a second. */
	snprintf(labels, sizeof(labels), "call=\"%s\",result=\"%s\"", call,
	    result);
	metric_inc(metric_counter("parley_presence_calls_total", labels,
	    "Calls answered, by kind and result."));
	log_debug("answered", "type=%s result=%s req=%016llx", call, result,
	    (unsigned long long)in->frame.trace);
	rpc_reply(in, out);
}

static void
answer(struct rpc_in *in, enum err status)
{
	const struct rpc_out out = { .status = status };

	answer_out(in, &out);
}

/* Reads a list's count; items of `item_len` bytes must follow and end it. */
static enum err
read_count(struct rd *r, size_t item_len, size_t *n_r)
{
	*n_r = rd_u32(r);
	if (!rd_ok(r)) {
		return ERR_PROTOCOL;
	}
	if (*n_r > PRESENCE_LIST_MAX) {
		return ERR_TOO_LARGE;
	}
	return rd_left(r) == *n_r * item_len ? ERR_OK : ERR_PROTOCOL;
}

/* ---- sessions_changed ---------------------------------------------------- */

struct change_job {
	struct presence *presence; /* borrowed */
	struct rpc_in *in;
	unsigned open;             /* parts out, +1 while they are sent */
	enum err status;
};

static void
change_part_done(struct change_job *job)
{
	if (--job->open == 0) {
		answer(job->in, job->status);
		free(job);
	}
}

static void
on_changed(void *arg, enum err e, unsigned transitions)
{
	struct change_job *job = arg;

	if (e != ERR_OK) {
		job->status = e;
	}
	if (transitions > 0) {
		report_kick(job->presence->report);
	}
	change_part_done(job);
}

/* False when an operation is of no known kind. */
static bool
read_changes(struct rd *r, const struct memory *memory,
    struct store_change *changes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct session_change *c = &changes[i].change;

		get_session_change(r, c);
		if (c->op < SESSION_UP || c->op > SESSION_LOGGED_OUT) {
			return false;
		}
		changes[i].known_online = memory_knows(memory, &c->user);
	}
	return rd_done(r);
}

static void
send_changes(struct presence *p, struct rpc_in *in,
    const struct session_head *head, const struct store_change *changes,
    size_t n)
{
	struct change_job *job = mem_zalloc(sizeof(*job));
	size_t at = 0;

	job->presence = p;
	job->in = in;
	job->open = 1;
	job->status = ERR_OK;
	/* An empty list is one part too: it registers a gateway. */
	do {
		size_t part = n - at < STORE_CHANGES_MAX ? n - at
		    : STORE_CHANGES_MAX;

		job->open++;
		store_change(p->store, head, changes + at, part, on_changed,
		    job);
		at += part;
	} while (at < n);
	change_part_done(job);
}

static void
handle_sessions_changed(struct presence *p, struct rpc_in *in)
{
	struct store_change *changes;
	struct session_head head;
	struct rd r;
	size_t n = 0;
	enum err e;

	rd_init(&r, in->frame.body, in->frame.body_len);
	get_session_head(&r, &head);
	e = read_count(&r, CHANGE_LEN, &n);
	if (e != ERR_OK) {
		answer(in, e);
		return;
	}
	changes = mem_alloc((n + 1) * sizeof(*changes));
	if (read_changes(&r, p->memory, changes, n)) {
		send_changes(p, in, &head, changes, n);
	} else {
		answer(in, ERR_PROTOCOL);
	}
	free(changes);
}

/* ---- heartbeat ----------------------------------------------------------- */

static void
on_beat(void *arg, enum err e)
{
	answer(arg, e);
}

static void
handle_heartbeat(struct presence *p, struct rpc_in *in)
{
	struct session_head head;
	struct rd r;

	rd_init(&r, in->frame.body, in->frame.body_len);
	get_session_head(&r, &head);
	if (!rd_done(&r)) {
		answer(in, ERR_PROTOCOL);
		return;
	}
	store_beat(p->store, &head.gateway, on_beat, in);
}

/* ---- who_is_online ------------------------------------------------------- */

struct who_job {
	struct presence *presence; /* borrowed */
	struct rpc_in *in;
	unsigned open;
	enum err status;
	size_t n;
	struct uuid *users;        /* owned */
	uint8_t *online;           /* owned */
	struct who_part {
		struct who_job *job;
		size_t at;
		size_t n;
	} parts[(PRESENCE_LIST_MAX + STORE_WHO_MAX - 1) / STORE_WHO_MAX];
};

static void
who_part_done(struct who_job *job)
{
	struct rpc_out out = { .status = job->status };
	struct buf body = BUF_INIT;

	if (--job->open > 0) {
		return;
	}
	if (job->status == ERR_OK) {
		buf_put_u32(&body, (uint32_t)job->n);
		buf_put(&body, job->online, job->n);
		out.body = body.data;
		out.body_len = body.len;
	}
	answer_out(job->in, &out);
	buf_fini(&body);
	free(job->users);
	free(job->online);
	free(job);
}

static void
on_who(void *arg, enum err e, const char *marks)
{
	struct who_part *part = arg;
	struct who_job *job = part->job;

	if (e != ERR_OK) {
		job->status = e;
	}
	for (size_t i = 0; e == ERR_OK && i < part->n; i++) {
		const struct uuid *user = &job->users[part->at + i];

		job->online[part->at + i] = marks[i] == STORE_ONLINE ||
		    (marks[i] == STORE_UNHEARD &&
		    memory_knows(job->presence->memory, user));
	}
	who_part_done(job);
}

static void
who_send(struct who_job *job)
{
	size_t at = 0;

	job->open = 1;
	for (size_t i = 0; at < job->n; i++) {
		struct who_part *part = &job->parts[i];

		assert(i < ARRAY_LEN(job->parts));
		part->job = job;
		part->at = at;
		part->n = job->n - at < STORE_WHO_MAX ? job->n - at
		    : STORE_WHO_MAX;
		at += part->n;
		job->open++;
		store_who(job->presence->store, &job->users[part->at], part->n,
		    on_who, part);
	}
	who_part_done(job);
}

static void
handle_who_is_online(struct presence *p, struct rpc_in *in)
{
	struct who_job *job;
	struct rd r;
	size_t n = 0;
	enum err e;

	rd_init(&r, in->frame.body, in->frame.body_len);
	e = read_count(&r, sizeof(struct uuid), &n);
	if (e != ERR_OK) {
		answer(in, e);
		return;
	}
	if (!store_ready(p->store)) {
		answer(in, ERR_UNAVAILABLE);
		return;
	}
	job = mem_zalloc(sizeof(*job));
	job->presence = p;
	job->in = in;
	job->status = ERR_OK;
	job->n = n;
	job->users = mem_alloc((n + 1) * sizeof(*job->users));
	job->online = mem_zalloc(n + 1);
	for (size_t i = 0; i < n; i++) {
		job->users[i] = rd_uuid(&r);
	}
	who_send(job);
}

/* ---- dispatch ------------------------------------------------------------ */

void
presence_handle(void *arg, struct rpc_in *in)
{
	struct presence *p = arg;

	switch (in->frame.kind) {
	case CALL_sessions_changed:
		handle_sessions_changed(p, in);
		break;
	case CALL_heartbeat:
		handle_heartbeat(p, in);
		break;
	case CALL_who_is_online:
		handle_who_is_online(p, in);
		break;
	default:
		log_warn("unknown_call", "kind=%u remedy=\"the caller's setting "
		    "presenced may name another kind of process\"",
		    in->frame.kind);
		answer(in, ERR_UNKNOWN_TYPE);
		break;
	}
}
