/*
 * Names are counted in lower case, as the database compares them; only ASCII
 * has to be folded, since names have nothing else. One that can be no name is
 * counted as it stands, up to NAME_MAX_BYTES.
 *
 * What is familiar is a bucket as well, full again when it is to be forgotten:
 * so its table keeps it as long as it counts, and the oldest goes when it is
 * full.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/login_guard.h"

#include <stdlib.h>

#include "chatd/settings.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/rate_table.h"

/* Entries of 150 bytes or so. */
#define PAIRS_MAX 65536
#define NAMES_MAX 65536
#define FAMILIAR_MAX 131072
#define NAME_MAX_BYTES 128

struct login_guard {
	struct rate_table *pairs;    /* name and address */
	struct rate_table *names;
	struct rate_table *familiar; /* name and address */
	struct metric *m_pair;
	struct metric *m_name;
};

/* ---- keys ---------------------------------------------------------------- */

static size_t
fold(struct text name, char out[NAME_MAX_BYTES])
{
	size_t len = name.len < NAME_MAX_BYTES ? name.len : NAME_MAX_BYTES;

	for (size_t i = 0; i < len; i++) {
		char c = name.p[i];

		out[i] = (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
	}
	return len;
}

/* The pair's key serves two tables. */
static void
make_keys(const struct login_guard *g, struct text name,
    const struct uuid *address, struct login_try *t)
{
	char folded[NAME_MAX_BYTES];
	size_t len = fold(name, folded);

	t->name = rate_table_key(g->names, folded, len, NULL, 0);
	t->pair = rate_table_key(g->pairs, folded, len, address->b,
	    sizeof(address->b));
}

static bool
is_familiar(const struct login_guard *g, const struct uuid *pair)
{
	const struct rate_entry *e = rate_table_find(g->familiar, pair);

	return e != NULL && !rate_idle(e->buckets[0], rate_now());
}

static void
make_familiar(struct login_guard *g, const struct uuid *pair)
{
	if (settings.login_familiar > 0) {
		rate_table_get(g->familiar, pair)->buckets[0] = rate_now() +
		    (uint64_t)settings.login_familiar * 1000000;
	}
}

/* ---- tries --------------------------------------------------------------- */

static rate_bucket *
bucket_of(struct rate_table *t, const struct uuid *key)
{
	return &rate_table_get(t, key)->buckets[0];
}

int64_t
login_guard_begin(struct login_guard *g, struct text name,
    const struct uuid *address, struct login_try *try_r)
{
	uint64_t now = rate_now();
	uint64_t wait;

	make_keys(g, name, address, try_r);
	try_r->familiar = is_familiar(g, &try_r->pair);
	wait = rate_take(&settings.rate_login_failures,
	    bucket_of(g->pairs, &try_r->pair), now, 1);
	if (wait > 0) {
		metric_inc(g->m_pair);
		return rate_wait_ms(wait);
	}
	if (try_r->familiar) {
		return 0;
	}
	wait = rate_take(&settings.rate_login_failures_name,
	    bucket_of(g->names, &try_r->name), now, 1);
	if (wait > 0) {
		metric_inc(g->m_name);
		rate_give_back(&settings.rate_login_failures,
		    bucket_of(g->pairs, &try_r->pair), 1);
	}
	return rate_wait_ms(wait);
}

void
login_guard_end(struct login_guard *g, const struct login_try *t,
    enum login_outcome outcome)
{
	if (outcome == LOGIN_WRONG) {
		return;
	}
	rate_give_back(&settings.rate_login_failures,
	    bucket_of(g->pairs, &t->pair), 1);
	if (!t->familiar) {
		rate_give_back(&settings.rate_login_failures_name,
		    bucket_of(g->names, &t->name), 1);
	}
	if (outcome == LOGIN_RIGHT) {
		make_familiar(g, &t->pair);
	}
}

void
login_guard_made(struct login_guard *g, struct text name,
    const struct uuid *address)
{
	struct login_try t;

	make_keys(g, name, address, &t);
	make_familiar(g, &t.pair);
}

/* ---- life ---------------------------------------------------------------- */

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

static struct rate_table *
table_new(size_t max, const char *labels)
{
	struct rate_table *t =
	    rate_table_new(max, sizeof(struct rate_entry));

	metric_gauge_fn("parley_login_entries", labels,
	    "Names and addresses whose logins are remembered.", table_len, t);
	metric_counter_fn("parley_login_forgotten_total", labels,
	    "Of these: given up for want of room before their time.",
	    table_forgotten, t);
	return t;
}

struct login_guard *
login_guard_new(void)
{
	static const char name[] = "parley_login_limited_total";
	static const char help[] =
	    "Logins refused because of failed ones before them, by rule.";
	struct login_guard *g = mem_zalloc(sizeof(*g));

	g->pairs = table_new(PAIRS_MAX, "table=\"pairs\"");
	g->names = table_new(NAMES_MAX, "table=\"names\"");
	g->familiar = table_new(FAMILIAR_MAX, "table=\"familiar\"");
	g->m_pair = metric_counter(name, "rule=\"name_and_address\"", help);
	g->m_name = metric_counter(name, "rule=\"name\"", help);
	return g;
}

void
login_guard_free(struct login_guard **gp)
{
	struct login_guard *g = *gp;

	if (g == NULL) {
		return;
	}
	*gp = NULL;
	rate_table_free(&g->pairs);
	rate_table_free(&g->names);
	rate_table_free(&g->familiar);
	free(g);
}
