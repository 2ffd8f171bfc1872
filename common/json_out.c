/*
 * JSON out. One bit of state is enough to place the commas: after a key or an
 * opening bracket none is due, after a value one is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/json_out.h"

#include <string.h>

#include "common/clock.h"

void
json_out_init(struct json_out *j, struct buf *b)
{
	j->b = b;
	j->need_comma = false;
}

/* Room for the comma and `more` bytes; returns where they begin. */
static char *
begin_value(struct json_out *j, size_t more)
{
	char *p = (char *)buf_reserve(j->b, more + 1);

	if (j->need_comma) {
		*p++ = ',';
		j->b->len++;
	}
	j->need_comma = true;
	return p;
}

static void
put_value(struct json_out *j, const char *text, size_t len)
{
	memcpy(begin_value(j, len), text, len);
	j->b->len += len;
}

static void
open_bracket(struct json_out *j, const char *bracket)
{
	put_value(j, bracket, 1);
	j->need_comma = false;
}

static void
close_bracket(struct json_out *j, uint8_t bracket)
{
	buf_put_u8(j->b, bracket);
	j->need_comma = true;
}

void
json_obj(struct json_out *j)
{
	open_bracket(j, "{");
}

void
json_obj_end(struct json_out *j)
{
	close_bracket(j, '}');
}

void
json_arr(struct json_out *j)
{
	open_bracket(j, "[");
}

void
json_arr_end(struct json_out *j)
{
	close_bracket(j, ']');
}

static size_t
put_escape(char *p, unsigned char c)
{
	static const char digits[] = "0123456789abcdef";
	static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";

	for (size_t i = 0; i < sizeof(shorts) - 1; i += 2) {
		if (shorts[i] == (char)c) {
			p[0] = '\\';
			p[1] = shorts[i + 1];
			return 2;
		}
	}
	memcpy(p, "\\u00", 4);
	p[4] = digits[c >> 4];
	p[5] = digits[c & 0x0f];
	return 6;
}

void
json_strn(struct json_out *j, const char *text, size_t len)
{
	/* The worst case, six bytes for one, is a short text or an attack;
	 * reserve what is usual and grow at an escape. */
	char *p = begin_value(j, len + 2);
	size_t plain = 0;

	*p = '"';
	j->b->len++;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c >= 0x20 && c != '"' && c != '\\') {
			continue;
		}
		buf_put(j->b, text + plain, i - plain);
		p = (char *)buf_reserve(j->b, 6);
		j->b->len += put_escape(p, c);
		plain = i + 1;
	}
	buf_put(j->b, text + plain, len - plain);
	buf_put_u8(j->b, '"');
}

void
json_str(struct json_out *j, const char *text)
{
	if (text == NULL) {
		json_null(j);
	} else {
		json_strn(j, text, strlen(text));
	}
}

void
json_int(struct json_out *j, int64_t v)
{
	char digits[20];
	char *p = digits + sizeof(digits);
	uint64_t u = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	do {
		*--p = (char)('0' + u % 10);
		u /= 10;
	} while (u > 0);
	if (v < 0) {
		*--p = '-';
	}
	put_value(j, p, (size_t)(digits + sizeof(digits) - p));
}

void
json_boolean(struct json_out *j, bool v)
{
	put_value(j, v ? "true" : "false", v ? 4 : 5);
}

void
json_null(struct json_out *j)
{
	put_value(j, "null", 4);
}

void
json_uuid(struct json_out *j, const struct uuid *id)
{
	char *p;

	if (id == NULL) {
		json_null(j);
		return;
	}
	/* uuid_format's NUL falls where the closing quote goes. */
	p = begin_value(j, UUID_TEXT_LEN + 2);
	p[0] = '"';
	uuid_format(id, p + 1);
	p[UUID_TEXT_LEN + 1] = '"';
	j->b->len += UUID_TEXT_LEN + 2;
}

void
json_time(struct json_out *j, int64_t unix_ms)
{
	char *p;

	if (unix_ms < 0) {
		json_null(j);
		return;
	}
	p = begin_value(j, CLOCK_TEXT_LEN + 2);
	p[0] = '"';
	clock_format(unix_ms, p + 1);
	p[CLOCK_TEXT_LEN + 1] = '"';
	j->b->len += CLOCK_TEXT_LEN + 2;
}

void
json_raw(struct json_out *j, const char *text, size_t len)
{
	put_value(j, text, len);
}

void
json_key(struct json_out *j, const char *key)
{
	size_t len = strlen(key);
	char *p = begin_value(j, len + 3);

	p[0] = '"';
	memcpy(p + 1, key, len);
	p[len + 1] = '"';
	p[len + 2] = ':';
	j->b->len += len + 3;
	j->need_comma = false;
}

void
json_key_obj(struct json_out *j, const char *key)
{
	json_key(j, key);
	json_obj(j);
}

void
json_key_arr(struct json_out *j, const char *key)
{
	json_key(j, key);
	json_arr(j);
}

void
json_key_str(struct json_out *j, const char *key, const char *text)
{
	json_key(j, key);
	json_str(j, text);
}

void
json_key_strn(struct json_out *j, const char *key, const char *text, size_t len)
{
	json_key(j, key);
	json_strn(j, text, len);
}

void
json_key_int(struct json_out *j, const char *key, int64_t v)
{
	json_key(j, key);
	json_int(j, v);
}

void
json_key_bool(struct json_out *j, const char *key, bool v)
{
	json_key(j, key);
	json_boolean(j, v);
}

void
json_key_null(struct json_out *j, const char *key)
{
	json_key(j, key);
	json_null(j);
}

void
json_key_uuid(struct json_out *j, const char *key, const struct uuid *id)
{
	json_key(j, key);
	json_uuid(j, id);
}

void
json_key_time(struct json_out *j, const char *key, int64_t unix_ms)
{
	json_key(j, key);
	json_time(j, unix_ms);
}
