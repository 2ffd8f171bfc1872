/*
 * UUIDs: making, reading, writing, hashing. Random bits come from the system
 * through libsodium, a pool at a time, because a system call for each id would
 * cost more than all the rest of making it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/uuid.h"

#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

#define POOL_LEN 256
#define COUNTER_MAX 0xfff

static pthread_once_t seed_once = PTHREAD_ONCE_INIT;
static uint8_t hash_key[crypto_shorthash_KEYBYTES];

static void
seed(void)
{
	if (sodium_init() < 0) {
		log_error("random_failed",
		    "cause=\"the system gives no random numbers\"");
		abort();
	}
	randombytes_buf(hash_key, sizeof(hash_key));
}

static void
random_bytes(uint8_t *out, size_t len)
{
	static _Thread_local uint8_t pool[POOL_LEN];
	static _Thread_local size_t left;

	if (left < len) {
		pthread_once(&seed_once, seed);
		randombytes_buf(pool, sizeof(pool));
		left = sizeof(pool);
	}
	left -= len;
	memcpy(out, pool + left, len);
}

static void
set_version(struct uuid *id, unsigned version)
{
	id->b[6] = (uint8_t)((id->b[6] & 0x0f) | version << 4);
	id->b[8] = (uint8_t)((id->b[8] & 0x3f) | 0x80);
}

struct uuid
uuid_v7(void)
{
	static uint64_t last_ms;
	static unsigned counter;
	uint64_t now = (uint64_t)clock_unix_ms();
	struct uuid id;

	random_bytes(id.b, sizeof(id.b));
	if (now > last_ms) {
		/* The counter begins in its lower half, at random: room to
		 * count, and processes of one millisecond mix. */
		last_ms = now;
		counter = (id.b[6] << 8 | id.b[7]) & (COUNTER_MAX >> 1);
	} else if (++counter > COUNTER_MAX) {
		/* Full, or the clock went back: borrow from the next one. */
		last_ms++;
		counter = 0;
	}
	for (int i = 0; i < 6; i++) {
		id.b[i] = (uint8_t)(last_ms >> (40 - 8 * i));
	}
	id.b[6] = (uint8_t)(counter >> 8);
	id.b[7] = (uint8_t)counter;
	set_version(&id, 7);
	return id;
}

struct uuid
uuid_v4(void)
{
	struct uuid id;

	random_bytes(id.b, sizeof(id.b));
	set_version(&id, 4);
	return id;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Whether a dash stands before byte i of the text form. */
static bool
dash_before(size_t i)
{
	return i == 4 || i == 6 || i == 8 || i == 10;
}

bool
uuid_parse(const char *text, size_t len, struct uuid *id_r)
{
	const char *p = text;

	if (text == NULL || len != UUID_TEXT_LEN) {
		return false;
	}
	for (size_t i = 0; i < sizeof(id_r->b); i++) {
		int high, low;

		if (dash_before(i) && *p++ != '-') {
			return false;
		}
		high = hex_value(*p++);
		low = hex_value(*p++);
		if (high < 0 || low < 0) {
			return false;
		}
		id_r->b[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

char *
uuid_format(const struct uuid *id, char text[UUID_TEXT_LEN + 1])
{
	static const char digits[] = "0123456789abcdef";
	char *p = text;

	for (size_t i = 0; i < sizeof(id->b); i++) {
		if (dash_before(i)) {
			*p++ = '-';
		}
		*p++ = digits[id->b[i] >> 4];
		*p++ = digits[id->b[i] & 0x0f];
	}
	*p = '\0';
	return text;
}

bool
uuid_is_nil(const struct uuid *id)
{
	static const struct uuid nil;

	return uuid_eq(id, &nil);
}

bool
uuid_eq(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

int
uuid_cmp(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

static int
compare(const void *a, const void *b)
{
	return uuid_cmp(a, b);
}

size_t
uuid_distinct(struct uuid *ids, size_t n)
{
	size_t kept = 0;

	if (n > 0) {
		qsort(ids, n, sizeof(*ids), compare);
	}
	for (size_t i = 0; i < n; i++) {
		if (kept == 0 || !uuid_eq(&ids[kept - 1], &ids[i])) {
			ids[kept++] = ids[i];
		}
	}
	return kept;
}

uint64_t
uuid_hash(const struct uuid *id)
{
	uint64_t hash;

	_Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "64-bit hash");
	pthread_once(&seed_once, seed);
	crypto_shorthash((uint8_t *)&hash, id->b, sizeof(id->b), hash_key);
	return hash;
}
