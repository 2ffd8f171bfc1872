/*
 * rate_table: buckets by key (a user, an address, a name at an address), in
 * bounded memory.
 *
 * An entry that somebody holds (rate_table_hold) stays. All others are kept in
 * the order of their last use, `max` of them at most. The rule at the bound:
 * one whose buckets owe nothing goes first, looked for among the oldest; if
 * there is none, the oldest goes, and is counted as forgotten. So a flood of
 * keys costs no memory and shuts nobody out; what it gains is that the oldest
 * of `max` debts is forgiven.
 *
 * Main thread. Time as in rate.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_RATE_TABLE_H
#define COMMON_RATE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/list.h"
#include "common/rate.h"
#include "common/uuid.h"

#define RATE_BUCKETS 8

/* The first member of whatever a table keeps; zeroed when it is made. */
struct rate_entry {
	struct list link;   /* by last use; of one that is held: none */
	struct uuid key;
	unsigned holds;
	rate_bucket buckets[RATE_BUCKETS];
};

struct rate_table;

/* `entry_size` is that of the struct whose first member is a rate_entry. */
struct rate_table *rate_table_new(size_t max, size_t entry_size);
/* NULL is fine. Entries that are held go as well. */
void rate_table_free(struct rate_table **t);

/* A key made from up to two texts by a keyed hash: nobody outside can choose
 * keys that meet. The same texts give the same key in this table only. */
struct uuid rate_table_key(const struct rate_table *t, const void *a,
    size_t a_len, const void *b, size_t b_len);

/* The entry, made if there is none. Valid until the next _get or _release of
 * this table, unless it is held. */
struct rate_entry *rate_table_get(struct rate_table *t,
    const struct uuid *key);
/* NULL: none. Not a use. */
struct rate_entry *rate_table_find(const struct rate_table *t,
    const struct uuid *key);
void rate_table_hold(struct rate_table *t, struct rate_entry *e);
/* One _release for each _hold. */
void rate_table_release(struct rate_table *t, struct rate_entry *e);

size_t rate_table_len(const struct rate_table *t);
/* How many were given up though they owed something. */
uint64_t rate_table_forgotten(const struct rate_table *t);

#endif
