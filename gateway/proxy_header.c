/*
 * Both versions begin with at least LEAST bytes. A version 1 line is then read
 * byte by byte, which is dear, and right: what follows its end belongs to the
 * library that is given the socket next.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/proxy_header.h"

#include <string.h>

#define V1_MAX 107
/* "PROXY UNKNOWN\r\n", and less than version 2's fixed part. */
#define LEAST 15
#define V2_FIXED 16

static const char v1_word[] = "PROXY ";
static const unsigned char v2_signature[12] = { 0x0d, 0x0a, 0x0d, 0x0a, 0x00,
	0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a };

/* ---- version 1 ---------------------------------------------------------- */

/* One word of the line, behind exactly one blank; NULL: no such. */
static const char *
next_word(const char **line, const char *end, size_t *len_r)
{
	const char *word = *line;
	const char *blank;

	if (word == end || *word != ' ') {
		return NULL;
	}
	word++;
	blank = memchr(word, ' ', (size_t)(end - word));
	*line = blank != NULL ? blank : end;
	*len_r = (size_t)(*line - word);
	return *len_r > 0 ? word : NULL;
}

static bool
is_port(const char *text, size_t len)
{
	unsigned port = 0;

	if (len > 5 || (len > 1 && text[0] == '0')) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return false;
		}
		port = port * 10 + (unsigned)(text[i] - '0');
	}
	return port <= 65535;
}

/* " 198.51.100.1 192.0.2.1 1234 443", of the family that was named. */
static bool
read_v1_addresses(const char *line, const char *end, bool v4,
    struct address *client_r)
{
	struct address server;
	const char *word;
	size_t len;

	if ((word = next_word(&line, end, &len)) == NULL ||
	    !address_parse(word, len, client_r) ||
	    (memchr(word, ':', len) == NULL) != v4 ||
	    (word = next_word(&line, end, &len)) == NULL ||
	    !address_parse(word, len, &server) ||
	    (memchr(word, ':', len) == NULL) != v4) {
		return false;
	}
	for (int port = 0; port < 2; port++) {
		if ((word = next_word(&line, end, &len)) == NULL ||
		    !is_port(word, len)) {
			return false;
		}
	}
	return line == end;
}

static enum proxy_result
read_v1(const char *line, size_t len, size_t *need_r, struct address *client_r)
{
	const char *end = memchr(line, '\n', len);
	size_t word = sizeof(v1_word) - 1;

	if (end == NULL) {
		*need_r = 1;
		return len < V1_MAX ? PROXY_MORE : PROXY_BAD;
	}
	if (end != line + len - 1 || end[-1] != '\r') {
		return PROXY_BAD;
	}
	end--;
	line += word;
	if ((size_t)(end - line) >= 7 && memcmp(line, "UNKNOWN", 7) == 0) {
		return PROXY_SELF;
	}
	if ((size_t)(end - line) < 4 || memcmp(line, "TCP", 3) != 0 ||
	    (line[3] != '4' && line[3] != '6') ||
	    !read_v1_addresses(line + 4, end, line[3] == '4', client_r)) {
		return PROXY_BAD;
	}
	return PROXY_CLIENT;
}

/* ---- version 2 ---------------------------------------------------------- */

static enum proxy_result
read_v2_addresses(const uint8_t *b, size_t len, struct address *client_r)
{
	unsigned command = b[12] & 0x0f;
	unsigned family = b[13] >> 4;
	const uint8_t *body = b + V2_FIXED;
	size_t body_len = len - V2_FIXED;

	if (b[12] >> 4 != 2 || command > 1) {
		return PROXY_BAD;
	}
	if (command == 0) {
		return PROXY_SELF; /* LOCAL: a health check */
	}
	switch (family) {
	case 1:
		if (body_len < 12) {
			return PROXY_BAD;
		}
		*client_r = address_v4(body);
		return PROXY_CLIENT;
	case 2:
		if (body_len < 36) {
			return PROXY_BAD;
		}
		*client_r = address_v6(body);
		return PROXY_CLIENT;
	default:
		return PROXY_SELF; /* Unix sockets, or not told */
	}
}

static enum proxy_result
read_v2(const uint8_t *b, size_t len, size_t *need_r, struct address *client_r)
{
	size_t whole;

	if (len < V2_FIXED) {
		*need_r = V2_FIXED - len;
		return PROXY_MORE;
	}
	whole = V2_FIXED + ((size_t)b[14] << 8 | b[15]);
	if (whole > PROXY_HEADER_MAX) {
		return PROXY_BAD;
	}
	if (len < whole) {
		*need_r = whole - len;
		return PROXY_MORE;
	}
	return read_v2_addresses(b, len, client_r);
}

enum proxy_result
proxy_header_read(const void *data, size_t len, size_t *need_r,
    struct address *client_r)
{
	size_t v1 = sizeof(v1_word) - 1;
	size_t v2 = sizeof(v2_signature);

	*need_r = 0;
	if (len == 0 || memcmp(data, v1_word, len < v1 ? len : v1) == 0) {
		if (len < LEAST) {
			*need_r = LEAST - len;
			return PROXY_MORE;
		}
		return read_v1(data, len, need_r, client_r);
	}
	if (memcmp(data, v2_signature, len < v2 ? len : v2) == 0) {
		return read_v2(data, len, need_r, client_r);
	}
	return PROXY_BAD;
}
