/*
 * A hash map from a uuid to a pointer (open addressing, linear probing,
 * backward-shift deletion; load at most 3/4). Keys are copied, values borrowed.
 * Not thread safe. Changing the map while a cursor walks it is not allowed,
 * except map_del of the entry the cursor just gave when the walk then restarts.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_MAP_H
#define COMMON_MAP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/uuid.h"

struct map_slot;

struct map {
	struct map_slot *slots; /* owned */
	size_t len;
	size_t cap; /* 0 or a power of two */
};

void map_init(struct map *m);
void map_fini(struct map *m);
/* NULL when absent. */
void *map_get(const struct map *m, const struct uuid *key);
/* Adds or replaces; returns the value that was there before, or NULL. */
void *map_put(struct map *m, const struct uuid *key, void *value);
/* Removes; returns the value that was there, or NULL. */
void *map_del(struct map *m, const struct uuid *key);
/* Walks all entries: start with *cursor = 0; NULL at the end. `key_r` may be
 * NULL. */
void *map_next(const struct map *m, size_t *cursor, struct uuid *key_r);

#endif
