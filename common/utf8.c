/*
 * UTF-8: checking, counting, cutting, trimming.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/json_in.h"

/* A byte that goes on with a sequence. */
static bool
continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* The second byte's range is narrower after some first bytes: that is where
 * overlong forms, surrogates and what lies above U+10FFFF are kept out. */
static bool
second_fits(unsigned char first, unsigned char second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0 && second <= 0xbf;
	case 0xed:
		return second >= 0x80 && second <= 0x9f;
	case 0xf0:
		return second >= 0x90 && second <= 0xbf;
	case 0xf4:
		return second >= 0x80 && second <= 0x8f;
	default:
		return second >= 0x80 && second <= 0xbf;
	}
}

size_t
utf8_sequence(const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t n;

	if (len == 0) {
		return 0;
	}
	if (p[0] < 0x80) {
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4) {
		return 0;
	}
	n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n > len || !second_fits(p[0], p[1]) ||
	    (n > 2 && !continues(text[2])) || (n > 3 && !continues(text[3]))) {
		return 0;
	}
	return n;
}

/* Opens the sequence of this first byte. */
static bool
open_sequence(struct utf8_pieces *u, unsigned char first)
{
	if (first < 0x80) {
		return true;
	}
	if (first < 0xc2 || first > 0xf4) {
		return false;
	}
	u->left = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
	u->low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	u->high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	return true;
}

/* Bytes of ASCII that the text begins with, in steps of eight. */
static size_t
ascii_run(const char *text, size_t len)
{
	size_t at = 0;

	while (len - at >= 8) {
		uint64_t eight;

		memcpy(&eight, text + at, sizeof(eight));
		if ((eight & UINT64_C(0x8080808080808080)) != 0) {
			break;
		}
		at += 8;
	}
	return at;
}

bool
utf8_pieces_add(struct utf8_pieces *u, const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;

	for (size_t i = 0; i < len; i++) {
		if (u->left > 0) {
			if (p[i] < u->low || p[i] > u->high) {
				return false;
			}
			u->left--;
			u->low = 0x80;
			u->high = 0xbf;
			continue;
		}
		i += ascii_run(text + i, len - i);
		if (i < len && !open_sequence(u, p[i])) {
			return false;
		}
	}
	return true;
}

bool
utf8_pieces_whole(const struct utf8_pieces *u)
{
	return u->left == 0;
}

bool
utf8_valid(const char *text, size_t len)
{
	while (len > 0) {
		size_t n = utf8_sequence(text, len);

		if (n == 0) {
			return false;
		}
		text += n;
		len -= n;
	}
	return true;
}

size_t
utf8_count(const char *text, size_t len)
{
	size_t count = 0;

	for (size_t i = 0; i < len; i++) {
		count += !continues(text[i]);
	}
	return count;
}

size_t
utf8_prefix(const char *text, size_t len, size_t points)
{
	for (size_t i = 0; i < len; i++) {
		if (!continues(text[i]) && points-- == 0) {
			return i;
		}
	}
	return len;
}

/* The code point of a valid sequence of n bytes. */
static uint32_t
code_point(const char *text, size_t n)
{
	static const unsigned char masks[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t c = (unsigned char)text[0] & masks[n];

	for (size_t i = 1; i < n; i++) {
		c = c << 6 | ((unsigned char)text[i] & 0x3f);
	}
	return c;
}

/* The White_Space property of Unicode. */
static bool
is_space(uint32_t c)
{
	return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 ||
	    c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
	    c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
	    c == 0x3000;
}

/* Bytes of the white space that the text begins with; 0: none. */
static size_t
space_at(const char *text, size_t len)
{
	size_t n = utf8_sequence(text, len);

	return n > 0 && is_space(code_point(text, n)) ? n : 0;
}

void
utf8_trim(const char **text, size_t *len)
{
	size_t n;

	while ((n = space_at(*text, *len)) > 0) {
		*text += n;
		*len -= n;
	}
	while (*len > 0) {
		size_t at = *len - 1;

		while (at > 0 && continues((*text)[at])) {
			at--;
		}
		if (space_at(*text + at, *len - at) != *len - at) {
			break;
		}
		*len = at;
	}
}

bool
utf8_blank(const char *text, size_t len)
{
	utf8_trim(&text, &len);
	return len == 0;
}
