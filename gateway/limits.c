/*
 * The summary names the address last refused, as a place to begin looking;
 * which others there were, the counters cannot tell either.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/limits.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "common/buf.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "gateway/gateway.h"
#include "gateway/settings.h"

/* Entries that nobody holds: 10 MB each at most. */
#define USERS_MAX 65536
#define CALLERS_MAX 65536
#define SUMMARY_MS 10000

#define P "parley_gateway_"

static const char *const user_names[LIMIT_COUNT] = {
	[LIMIT_NONE] = "none",
	[LIMIT_SENDS] = "sends",
	[LIMIT_READS] = "reads",
	[LIMIT_SEARCHES] = "searches",
	[LIMIT_CHANGES] = "changes",
	[LIMIT_TYPING] = "typing",
	[LIMIT_UPLOADS] = "uploads",
	[LIMIT_UPLOAD_BYTES] = "upload_bytes",
};

static const char *const caller_names[CALLER_LIMIT_COUNT] = {
	[CALLER_FRAMES] = "address_frames",
	[CALLER_REQUESTS] = "address_requests",
	[CALLER_CONNECTS] = "address_connects",
	[CALLER_REFUSALS] = "address_refusals",
	[CALLER_REGISTRATIONS] = "address_registrations",
	[CALLER_LOGINS] = "address_logins",
	[CALLER_LOGIN_FAILURES] = "address_login_failures",
};

static const char *const connection_names[REFUSED_CONNECTION_COUNT] = {
	[REFUSED_CONNECTS] = "connects",
	[REFUSED_CONNECTIONS] = "connections",
	[REFUSED_HANDSHAKES] = "handshakes",
	[REFUSED_TOTAL] = "total",
	[REFUSED_PROXY] = "proxy",
};

_Static_assert((int)LIMIT_COUNT <= RATE_BUCKETS &&
    (int)CALLER_LIMIT_COUNT <= RATE_BUCKETS, "raise RATE_BUCKETS");

/* One reason to refuse. */
struct refusal {
	const char *name;
	struct metric *metric;
	uint64_t told;       /* of the metric's value, in the log already */
	uint64_t count;
};

struct limits {
	struct rate_table *users;
	struct rate_table *callers;
	struct refusal by_user[LIMIT_COUNT];
	struct refusal by_caller[CALLER_LIMIT_COUNT];
	struct refusal connections[REFUSED_CONNECTION_COUNT];
	struct address last; /* that was refused; all zero: none known */
	uv_timer_t summary;
};

/* ---- what was refused --------------------------------------------------- */

static void
count(struct refusal *r)
{
	r->count++;
	metric_inc(r->metric);
}

static void
refusals_init(struct refusal *list, const char *const *names, size_t n,
    const char *metric, const char *label, const char *help)
{
	char labels[64];

	for (size_t i = 0; i < n; i++) {
		list[i].name = names[i];
		snprintf(labels, sizeof(labels), "%s=\"%s\"", label, names[i]);
		list[i].metric = metric_counter(metric, labels, help);
	}
}

/* " name=count" for each that grew since the last summary. */
static void
put_news(struct buf *b, const char *prefix, struct refusal *list, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (list[i].count != list[i].told) {
			buf_printf(b, " %s%s=%llu", prefix, list[i].name,
			    (unsigned long long)(list[i].count -
			    list[i].told));
			list[i].told = list[i].count;
		}
	}
}

static void
on_summary(uv_timer_t *timer)
{
	struct limits *l = timer->data;
	char address[ADDRESS_TEXT_LEN + 1];
	struct buf b = BUF_INIT;

	put_news(&b, "", l->by_user, LIMIT_COUNT);
	put_news(&b, "", l->by_caller, CALLER_LIMIT_COUNT);
	put_news(&b, "connections_", l->connections, REFUSED_CONNECTION_COUNT);
	if (b.len > 0) {
		log_warn("limits_reached", "seconds=%d%.*s last_address=%s "
		    "remedy=\"if these are people, raise the rates: see "
		    "docs/operations.md\"", SUMMARY_MS / 1000, (int)b.len,
		    (const char *)b.data,
		    address_format(&l->last, address));
	}
	buf_fini(&b);
}

void
limits_refused(struct limits *l, enum refused_connection why,
    const struct address *a)
{
	count(&l->connections[why]);
	l->last = *a;
}

/* ---- asking ------------------------------------------------------------- */

static int64_t
ask(const struct rate *rate, rate_bucket *bucket, uint64_t n,
    struct refusal *refusal)
{
	uint64_t wait;

	if (rate->count == 0) {
		return 0;
	}
	wait = rate_take(rate, bucket, rate_now(), n);
	if (wait == 0) {
		return 0;
	}
	count(refusal);
	return rate_wait_ms(wait);
}

int64_t
limits_user(struct limits *l, struct rate_entry *user, enum limit kind,
    uint64_t n)
{
	if (kind == LIMIT_NONE) {
		return 0;
	}
	return ask(&settings.user_rates[kind], &user->buckets[kind], n,
	    &l->by_user[kind]);
}

int64_t
limits_user_id(struct limits *l, const struct uuid *user, enum limit kind,
    uint64_t n)
{
	return limits_user(l, rate_table_get(l->users, user), kind, n);
}

int64_t
limits_caller(struct limits *l, struct caller *caller, enum caller_limit kind)
{
	int64_t wait = ask(&settings.caller_rates[kind],
	    &caller->entry.buckets[kind], 1, &l->by_caller[kind]);

	if (wait > 0) {
		memcpy(l->last.b, caller->entry.key.b, sizeof(l->last.b));
	}
	return wait;
}

static struct caller *
caller_get(struct limits *l, const struct address *a)
{
	struct uuid site = address_site(a);

	return CONTAINER_OF(rate_table_get(l->callers, &site), struct caller,
	    entry);
}

int64_t
limits_address(struct limits *l, const struct address *a,
    enum caller_limit kind)
{
	return limits_caller(l, caller_get(l, a), kind);
}

void
limits_address_give_back(struct limits *l, const struct address *a,
    enum caller_limit kind)
{
	rate_give_back(&settings.caller_rates[kind],
	    &caller_get(l, a)->entry.buckets[kind], 1);
}

/* ---- holding ------------------------------------------------------------ */

struct rate_entry *
limits_user_hold(struct limits *l, const struct uuid *user)
{
	struct rate_entry *e = rate_table_get(l->users, user);

	rate_table_hold(l->users, e);
	return e;
}

void
limits_user_release(struct limits *l, struct rate_entry *user)
{
	rate_table_release(l->users, user);
}

struct caller *
limits_caller_hold(struct limits *l, const struct address *a)
{
	struct caller *caller = caller_get(l, a);

	rate_table_hold(l->callers, &caller->entry);
	return caller;
}

void
limits_caller_release(struct limits *l, struct caller *caller)
{
	rate_table_release(l->callers, &caller->entry);
}

/* ---- life --------------------------------------------------------------- */

static double
table_len(void *arg)
{
	return (double)rate_table_len(arg);
}

static double
table_forgotten(void *arg)
{
	return (double)rate_table_forgotten(arg);
}

static void
register_table(struct rate_table *t, const char *labels)
{
	metric_gauge_fn(P "limit_entries", labels,
	    "Users and addresses whose rates are remembered", table_len, t);
	metric_counter_fn(P "limit_forgotten_total", labels,
	    "Of these: given up for want of room before they had paid",
	    table_forgotten, t);
}

struct limits *
limits_new(struct gateway *gw)
{
	struct limits *l = mem_zalloc(sizeof(*l));

	l->users = rate_table_new(USERS_MAX, sizeof(struct rate_entry));
	l->callers = rate_table_new(CALLERS_MAX, sizeof(struct caller));
	register_table(l->users, "table=\"users\"");
	register_table(l->callers, "table=\"addresses\"");
	refusals_init(l->by_user, user_names, LIMIT_COUNT,
	    P "rate_limited_total", "kind", "Refused beyond a rate, by kind");
	refusals_init(l->by_caller, caller_names, CALLER_LIMIT_COUNT,
	    P "rate_limited_total", "kind", "Refused beyond a rate, by kind");
	refusals_init(l->connections, connection_names,
	    REFUSED_CONNECTION_COUNT, P "connections_refused_total", "why",
	    "TCP connections refused, by reason");
	uv_timer_init(gw->loop, &l->summary);
	l->summary.data = l;
	uv_timer_start(&l->summary, on_summary, SUMMARY_MS, SUMMARY_MS);
	return l;
}

static void
on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
limits_free(struct limits **lp)
{
	struct limits *l = *lp;

	if (l == NULL) {
		return;
	}
	*lp = NULL;
	on_summary(&l->summary);
	rate_table_free(&l->users);
	rate_table_free(&l->callers);
	uv_close((uv_handle_t *)&l->summary, on_closed);
}
