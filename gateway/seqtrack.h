/*
 * seqtrack: which messages of one chat were written to one session. Everything
 * at or below the frontier was; above it a few ranges were, with holes between
 * them that live events have not filled yet. It decides what an arriving
 * message is: new, a repeat, or one that a fault has delayed.
 *
 *   1 2 3 4 5 [6 7] - [9] - - [12 13]
 *           ^frontier      holes: 8, 10, 11
 *
 * Pure: no I/O, no clock. Not thread safe.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_SEQTRACK_H
#define GATEWAY_SEQTRACK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

/* Enough for a sender whose answers overtake what the others say. */
#define SEQTRACK_RANGES_MAX 64

struct seq_range {
	uint64_t from;
	uint64_t to;
};

struct seqtrack {
	uint64_t frontier;        /* all at or below was written */
	uint64_t live;            /* highest that is not merely an own answer */
	struct seq_range *ranges; /* owned; above the frontier, ascending */
	uint8_t len;
	uint8_t cap;
};

/* Where a message comes from. */
enum seq_source {
	SEQ_FROM_LIVE,     /* an event of the bus: order counts */
	SEQ_FROM_ANSWER,   /* the answer to the session's own send: it may
	                    * overtake what others sent before */
	SEQ_FROM_CATCH_UP, /* asked of chatd; says so itself */
};

enum seq_verdict {
	SEQ_NEW,  /* write it */
	SEQ_LATE, /* write it, marked: a later one was written before it */
	SEQ_DUP,  /* was written already */
	SEQ_FULL, /* too many holes to remember one more; nothing was marked */
};

void seqtrack_init(struct seqtrack *t, uint64_t base);
void seqtrack_fini(struct seqtrack *t);

/* Marks `seq` as written unless the verdict says otherwise. */
MUST_CHECK enum seq_verdict seqtrack_mark(struct seqtrack *t, uint64_t seq,
    enum seq_source source);
bool seqtrack_has_hole(const struct seqtrack *t);
/* How many more holes it can remember. */
unsigned seqtrack_room(const struct seqtrack *t);
/* The highest message that was written. */
uint64_t seqtrack_top(const struct seqtrack *t);
/* chatd has told all there is up to `upto`: holes below it that are still open
 * will never be filled and are forgotten. */
void seqtrack_settle(struct seqtrack *t, uint64_t upto);

#endif
