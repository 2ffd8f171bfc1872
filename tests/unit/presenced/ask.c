/*
 * See ask.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "unit/presenced/ask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WITHIN_MS 5000

static struct {
	bool done;
	enum err e;
	unsigned n;
	char mark;
	struct store_tick tick;
	struct store_swept swept;
	struct ask_reports reports;
	struct store_seen last;
	uint64_t cursor;
} got;

struct store *
ask_open(int64_t lease_ms, int64_t grace_ms)
{
	const struct store_conf conf = { .redis_url = REDIS_URL,
		.lease_ms = lease_ms, .grace_ms = grace_ms };
	struct store *s = store_new(&loop, &conf);

	assert_non_null(s);
	TURN_UNTIL(store_ready(s), WITHIN_MS);
	return s;
}

static void
expect(void)
{
	memset(&got, 0, sizeof(got));
}

static void
await(void)
{
	TURN_UNTIL(got.done, WITHIN_MS);
}

static void
on_change(void *arg, enum err e, unsigned transitions)
{
	(void)arg;
	got.done = true;
	got.e = e;
	got.n = transitions;
}

unsigned
ask_change(struct store *s, struct uuid gateway, enum session_op op,
    struct uuid user, struct uuid session)
{
	const struct session_head head = { .gateway = gateway };
	const struct store_change c = { { op, user, session }, false };

	expect();
	store_change(s, &head, &c, 1, on_change, NULL);
	await();
	assert_int_equal(got.e, ERR_OK);
	return got.n;
}

unsigned
ask_register(struct store *s, struct uuid gateway, unsigned first, unsigned n,
    bool known)
{
	const struct session_head head = { gateway, true };
	struct store_change *changes = calloc(n + 1, sizeof(*changes));

	for (unsigned i = 0; i < n; i++) {
		changes[i].change.op = SESSION_UP;
		changes[i].change.user = id_of('u', first + i);
		changes[i].change.session = id_of('s', first + i);
		changes[i].known_online = known;
	}
	expect();
	store_change(s, &head, changes, n, on_change, NULL);
	free(changes);
	await();
	assert_int_equal(got.e, ERR_OK);
	return got.n;
}

static void
on_done(void *arg, enum err e)
{
	(void)arg;
	got.done = true;
	got.e = e;
}

enum err
ask_beat(struct store *s, struct uuid gateway)
{
	expect();
	store_beat(s, &gateway, on_done, NULL);
	await();
	return got.e;
}

static void
on_who(void *arg, enum err e, const char *marks)
{
	(void)arg;
	assert_int_equal(e, ERR_OK);
	got.done = true;
	got.mark = marks[0];
}

char
ask_who(struct store *s, struct uuid user)
{
	expect();
	store_who(s, &user, 1, on_who, NULL);
	await();
	return got.mark;
}

bool
ask_online(struct store *s, struct uuid user)
{
	return ask_who(s, user) == STORE_ONLINE;
}

static void
on_tick(void *arg, enum err e, const struct store_tick *t)
{
	(void)arg;
	assert_int_equal(e, ERR_OK);
	got.done = true;
	got.tick = *t;
}

struct store_tick
ask_tick(struct store *s)
{
	expect();
	store_tick(s, 5000, on_tick, NULL);
	await();
	return got.tick;
}

static void
on_swept(void *arg, enum err e, const struct store_swept *w)
{
	(void)arg;
	assert_int_equal(e, ERR_OK);
	got.done = true;
	got.swept = *w;
}

static void
add_swept(struct store_swept *sum)
{
	await();
	sum->gateways += got.swept.gateways;
	sum->sessions += got.swept.sessions;
	sum->transitions += got.swept.transitions;
}

struct store_swept
ask_expire(struct store *s, int64_t cutoff_ms)
{
	int64_t judged = ask_tick(s).now_ms;
	struct store_swept sum = { 0 };

	do {
		expect();
		store_expire(s, cutoff_ms, judged, on_swept, NULL);
		add_swept(&sum);
	} while (got.swept.more);
	return sum;
}

struct store_swept
ask_due(struct store *s, int64_t cutoff_ms)
{
	struct store_swept sum = { 0 };

	do {
		expect();
		store_due(s, cutoff_ms, on_swept, NULL);
		add_swept(&sum);
	} while (got.swept.more);
	return sum;
}

unsigned
ask_settle(struct store *s, struct uuid user, int64_t at_ms)
{
	const struct store_lost lost = { user, at_ms };

	expect();
	store_settle(s, &lost, 1, on_change, NULL);
	await();
	assert_int_equal(got.e, ERR_OK);
	return got.n;
}

static void
on_claim(void *arg, enum err e, const struct presence_change *reports, size_t n)
{
	(void)arg;
	assert_int_equal(e, ERR_OK);
	got.done = true;
	got.reports.n = n;
	memcpy(got.reports.at, reports, n * sizeof(*reports));
}

struct ask_reports
ask_claim(struct store *s, int64_t claim_ms)
{
	expect();
	store_claim(s, claim_ms, on_claim, NULL);
	await();
	return got.reports;
}

unsigned
ask_ack(struct store *s, const struct ask_reports *reports)
{
	expect();
	store_ack(s, reports->at, reports->n, on_change, NULL);
	await();
	assert_int_equal(got.e, ERR_OK);
	return got.n;
}

struct presence_change
ask_report(struct store *s, struct uuid user)
{
	struct ask_reports r = ask_claim(s, 5000);

	assert_int_equal(r.n, 1);
	assert_true(uuid_eq(&r.at[0].user, &user));
	assert_int_equal(ask_ack(s, &r), 0);
	return r.at[0];
}

static void
on_seen(void *arg, enum err e, const struct store_seen *seen, size_t n,
    uint64_t cursor)
{
	(void)arg;
	assert_int_equal(e, ERR_OK);
	got.done = true;
	got.n = (unsigned)n;
	got.cursor = cursor;
	if (n > 0) {
		got.last = seen[n - 1];
	}
}

size_t
ask_scan(struct store *s)
{
	uint64_t cursor = 0;
	size_t n = 0;

	do {
		expect();
		store_scan(s, cursor, on_seen, NULL);
		await();
		n += got.n;
		cursor = got.cursor;
	} while (cursor != 0);
	return n;
}

size_t
ask_log(struct store *s, uint64_t number, struct store_seen *last_r)
{
	expect();
	store_log(s, number, on_seen, NULL);
	await();
	*last_r = got.last;
	return got.n;
}
