/*
 * store_calls: what each call puts into its script and reads from the reply
 * (see store.h). A reply of another form than the script's counts as an error:
 * nothing is taken from it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "presenced/store_call.h"

#define SCAN_COUNT "1000"
#define LOG_COUNT "1000"
#define SEEN_MAX 20000 /* a part of a scan may be larger than asked for */
#define TICK_FIELDS 9
#define SWEPT_FIELDS 4
#define ITEM_LEN 34

/* ---- reading replies ----------------------------------------------------- */

static bool
is_integer(const redisReply *r)
{
	return r != NULL && r->type == REDIS_REPLY_INTEGER;
}

/* Fills v with an array of exactly n integers. */
static bool
read_integers(const redisReply *r, long long *v, size_t n)
{
	if (r == NULL || r->type != REDIS_REPLY_ARRAY || r->elements != n) {
		return false;
	}
	for (size_t i = 0; i < n; i++) {
		if (!is_integer(r->element[i])) {
			return false;
		}
		v[i] = r->element[i]->integer;
	}
	return true;
}

static bool
read_uuid(const redisReply *r, struct uuid *id_r)
{
	if (r == NULL || r->type != REDIS_REPLY_STRING ||
	    (size_t)r->len != sizeof(id_r->b)) {
		return false;
	}
	memcpy(id_r->b, r->str, sizeof(id_r->b));
	return true;
}

/* Of a reply that is there and not read: it has a wrong form. */
static void
note_bad(struct store_call *c, const redisReply *r)
{
	if (r != NULL) {
		store_bad_reply(c->store, c->script != NULL ? c->script->name
		    : "command", r);
	}
}

/* ---- sessions ------------------------------------------------------------ */

static void
parse_change(struct store_call *c, const redisReply *r)
{
	if (is_integer(r)) {
		c->fn.change(c->arg, ERR_OK, (unsigned)r->integer);
		return;
	}
	note_bad(c, r);
	c->fn.change(c->arg, ERR_UNAVAILABLE, 0);
}

void
store_change(struct store *s, const struct session_head *head,
    const struct store_change *changes, size_t n, store_change_fn *fn,
    void *arg)
{
	struct store_call *c = store_call_new(s, &script_change, parse_change,
	    arg);
	struct buf items = BUF_INIT;

	(void)buf_reserve(&items, n * ITEM_LEN);
	for (size_t i = 0; i < n; i++) {
		const struct session_change *x = &changes[i].change;

		buf_put_u8(&items, (uint8_t)x->op);
		buf_put_uuid(&items, &x->user);
		buf_put_uuid(&items, &x->session);
		buf_put_u8(&items, changes[i].known_online);
	}
	c->fn.change = fn;
	store_call_arg(c, head->gateway.b, sizeof(head->gateway.b));
	store_call_arg_int(c, head->complete);
	store_call_arg(c, items.data, items.len);
	buf_fini(&items);
	store_call_send(c);
}

static void
parse_beat(struct store_call *c, const redisReply *r)
{
	if (is_integer(r)) {
		c->fn.done(c->arg, r->integer == 1 ? ERR_OK : ERR_NOT_FOUND);
		return;
	}
	note_bad(c, r);
	c->fn.done(c->arg, ERR_UNAVAILABLE);
}

void
store_beat(struct store *s, const struct uuid *gateway, store_done_fn *fn,
    void *arg)
{
	struct store_call *c = store_call_new(s, &script_beat, parse_beat, arg);

	c->fn.done = fn;
	store_call_arg(c, gateway->b, sizeof(gateway->b));
	store_call_send(c);
}

static void
parse_who(struct store_call *c, const redisReply *r)
{
	if (r != NULL && r->type == REDIS_REPLY_STRING &&
	    (size_t)r->len == c->n) {
		c->fn.who(c->arg, ERR_OK, r->str);
		return;
	}
	note_bad(c, r);
	c->fn.who(c->arg, ERR_UNAVAILABLE, NULL);
}

void
store_who(struct store *s, const struct uuid *users, size_t n,
    store_who_fn *fn, void *arg)
{
	struct store_call *c = store_call_new(s, &script_who, parse_who, arg);

	c->fn.who = fn;
	c->n = n;
	store_call_arg(c, users, n * sizeof(*users));
	store_call_send(c);
}

/* ---- the regular work ---------------------------------------------------- */

static void
parse_tick(struct store_call *c, const redisReply *r)
{
	long long v[TICK_FIELDS];
	struct store_tick t;

	if (!read_integers(r, v, TICK_FIELDS)) {
		note_bad(c, r);
		c->fn.tick(c->arg, ERR_UNAVAILABLE, NULL);
		return;
	}
	t.now_ms = v[0];
	t.epoch_ms = v[1];
	t.version = (uint64_t)v[2];
	t.noted = (uint64_t)v[3];
	t.online = (uint64_t)v[4];
	t.gateways = (uint64_t)v[5];
	t.reports = (uint64_t)v[6];
	t.due = (uint64_t)v[7];
	t.dying = (uint64_t)v[8];
	store_saw_version(c->store, t.version);
	c->fn.tick(c->arg, ERR_OK, &t);
}

void
store_tick(struct store *s, int64_t report_ms, store_tick_fn *fn, void *arg)
{
	struct store_call *c = store_call_new(s, &script_tick, parse_tick, arg);

	c->fn.tick = fn;
	store_call_arg_int(c, STORE_CLOSED_KEPT_MS);
	store_call_arg_int(c, report_ms);
	store_call_send(c);
}

static void
parse_swept(struct store_call *c, const redisReply *r)
{
	long long v[SWEPT_FIELDS];
	struct store_swept w;

	if (!read_integers(r, v, SWEPT_FIELDS)) {
		note_bad(c, r);
		c->fn.swept(c->arg, ERR_UNAVAILABLE, NULL);
		return;
	}
	w.gateways = (unsigned)v[0];
	w.sessions = (unsigned)v[1];
	w.transitions = (unsigned)v[2];
	w.more = v[3] != 0;
	c->fn.swept(c->arg, ERR_OK, &w);
}

void
store_expire(struct store *s, int64_t cutoff_ms, int64_t judged_ms,
    store_swept_fn *fn, void *arg)
{
	struct store_call *c = store_call_new(s, &script_expire, parse_swept,
	    arg);

	c->fn.swept = fn;
	store_call_arg_int(c, cutoff_ms);
	store_call_arg_int(c, judged_ms);
	store_call_send(c);
}

void
store_due(struct store *s, int64_t cutoff_ms, store_swept_fn *fn, void *arg)
{
	struct store_call *c = store_call_new(s, &script_due, parse_swept, arg);

	c->fn.swept = fn;
	store_call_arg_int(c, cutoff_ms);
	store_call_send(c);
}

/* ---- reports ------------------------------------------------------------- */

/* "1;1770000000000;1770000000000000": online, at, version */
static bool
read_report(const redisReply *user, const redisReply *value,
    struct presence_change *p)
{
	int online;
	int end = 0;

	if (!read_uuid(user, &p->user) || value->type != REDIS_REPLY_STRING ||
	    sscanf(value->str, "%1d;%" SCNd64 ";%" SCNu64 "%n", &online,
	    &p->at_ms, &p->version, &end) != 3 || value->str[end] != '\0' ||
	    p->at_ms < 0 || p->at_ms > PRESENCE_AT_MAX_MS ||
	    p->version > INT64_MAX) {
		return false;
	}
	p->online = online != 0;
	return true;
}

static void
parse_claim(struct store_call *c, const redisReply *r)
{
	struct presence_change reports[STORE_REPORTS_MAX];
	size_t n = 0;

	if (r == NULL || r->type != REDIS_REPLY_ARRAY ||
	    r->elements > 2 * STORE_REPORTS_MAX || r->elements % 2 != 0) {
		note_bad(c, r);
		c->fn.claim(c->arg, ERR_UNAVAILABLE, NULL, 0);
		return;
	}
	for (size_t i = 0; i < r->elements; i += 2) {
		if (read_report(r->element[i], r->element[i + 1],
		    &reports[n])) {
			store_saw_version(c->store, reports[n].version);
			n++;
		} else {
			note_bad(c, r);
		}
	}
	c->fn.claim(c->arg, ERR_OK, reports, n);
}

void
store_claim(struct store *s, int64_t claim_ms, store_claim_fn *fn, void *arg)
{
	struct store_call *c = store_call_new(s, &script_claim, parse_claim,
	    arg);

	c->fn.claim = fn;
	store_call_arg_int(c, STORE_REPORTS_MAX);
	store_call_arg_int(c, claim_ms);
	store_call_send(c);
}

static void
parse_ack(struct store_call *c, const redisReply *r)
{
	if (is_integer(r)) {
		c->fn.ack(c->arg, ERR_OK, (unsigned)r->integer);
		return;
	}
	note_bad(c, r);
	c->fn.ack(c->arg, ERR_UNAVAILABLE, 0);
}

void
store_ack(struct store *s, const struct presence_change *reports, size_t n,
    store_ack_fn *fn, void *arg)
{
	struct store_call *c = store_call_new(s, &script_ack, parse_ack, arg);

	c->fn.ack = fn;
	for (size_t i = 0; i < n; i++) {
		store_call_arg(c, reports[i].user.b, sizeof(reports[i].user.b));
		store_call_arg_int(c, (int64_t)reports[i].version);
	}
	store_call_send(c);
}

/* ---- memory -------------------------------------------------------------- */

static bool
read_scan(const redisReply *r, struct store_seen *seen, size_t *n_r,
    uint64_t *cursor_r)
{
	const redisReply *users;

	if (r == NULL || r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
	    r->element[0]->type != REDIS_REPLY_STRING ||
	    r->element[1]->type != REDIS_REPLY_ARRAY ||
	    r->element[1]->elements > SEEN_MAX) {
		return false;
	}
	users = r->element[1];
	*cursor_r = strtoull(r->element[0]->str, NULL, 10);
	*n_r = users->elements;
	for (size_t i = 0; i < users->elements; i++) {
		seen[i].online = true;
		seen[i].number = 0;
		if (!read_uuid(users->element[i], &seen[i].user)) {
			return false;
		}
	}
	return true;
}

static void
parse_scan(struct store_call *c, const redisReply *r)
{
	struct store_seen *seen = mem_alloc(SEEN_MAX * sizeof(*seen));
	uint64_t cursor = 0;
	size_t n = 0;

	if (read_scan(r, seen, &n, &cursor)) {
		c->fn.seen(c->arg, ERR_OK, seen, n, cursor);
	} else {
		note_bad(c, r);
		c->fn.seen(c->arg, ERR_UNAVAILABLE, NULL, 0, 0);
	}
	free(seen);
}

void
store_scan(struct store *s, uint64_t cursor, store_seen_fn *fn, void *arg)
{
	struct store_call *c = store_call_new(s, NULL, parse_scan, arg);

	c->fn.seen = fn;
	store_call_arg_text(c, "SSCAN");
	store_call_arg_text(c, "{presence}:online");
	store_call_arg_int(c, (int64_t)cursor);
	store_call_arg_text(c, "COUNT");
	store_call_arg_text(c, SCAN_COUNT);
	store_call_send(c);
}

/* One entry of the stream: ["<number>-0", [user, "1" or "0"]]. */
static bool
read_entry(const redisReply *e, struct store_seen *seen)
{
	if (e->type != REDIS_REPLY_ARRAY || e->elements != 2 ||
	    e->element[0]->type != REDIS_REPLY_STRING ||
	    e->element[1]->type != REDIS_REPLY_ARRAY ||
	    e->element[1]->elements != 2 ||
	    e->element[1]->element[1]->type != REDIS_REPLY_STRING) {
		return false;
	}
	seen->number = strtoull(e->element[0]->str, NULL, 10);
	seen->online = e->element[1]->element[1]->str[0] == '1';
	return read_uuid(e->element[1]->element[0], &seen->user);
}

static void
parse_log(struct store_call *c, const redisReply *r)
{
	struct store_seen *seen;
	bool good = r != NULL && r->type == REDIS_REPLY_ARRAY;

	if (!good) {
		note_bad(c, r);
		c->fn.seen(c->arg, ERR_UNAVAILABLE, NULL, 0, 0);
		return;
	}
	seen = mem_alloc((r->elements + 1) * sizeof(*seen));
	for (size_t i = 0; good && i < r->elements; i++) {
		good = read_entry(r->element[i], &seen[i]);
	}
	if (good) {
		c->fn.seen(c->arg, ERR_OK, seen, r->elements, 0);
	} else {
		note_bad(c, r);
		c->fn.seen(c->arg, ERR_UNAVAILABLE, NULL, 0, 0);
	}
	free(seen);
}

void
store_log(struct store *s, uint64_t number, store_seen_fn *fn, void *arg)
{
	struct store_call *c = store_call_new(s, NULL, parse_log, arg);
	char from[32];

	c->fn.seen = fn;
	snprintf(from, sizeof(from), "%" PRIu64 "-0", number + 1);
	store_call_arg_text(c, "XRANGE");
	store_call_arg_text(c, "{presence}:log");
	store_call_arg_text(c, from);
	store_call_arg_text(c, "+");
	store_call_arg_text(c, "COUNT");
	store_call_arg_text(c, LOG_COUNT);
	store_call_send(c);
}

void
store_settle(struct store *s, const struct store_lost *lost, size_t n,
    store_change_fn *fn, void *arg)
{
	struct store_call *c = store_call_new(s, &script_settle, parse_change,
	    arg);

	c->fn.change = fn;
	for (size_t i = 0; i < n; i++) {
		store_call_arg(c, lost[i].user.b, sizeof(lost[i].user.b));
		store_call_arg_int(c, lost[i].at_ms);
	}
	store_call_send(c);
}
