/*
 *   PREAMBLE -> (delimiter) -> AFTER -> HEADERS -> CONTENT -> (delimiter) -> ..
 *                               `- "--" -> DONE
 *
 * Content is scanned for "\r\n--boundary". Bytes that may be the beginning of a
 * delimiter are held in `match` (their number is enough: they are the
 * delimiter's own first bytes). The first delimiter may stand at the very start
 * without its line break: the scan begins as if one had been read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/multipart.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"

#define BOUNDARY_MAX 70
#define HEADERS_MAX 4096
#define NAME_MAX_LEN 64
#define PARTS_MAX 1000

enum mp_state {
	MP_PREAMBLE,
	MP_AFTER,   /* behind a delimiter: CRLF, or -- for the end */
	MP_HEADERS,
	MP_CONTENT,
	MP_DONE,
	MP_FAILED,
};

struct multipart {
	const struct multipart_handler *handler; /* borrowed */
	void *arg;
	enum mp_state state;
	char delimiter[BOUNDARY_MAX + 5]; /* \r\n-- and the boundary */
	size_t delimiter_len;
	size_t match;         /* of the delimiter's bytes, read and held */
	size_t phantom;       /* of these, not read but assumed */
	char after[2];
	size_t after_len;
	char headers[HEADERS_MAX];
	size_t headers_len;
	size_t parts;
};

/* ---- headers ------------------------------------------------------------ */

bool
multipart_is(const char *content_type)
{
	static const char type[] = "multipart/form-data";

	while (*content_type == ' ') {
		content_type++;
	}
	return strncasecmp(content_type, type, sizeof(type) - 1) == 0;
}

/* Finds the parameter `name` (with its =) behind a semicolon, quoted or not.
 * False: it is not there. */
static bool
parameter(const char *header, const char *name, char *value, size_t value_max)
{
	size_t name_len = strlen(name);
	size_t len = 0;

	while ((header = strchr(header, ';')) != NULL) {
		header++;
		header += strspn(header, " \t");
		if (strncasecmp(header, name, name_len) == 0) {
			break;
		}
	}
	if (header == NULL) {
		return false;
	}
	header += name_len;
	if (*header != '"') {
		len = strcspn(header, "; \t\r\n");
		if (len >= value_max) {
			return false;
		}
		memcpy(value, header, len);
		value[len] = '\0';
		return true;
	}
	for (header++; *header != '"'; header++) {
		if (*header == '\\' && header[1] != '\0') {
			header++;
		}
		if (*header == '\0' || *header == '\r' ||
		    len + 1 >= value_max) {
			return false;
		}
		value[len++] = *header;
	}
	value[len] = '\0';
	return true;
}

struct multipart *
multipart_new(const char *content_type,
    const struct multipart_handler *handler, void *arg)
{
	char boundary[BOUNDARY_MAX + 1];
	struct multipart *mp;

	if (!multipart_is(content_type) ||
	    !parameter(content_type, "boundary=", boundary,
	    sizeof(boundary)) || boundary[0] == '\0') {
		return NULL;
	}
	mp = mem_zalloc(sizeof(*mp));
	mp->handler = handler;
	mp->arg = arg;
	memcpy(mp->delimiter, "\r\n--", 4);
	strcpy(mp->delimiter + 4, boundary);
	mp->delimiter_len = strlen(mp->delimiter);
	mp->match = 2;
	mp->phantom = 2;
	return mp;
}

void
multipart_free(struct multipart **mp)
{
	free(*mp);
	*mp = NULL;
}

/* Reads the collected headers of a part, which end with an empty line. */
static bool
begin_part(struct multipart *mp)
{
	static const char wanted[] = "content-disposition:";
	char name[NAME_MAX_LEN + 1];
	char filename[HEADERS_MAX];
	char *line = mp->headers;

	mp->headers[mp->headers_len] = '\0';
	while (*line != '\0') {
		char *end = strstr(line, "\r\n");

		if (end == NULL) {
			return false;
		}
		*end = '\0';
		if (strncasecmp(line, wanted, sizeof(wanted) - 1) == 0) {
			return parameter(line, "name=", name, sizeof(name)) &&
			    mp->handler->begin(mp->arg, name,
			    parameter(line, "filename=", filename,
			    sizeof(filename)));
		}
		line = end + 2;
	}
	return false;
}

/* ---- bytes -------------------------------------------------------------- */

static void
fail(struct multipart *mp)
{
	mp->state = MP_FAILED;
}

/* Content that turned out to be no delimiter. */
static void
give(struct multipart *mp, const char *data, size_t len)
{
	if (mp->state == MP_CONTENT && len > 0 &&
	    !mp->handler->data(mp->arg, data, len)) {
		fail(mp);
	}
}

static void
delimiter_found(struct multipart *mp)
{
	mp->match = 0;
	mp->phantom = 0;
	mp->after_len = 0;
	if (mp->state == MP_CONTENT && !mp->handler->end(mp->arg)) {
		fail(mp);
		return;
	}
	mp->state = MP_AFTER;
}

/* Scans content, or the preamble, up to a delimiter or the end of the data. A
 * delimiter begins with \r, which does not occur in it again: after a mismatch
 * the scan goes on with the byte that did not fit. */
static size_t
scan(struct multipart *mp, const char *data, size_t len)
{
	enum mp_state state = mp->state;
	size_t i = 0;

	while (i < len && mp->state == state) {
		const char *cr;
		size_t run, len_held;

		if (mp->match > 0) {
			if (data[i] == mp->delimiter[mp->match]) {
				i++;
				if (++mp->match == mp->delimiter_len) {
					delimiter_found(mp);
				}
				continue;
			}
			run = mp->phantom;
			len_held = mp->match - run;
			mp->match = 0;
			mp->phantom = 0;
			give(mp, mp->delimiter + run, len_held);
			continue;
		}
		cr = memchr(data + i, '\r', len - i);
		run = cr != NULL ? (size_t)(cr - (data + i)) : len - i;
		give(mp, data + i, run);
		i += run;
		if (cr != NULL) {
			mp->match = 1;
			i++;
		}
	}
	return i;
}

static size_t
after(struct multipart *mp, const char *data)
{
	/* Spaces may stand between a boundary and its line break. */
	if (mp->after_len == 0 && (*data == ' ' || *data == '\t')) {
		return 1;
	}
	mp->after[mp->after_len++] = *data;
	if (mp->after_len < 2) {
		return 1;
	}
	if (memcmp(mp->after, "--", 2) == 0) {
		mp->state = MP_DONE;
	} else if (memcmp(mp->after, "\r\n", 2) == 0) {
		mp->headers_len = 0;
		mp->state = MP_HEADERS;
	} else {
		fail(mp);
	}
	return 1;
}

static size_t
headers(struct multipart *mp, const char *data)
{
	size_t n;

	if (mp->headers_len + 1 >= HEADERS_MAX || *data == '\0') {
		fail(mp);
		return 1;
	}
	mp->headers[mp->headers_len++] = *data;
	n = mp->headers_len;
	if (n >= 4 && memcmp(mp->headers + n - 4, "\r\n\r\n", 4) == 0) {
		mp->headers_len -= 2;
		if (++mp->parts > PARTS_MAX || !begin_part(mp)) {
			fail(mp);
			return 1;
		}
		mp->state = MP_CONTENT;
		/* An empty part's delimiter follows at once. */
		mp->match = 2;
		mp->phantom = 2;
	}
	return 1;
}

bool
multipart_feed(struct multipart *mp, const void *data, size_t len)
{
	const char *p = data;

	while (len > 0 && mp->state != MP_FAILED && mp->state != MP_DONE) {
		size_t used;

		switch (mp->state) {
		case MP_AFTER:
			used = after(mp, p);
			break;
		case MP_HEADERS:
			used = headers(mp, p);
			break;
		default:
			used = scan(mp, p, len);
			break;
		}
		p += used;
		len -= used;
	}
	return mp->state != MP_FAILED;
}

bool
multipart_done(const struct multipart *mp)
{
	return mp->state == MP_DONE;
}
