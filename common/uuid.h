/*
 * UUIDs as 16 bytes (RFC 9562). Text is lower case; upper case is read.
 *
 * Any thread, except uuid_v7 (it keeps a counter: one thread a process).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_UUID_H
#define COMMON_UUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define UUID_TEXT_LEN 36

struct uuid {
	uint8_t b[16];
};

/* Version 7: unix milliseconds, a counter that keeps order within one process
 * and millisecond (RFC 9562 section 6.2, method 1), random bits. */
struct uuid uuid_v7(void);
/* Version 4: 122 random bits. */
struct uuid uuid_v4(void);

/* Reads exactly 36 characters; false when they are not a UUID. */
MUST_CHECK bool uuid_parse(const char *text, size_t len, struct uuid *id_r);
/* Writes 36 characters and a NUL. Returns `text`. */
char *uuid_format(const struct uuid *id, char text[UUID_TEXT_LEN + 1]);

bool uuid_is_nil(const struct uuid *id);
bool uuid_eq(const struct uuid *a, const struct uuid *b);
int uuid_cmp(const struct uuid *a, const struct uuid *b);
/* Sorts, leaves each id once, and returns how many are left. */
size_t uuid_distinct(struct uuid *ids, size_t n);
/* A 64-bit hash, seeded at random once a process (SipHash), so that outsiders
 * cannot choose ids that collide. */
uint64_t uuid_hash(const struct uuid *id);

#endif
