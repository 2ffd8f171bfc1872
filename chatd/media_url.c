/*
 * Origins of URLs (RFC 6454: scheme, host, port), compared as text: scheme and
 * host in lower case, the scheme's own port left out. The parser takes only
 * what every browser reads in the same way; what could be read in two ways (a
 * backslash, userinfo, white space, control characters) is refused.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/media_url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define ORIGINS_MAX 32
/* scheme://host:port, with the longest host name. */
#define ORIGIN_LEN 280

struct media_origins {
	unsigned count;
	char origin[ORIGINS_MAX][ORIGIN_LEN];
};

static bool
host_char(char c)
{
	return isalnum((unsigned char)c) || c == '.' || c == '-' || c == '_' ||
	    c == '[' || c == ']';
}

static bool
has_prefix(struct text t, const char *prefix)
{
	size_t n = strlen(prefix);

	return t.len >= n && strncasecmp(t.p, prefix, n) == 0;
}

/* Digits only, 1 to 65535; `port` is the text behind the colon. */
static bool
parse_port(struct text port, unsigned *port_r)
{
	unsigned v = 0;

	if (port.len == 0 || port.len > 5) {
		return false;
	}
	for (size_t i = 0; i < port.len; i++) {
		if (!isdigit((unsigned char)port.p[i])) {
			return false;
		}
		v = v * 10 + (unsigned)(port.p[i] - '0');
	}
	*port_r = v;
	return v >= 1 && v <= 65535;
}

/* Splits "host:port" or "[v6]:port". */
static bool
parse_authority(struct text a, struct text *host_r, unsigned *port_r)
{
	size_t n = 0;

	if (a.len > 0 && a.p[0] == '[') {
		const char *end = memchr(a.p, ']', a.len);

		if (end == NULL) {
			return false;
		}
		n = (size_t)(end - a.p) + 1;
		for (size_t i = 1; i + 1 < n; i++) {
			if (!isxdigit((unsigned char)a.p[i]) &&
			    a.p[i] != ':' && a.p[i] != '.') {
				return false;
			}
		}
	} else {
		while (n < a.len && a.p[n] != ':') {
			if (!host_char(a.p[n]) || a.p[n] == '[' ||
			    a.p[n] == ']') {
				return false;
			}
			n++;
		}
	}
	*host_r = (struct text){ a.p, n };
	if (n == 0 || n > 255) {
		return false;
	}
	return n == a.len || (a.p[n] == ':' &&
	    parse_port((struct text){ a.p + n + 1, a.len - n - 1 }, port_r));
}

/* The origin of an absolute http(s) URL; *rest_r is what follows it. */
static bool
origin_of(struct text url, char origin[ORIGIN_LEN], struct text *rest_r)
{
	bool tls = has_prefix(url, "https://");
	size_t start = tls ? 8 : 7;
	size_t end = start;
	unsigned port = tls ? 443 : 80;
	struct text host;

	if (!tls && !has_prefix(url, "http://")) {
		return false;
	}
	while (end < url.len && strchr("/?#", url.p[end]) == NULL) {
		end++;
	}
	if (!parse_authority((struct text){ url.p + start, end - start },
	    &host, &port)) {
		return false;
	}
	snprintf(origin, ORIGIN_LEN, "%s://%.*s:%u", tls ? "https" : "http",
	    (int)host.len, host.p, port);
	for (char *c = origin; *c != '\0'; c++) {
		*c = (char)tolower((unsigned char)*c);
	}
	*rest_r = (struct text){ url.p + end, url.len - end };
	return true;
}

bool
media_url_allowed(const struct media_origins *o, struct text url)
{
	char origin[ORIGIN_LEN];
	struct text rest;

	for (size_t i = 0; i < url.len; i++) {
		unsigned char c = (unsigned char)url.p[i];

		if (c <= 0x20 || c == 0x7f || strchr("\\\"<>`", c) != NULL) {
			return false;
		}
	}
	if (!origin_of(url, origin, &rest)) {
		return false;
	}
	for (unsigned i = 0; i < o->count; i++) {
		if (strcmp(o->origin[i], origin) == 0) {
			return true;
		}
	}
	return false;
}

/* One entry of the list: an origin, with nothing behind but a slash. */
static bool
add_origin(struct media_origins *o, struct text part, bool path_allowed)
{
	struct text rest;

	if (o->count == ORIGINS_MAX ||
	    !origin_of(part, o->origin[o->count], &rest)) {
		return false;
	}
	if (!path_allowed && rest.len > 0 &&
	    !(rest.len == 1 && rest.p[0] == '/')) {
		return false;
	}
	o->count++;
	return true;
}

struct media_origins *
media_origins_new(const char *list, const char *public_url, char **bad_r)
{
	struct media_origins *o = mem_zalloc(sizeof(*o));
	const char *p = list;

	*bad_r = NULL;
	while (*p != '\0') {
		size_t n = strcspn(p, ",");
		struct text part = { p, n };

		while (part.len > 0 && isspace((unsigned char)*part.p)) {
			part.p++;
			part.len--;
		}
		while (part.len > 0 &&
		    isspace((unsigned char)part.p[part.len - 1])) {
			part.len--;
		}
		if (part.len > 0 && !add_origin(o, part, false)) {
			*bad_r = mem_strndup(part.p, part.len);
			media_origins_free(&o);
			return NULL;
		}
		p += n + (p[n] == ',' ? 1 : 0);
	}
	if (o->count == 0 && !add_origin(o,
	    (struct text){ public_url, strlen(public_url) }, true)) {
		*bad_r = mem_strdup(public_url);
		media_origins_free(&o);
		return NULL;
	}
	return o;
}

void
media_origins_free(struct media_origins **o)
{
	free(*o);
	*o = NULL;
}
