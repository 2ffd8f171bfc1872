/*
 * Ranges are kept sorted and apart (a gap of at least one between neighbours),
 * in an array that is only allocated while there are holes: nearly all chats of
 * nearly all sessions have none.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/seqtrack.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

void
seqtrack_init(struct seqtrack *t, uint64_t base)
{
	memset(t, 0, sizeof(*t));
	t->frontier = base;
	t->live = base;
}

void
seqtrack_fini(struct seqtrack *t)
{
	free(t->ranges);
	t->ranges = NULL;
	t->len = 0;
	t->cap = 0;
}

static void
ranges_remove(struct seqtrack *t, unsigned at)
{
	memmove(&t->ranges[at], &t->ranges[at + 1],
	    (t->len - at - 1u) * sizeof(t->ranges[0]));
	t->len--;
	if (t->len == 0) {
		seqtrack_fini(t);
	}
}

static bool
ranges_insert(struct seqtrack *t, unsigned at, uint64_t seq)
{
	if (t->len == SEQTRACK_RANGES_MAX) {
		return false;
	}
	if (t->len == t->cap) {
		t->cap = t->cap == 0 ? 2 : (uint8_t)(t->cap * 2);
		t->ranges = mem_realloc(t->ranges,
		    t->cap * sizeof(t->ranges[0]));
	}
	memmove(&t->ranges[at + 1], &t->ranges[at],
	    (t->len - at) * sizeof(t->ranges[0]));
	t->ranges[at] = (struct seq_range){ seq, seq };
	t->len++;
	return true;
}

/* The first range that ends at or after seq - 1: the one that holds seq, can
 * grow to it, or stands behind it. */
static unsigned
ranges_find(const struct seqtrack *t, uint64_t seq)
{
	unsigned i = 0;

	while (i < t->len && t->ranges[i].to + 1 < seq) {
		i++;
	}
	return i;
}

/* The frontier swallows the ranges it has reached. */
static void
absorb(struct seqtrack *t)
{
	while (t->len > 0 && t->ranges[0].from <= t->frontier + 1) {
		if (t->ranges[0].to > t->frontier) {
			t->frontier = t->ranges[0].to;
		}
		ranges_remove(t, 0);
	}
}

/* Adds seq, which lies above the frontier and in no range. */
static bool
add(struct seqtrack *t, unsigned at, uint64_t seq)
{
	struct seq_range *r;

	if (seq == t->frontier + 1) {
		t->frontier = seq;
		absorb(t);
		return true;
	}
	r = at < t->len ? &t->ranges[at] : NULL;
	if (r != NULL && r->to + 1 == seq) {
		r->to = seq;
		if (at + 1 < t->len && t->ranges[at + 1].from == seq + 1) {
			r->to = t->ranges[at + 1].to;
			ranges_remove(t, at + 1);
		}
		return true;
	}
	if (r != NULL && r->from == seq + 1) {
		r->from = seq;
		return true;
	}
	return ranges_insert(t, at, seq);
}

enum seq_verdict
seqtrack_mark(struct seqtrack *t, uint64_t seq, enum seq_source source)
{
	enum seq_verdict verdict = SEQ_NEW;
	unsigned at;

	if (seq <= t->frontier) {
		return SEQ_DUP;
	}
	at = ranges_find(t, seq);
	if (at < t->len && t->ranges[at].from <= seq &&
	    seq <= t->ranges[at].to) {
		return SEQ_DUP;
	}
	if (!add(t, at, seq)) {
		return SEQ_FULL;
	}
	if (source == SEQ_FROM_LIVE && seq < t->live) {
		verdict = SEQ_LATE;
	}
	if (source != SEQ_FROM_ANSWER && seq > t->live) {
		t->live = seq;
	}
	return verdict;
}

bool
seqtrack_has_hole(const struct seqtrack *t)
{
	return t->len > 0;
}

unsigned
seqtrack_room(const struct seqtrack *t)
{
	return SEQTRACK_RANGES_MAX - t->len;
}

uint64_t
seqtrack_top(const struct seqtrack *t)
{
	return t->len > 0 ? t->ranges[t->len - 1].to : t->frontier;
}

void
seqtrack_settle(struct seqtrack *t, uint64_t upto)
{
	while (t->len > 0 && t->ranges[0].from <= upto + 1) {
		t->frontier = t->ranges[0].to;
		ranges_remove(t, 0);
		absorb(t);
	}
}
