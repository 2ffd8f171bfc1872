/*
 * A hash map from a uuid to a pointer. A slot is empty when its value is NULL;
 * its hash is kept so that growing and deleting compute none. Deleting moves
 * the followers back instead of leaving graves, so that a map which lives as
 * long as its process never slows down. It grows and does not shrink.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/map.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/mem.h"

#define MAP_CAP_MIN 16

struct map_slot {
	struct uuid key;
	uint64_t hash;
	void *value; /* borrowed; NULL: empty */
};

void
map_init(struct map *m)
{
	m->slots = NULL;
	m->len = 0;
	m->cap = 0;
}

void
map_fini(struct map *m)
{
	free(m->slots);
	map_init(m);
}

/* The slot that holds the key, or the empty one where it would go. */
static struct map_slot *
find_slot(const struct map *m, const struct uuid *key, uint64_t hash)
{
	size_t i = hash & (m->cap - 1);

	while (m->slots[i].value != NULL) {
		if (m->slots[i].hash == hash &&
		    uuid_eq(&m->slots[i].key, key)) {
			break;
		}
		i = (i + 1) & (m->cap - 1);
	}
	return &m->slots[i];
}

static void
grow(struct map *m)
{
	struct map old = *m;

	m->cap = old.cap > 0 ? old.cap * 2 : MAP_CAP_MIN;
	m->slots = mem_zalloc(m->cap * sizeof(*m->slots));
	for (size_t i = 0; i < old.cap; i++) {
		struct map_slot *slot = &old.slots[i];

		if (slot->value != NULL) {
			*find_slot(m, &slot->key, slot->hash) = *slot;
		}
	}
	free(old.slots);
}

void *
map_get(const struct map *m, const struct uuid *key)
{
	if (m->len == 0) {
		return NULL;
	}
	return find_slot(m, key, uuid_hash(key))->value;
}

void *
map_put(struct map *m, const struct uuid *key, void *value)
{
	uint64_t hash = uuid_hash(key);
	struct map_slot *slot;
	void *before;

	assert(value != NULL);
	if (m->len + 1 > m->cap / 4 * 3) {
		grow(m);
	}
	slot = find_slot(m, key, hash);
	before = slot->value;
	slot->value = value;
	if (before == NULL) {
		slot->key = *key;
		slot->hash = hash;
		m->len++;
	}
	return before;
}

/* Closes the gap at slot i: every follower that may stand nearer to its home
 * moves back. */
static void
shift_back(struct map *m, size_t i)
{
	size_t mask = m->cap - 1;
	size_t next = (i + 1) & mask;

	while (m->slots[next].value != NULL) {
		size_t home = m->slots[next].hash & mask;

		if (((next - home) & mask) >= ((next - i) & mask)) {
			m->slots[i] = m->slots[next];
			i = next;
		}
		next = (next + 1) & mask;
	}
	m->slots[i].value = NULL;
}

void *
map_del(struct map *m, const struct uuid *key)
{
	struct map_slot *slot;
	void *value;

	if (m->len == 0) {
		return NULL;
	}
	slot = find_slot(m, key, uuid_hash(key));
	value = slot->value;
	if (value != NULL) {
		shift_back(m, (size_t)(slot - m->slots));
		m->len--;
	}
	return value;
}

void *
map_next(const struct map *m, size_t *cursor, struct uuid *key_r)
{
	while (*cursor < m->cap) {
		const struct map_slot *slot = &m->slots[(*cursor)++];

		if (slot->value != NULL) {
			if (key_r != NULL) {
				*key_r = slot->key;
			}
			return slot->value;
		}
	}
	return NULL;
}
