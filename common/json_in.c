/*
 * Strict JSON in: one pass over the bytes with a small stack of bits (object or
 * array) instead of recursion, so that no input can exhaust the C stack. Only
 * what has passed is given to json-c. Who needs but a few short members of an
 * object has them picked in the same pass.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/json_in.h"

#include <json-c/json.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "common/utf8.h"

struct scan {
	const unsigned char *p;   /* borrowed */
	const unsigned char *end;
	uint32_t objects;         /* bit i: the container at depth i is one */
	unsigned depth;
	/* A key held \u0000: valid, but json-c would cut the key there and take
	 * it for another one. */
	bool nul_in_key;

	/* json_in_pick: */
	struct json_pick *picks;  /* borrowed; NULL: nothing is picked */
	size_t picks_len;
	const char *outer;
	struct json_pick *wanted; /* the value to come is this one's */
	bool in_outer;            /* below the key `outer` of the text's own */
	bool outer_seen;
	bool hard;                /* json-c is to say what it means */
};

_Static_assert(JSON_IN_DEPTH_MAX < 32, "one bit a level");

static void
skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' ||
	    *s->p == '\n' || *s->p == '\r')) {
		s->p++;
	}
}

static bool
take(struct scan *s, unsigned char c)
{
	if (s->p < s->end && *s->p == c) {
		s->p++;
		return true;
	}
	return false;
}

static bool
take_word(struct scan *s, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(s->end - s->p) < len || memcmp(s->p, word, len) != 0) {
		return false;
	}
	s->p += len;
	return true;
}

static bool
take_digits(struct scan *s)
{
	const unsigned char *from = s->p;

	while (s->p < s->end && *s->p >= '0' && *s->p <= '9') {
		s->p++;
	}
	return s->p > from;
}

static bool
take_number(struct scan *s)
{
	take(s, '-');
	/* A zero stands alone in front of the point. */
	if (!take(s, '0') && !take_digits(s)) {
		return false;
	}
	if (take(s, '.') && !take_digits(s)) {
		return false;
	}
	if (take(s, 'e') || take(s, 'E')) {
		if (!take(s, '+')) {
			take(s, '-');
		}
		return take_digits(s);
	}
	return true;
}

/* Four hexadecimal digits; -1 when they are not there. */
static int
take_hex4(struct scan *s)
{
	int v = 0;

	if (s->end - s->p < 4) {
		return -1;
	}
	for (int i = 0; i < 4; i++) {
		unsigned char c = *s->p++;
		unsigned char low = c | 0x20;

		if (c >= '0' && c <= '9') {
			v = v << 4 | (c - '0');
		} else if (low >= 'a' && low <= 'f') {
			v = v << 4 | (low - 'a' + 10);
		} else {
			return -1;
		}
	}
	return v;
}

/* What follows a backslash. */
static bool
take_escape(struct scan *s, bool is_key)
{
	int unit, second;

	if (s->p == s->end) {
		return false;
	}
	if (*s->p != 'u') {
		return memchr("\"\\/bfnrt", *s->p++, 8) != NULL;
	}
	s->p++;
	unit = take_hex4(s);
	if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff)) {
		return false;
	}
	if (unit == 0 && is_key) {
		s->nul_in_key = true;
	}
	if (unit >= 0xd800 && unit <= 0xdbff) {
		if (!take(s, '\\') || !take(s, 'u')) {
			return false;
		}
		second = take_hex4(s);
		return second >= 0xdc00 && second <= 0xdfff;
	}
	return true;
}

static bool
take_string(struct scan *s, bool is_key)
{
	if (!take(s, '"')) {
		return false;
	}
	while (s->p < s->end) {
		unsigned char c = *s->p;

		if (c == '"') {
			s->p++;
			return true;
		}
		if (c == '\\') {
			s->p++;
			if (!take_escape(s, is_key)) {
				return false;
			}
		} else if (c < 0x20) {
			return false;
		} else if (c < 0x80) {
			s->p++;
		} else {
			size_t n = utf8_sequence((const char *)s->p,
			    (size_t)(s->end - s->p));

			if (n == 0) {
				return false;
			}
			s->p += n;
		}
	}
	return false;
}

/* ---- picking -------------------------------------------------------------- */

static bool
key_is(const char *key, const unsigned char *p, size_t len)
{
	return strlen(key) == len && memcmp(key, p, len) == 0;
}

/* A key was taken, here without its quotes. */
static void
pick_key(struct scan *s, const unsigned char *p, size_t len)
{
	bool inner = s->depth == 2 && s->in_outer;

	s->wanted = NULL;
	if (s->depth > 1 && !inner) {
		return;
	}
	s->hard = s->hard || memchr(p, '\\', len) != NULL;
	if (!inner) {
		s->in_outer = key_is(s->outer, p, len);
		s->hard = s->hard || (s->in_outer && s->outer_seen);
		s->outer_seen = s->outer_seen || s->in_outer;
	}
	for (size_t i = 0; i < s->picks_len; i++) {
		struct json_pick *pick = &s->picks[i];

		if (pick->inner == inner && key_is(pick->key, p, len)) {
			s->hard = s->hard || pick->seen;
			pick->seen = true;
			s->wanted = pick;
			return;
		}
	}
}

/* A string was taken, here without its quotes. */
static void
pick_string(struct scan *s, const unsigned char *p, size_t len)
{
	if (s->wanted != NULL) {
		s->hard = s->hard || memchr(p, '\\', len) != NULL;
		s->wanted->text = (const char *)p;
		s->wanted->len = len;
		s->wanted = NULL;
	}
}

/* ---- values --------------------------------------------------------------- */

/* A key and its colon; leaves the scan before the value. */
static bool
take_key(struct scan *s)
{
	const unsigned char *from;

	skip_space(s);
	from = s->p + 1;
	if (!take_string(s, true)) {
		return false;
	}
	if (s->picks != NULL) {
		pick_key(s, from, (size_t)(s->p - 1 - from));
	}
	skip_space(s);
	return take(s, ':');
}

static bool
take_text(struct scan *s)
{
	const unsigned char *from = s->p + 1;

	if (!take_string(s, false)) {
		return false;
	}
	pick_string(s, from, (size_t)(s->p - 1 - from));
	return true;
}

static bool
in_object(const struct scan *s)
{
	return (s->objects >> s->depth & 1) != 0;
}

/*
 * After an opening bracket: goes in. *done_r says whether the container was
 * empty and is complete already; otherwise the scan is before its first value.
 */
static bool
enter(struct scan *s, bool object, bool *done_r)
{
	*done_r = false;
	if (s->depth == JSON_IN_DEPTH_MAX) {
		return false;
	}
	skip_space(s);
	if (take(s, object ? '}' : ']')) {
		*done_r = true;
		return true;
	}
	s->wanted = NULL;
	s->depth++;
	s->objects = (s->objects & ~(UINT32_C(1) << s->depth)) |
	    (uint32_t)object << s->depth;
	return !object || take_key(s);
}

/* One value up to where it is complete or, for a container, entered. */
static bool
take_value(struct scan *s, bool *done_r)
{
	*done_r = true;
	skip_space(s);
	if (s->p == s->end) {
		return false;
	}
	switch (*s->p) {
	case '{':
		s->p++;
		return enter(s, true, done_r);
	case '[':
		s->p++;
		return enter(s, false, done_r);
	case '"':
		return take_text(s);
	case 't':
		return take_word(s, "true");
	case 'f':
		return take_word(s, "false");
	case 'n':
		return take_word(s, "null");
	default:
		return take_number(s);
	}
}

/* After a complete value inside containers: closes what ends here and stops
 * before the next value, or at depth 0. */
static bool
go_on(struct scan *s)
{
	while (s->depth > 0) {
		skip_space(s);
		if (take(s, ',')) {
			return !in_object(s) || take_key(s);
		}
		if (!take(s, in_object(s) ? '}' : ']')) {
			return false;
		}
		s->depth--;
	}
	return true;
}

static bool
scan_all(struct scan *s, const char *text, size_t len)
{
	bool done;

	s->p = (const unsigned char *)text;
	s->end = s->p + len;
	do {
		if (!take_value(s, &done)) {
			return false;
		}
		if (done && !go_on(s)) {
			return false;
		}
	} while (s->depth > 0);
	skip_space(s);
	return s->p == s->end;
}

bool
json_in_valid(const char *text, size_t len)
{
	struct scan s = { 0 };

	return scan_all(&s, text, len);
}

enum json_picked
json_in_pick(const char *text, size_t len, const char *outer,
    struct json_pick *picks, size_t n)
{
	struct scan s = { .picks = picks, .picks_len = n, .outer = outer };
	const char *p = text;

	if (len > INT_MAX || !scan_all(&s, text, len) || s.nul_in_key) {
		return JSON_PICK_INVALID;
	}
	p += strspn(p, " \t\n\r");
	if (*p != '{') {
		return JSON_PICK_INVALID;
	}
	return s.hard ? JSON_PICK_PARSE : JSON_PICKED;
}

struct json_object *
json_in_parse(const char *text, size_t len)
{
	struct json_tokener *tok;
	struct json_object *obj;
	struct scan s = { 0 };

	if (len > INT_MAX || !scan_all(&s, text, len) || s.nul_in_key) {
		return NULL;
	}
	tok = json_tokener_new_ex(JSON_IN_DEPTH_MAX + 2);
	if (tok == NULL) {
		return NULL;
	}
	obj = json_tokener_parse_ex(tok, text, (int)len);
	json_tokener_free(tok);
	if (obj != NULL && !json_object_is_type(obj, json_type_object)) {
		json_object_put(obj);
		obj = NULL;
	}
	return obj;
}
