/*
 * Time. Tests may freeze both clocks and move them by hand.
 * Any thread (the test hooks: before threads start).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define CLOCK_TEXT_LEN 24

/* Milliseconds that never jump: for timeouts and deadlines. */
uint64_t clock_mono_ms(void);
/* Microseconds that never jump: for measuring. */
uint64_t clock_mono_us(void);
/* Milliseconds since 1970-01-01 UTC. */
int64_t clock_unix_ms(void);

/* `2026-02-07T22:55:00.123Z` and a NUL. Returns `text`. */
char *clock_format(int64_t unix_ms, char text[CLOCK_TEXT_LEN + 1]);

/* Tests only: from now on both clocks stand still at these values. */
void clock_freeze(uint64_t mono_ms, int64_t unix_ms);
void clock_advance(uint64_t ms);

#endif
