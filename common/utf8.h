/*
 * One step of UTF-8, for the files that walk text byte by byte. The face for
 * everybody else is in json_in.h. Any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* Length of the sequence that text begins with, 1 to 4; 0 when it is not valid
 * UTF-8 (RFC 3629) or is cut off by len. */
size_t utf8_sequence(const char *text, size_t len);

/* Text that comes in pieces: where its last sequence stands. All zero at the
 * text's beginning. */
struct utf8_pieces {
	uint8_t left;  /* bytes the sequence still lacks; 0: none is open */
	uint8_t low;   /* what the next one may be, if one is lacking */
	uint8_t high;
};

/* Reads on; false as soon as no further bytes could make the text valid. */
MUST_CHECK bool utf8_pieces_add(struct utf8_pieces *u, const char *text,
    size_t len);
/* Whether the text may end here. */
MUST_CHECK bool utf8_pieces_whole(const struct utf8_pieces *u);

#endif
