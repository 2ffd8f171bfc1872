/*
 * The Lua scripts as they are compiled in (scripts/ has their text, embed.cmake
 * makes the sources). Each begins with scripts/lib.lua. Constant data.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PRESENCED_SCRIPT_H
#define PRESENCED_SCRIPT_H

#include <stddef.h>

struct script {
	const char *name;
	const char *sha; /* SHA-1 of the text, as EVALSHA wants it */
	const char *text;
	size_t len;
};

extern const struct script script_ack;
extern const struct script script_beat;
extern const struct script script_change;
extern const struct script script_claim;
extern const struct script script_due;
extern const struct script script_expire;
extern const struct script script_settle;
extern const struct script script_tick;
extern const struct script script_who;

#endif
