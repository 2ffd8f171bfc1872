/*
 * A map to the entries and a list of those that nobody holds. Each entry that
 * is made takes up to LOOKS old ones that owe nothing with it, so that the table
 * shrinks again without a timer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/rate_table.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/map.h"
#include "common/mem.h"

#define LOOKS 8

struct rate_table {
	struct map entries;  /* owns them */
	struct list free;    /* held by nobody, least recently used first */
	size_t free_len;
	size_t max;
	size_t entry_size;
	uint64_t forgotten;
	unsigned char secret[crypto_shorthash_siphashx24_KEYBYTES];
};

struct rate_table *
rate_table_new(size_t max, size_t entry_size)
{
	struct rate_table *t = mem_zalloc(sizeof(*t));

	assert(entry_size >= sizeof(struct rate_entry));
	map_init(&t->entries);
	list_init(&t->free);
	t->max = max;
	t->entry_size = entry_size;
	randombytes_buf(t->secret, sizeof(t->secret));
	return t;
}

void
rate_table_free(struct rate_table **tp)
{
	struct rate_table *t = *tp;
	struct rate_entry *e;
	size_t cursor = 0;

	if (t == NULL) {
		return;
	}
	*tp = NULL;
	while ((e = map_next(&t->entries, &cursor, NULL)) != NULL) {
		free(e);
	}
	map_fini(&t->entries);
	sodium_memzero(t->secret, sizeof(t->secret));
	free(t);
}

struct uuid
rate_table_key(const struct rate_table *t, const void *a, size_t a_len,
    const void *b, size_t b_len)
{
	unsigned char text[256];
	struct uuid key;

	_Static_assert(sizeof(key.b) == crypto_shorthash_siphashx24_BYTES,
	    "a key is one hash");
	/* The length between the two: "ab" and "c" is not "a" and "bc". */
	assert(a_len + b_len + 1 <= sizeof(text) && a_len <= 255);
	text[0] = (unsigned char)a_len;
	if (a_len > 0) {
		memcpy(text + 1, a, a_len);
	}
	if (b_len > 0) {
		memcpy(text + 1 + a_len, b, b_len);
	}
	crypto_shorthash_siphashx24(key.b, text, 1 + a_len + b_len, t->secret);
	return key;
}

static bool
owes_nothing(const struct rate_entry *e, uint64_t now)
{
	for (size_t i = 0; i < RATE_BUCKETS; i++) {
		if (!rate_idle(e->buckets[i], now)) {
			return false;
		}
	}
	return true;
}

static void
drop(struct rate_table *t, struct rate_entry *e)
{
	list_del(&e->link);
	t->free_len--;
	map_del(&t->entries, &e->key);
	free(e);
}

/* Forgets what owes nothing, among the oldest; then whatever is too much to add
 * `more`. */
static void
make_room(struct rate_table *t, size_t more)
{
	uint64_t now = rate_now();
	int looks = LOOKS;

	LIST_FOREACH_SAFE(link, next, &t->free) {
		struct rate_entry *e = LIST_ENTRY(link, struct rate_entry,
		    link);

		if (looks-- == 0) {
			break;
		}
		if (owes_nothing(e, now)) {
			drop(t, e);
		}
	}
	while (t->free_len > 0 && t->free_len + more > t->max) {
		t->forgotten++;
		drop(t, LIST_ENTRY(t->free.next, struct rate_entry, link));
	}
}

struct rate_entry *
rate_table_get(struct rate_table *t, const struct uuid *key)
{
	struct rate_entry *e = map_get(&t->entries, key);

	if (e != NULL) {
		if (e->holds == 0) {
			list_del(&e->link);
			list_push_back(&t->free, &e->link);
		}
		return e;
	}
	make_room(t, 1);
	e = mem_zalloc(t->entry_size);
	e->key = *key;
	list_push_back(&t->free, &e->link);
	t->free_len++;
	map_put(&t->entries, key, e);
	return e;
}

struct rate_entry *
rate_table_find(const struct rate_table *t, const struct uuid *key)
{
	return map_get(&t->entries, key);
}

void
rate_table_hold(struct rate_table *t, struct rate_entry *e)
{
	if (e->holds++ == 0) {
		list_del(&e->link);
		t->free_len--;
	}
}

void
rate_table_release(struct rate_table *t, struct rate_entry *e)
{
	assert(e->holds > 0);
	if (--e->holds > 0) {
		return;
	}
	list_push_back(&t->free, &e->link);
	t->free_len++;
	make_room(t, 0);
}

size_t
rate_table_len(const struct rate_table *t)
{
	return t->entries.len;
}

uint64_t
rate_table_forgotten(const struct rate_table *t)
{
	return t->forgotten;
}
