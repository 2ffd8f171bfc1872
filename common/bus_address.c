/*
 * The setting redis_url, taken apart. The password is taken as it stands, up to
 * the last @: nothing is percent-decoded.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/bus_address.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

#define PORT 6379

/* "user:password", ":password" or "password". */
static void
take_credentials(struct bus_address *a, const char *text, const char *end)
{
	const char *colon = memchr(text, ':', (size_t)(end - text));
	const char *password = colon != NULL ? colon + 1 : text;

	if (colon != NULL && colon > text) {
		a->user = mem_strndup(text, (size_t)(colon - text));
	}
	a->password = mem_strndup(password, (size_t)(end - password));
}

/* "host", "host:port", "[address]:port". */
static bool
take_host(struct bus_address *a, const char *text, const char *end)
{
	const char *bracket = text[0] == '['
	    ? memchr(text, ']', (size_t)(end - text)) : NULL;
	const char *from = bracket != NULL ? bracket : text;
	const char *colon = memrchr(from, ':', (size_t)(end - from));
	const char *host_end = bracket != NULL ? bracket
	    : colon != NULL ? colon : end;

	if (bracket != NULL ? bracket + 1 != (colon != NULL ? colon : end)
	                    : text[0] == '[') {
		return false;
	}
	text += bracket != NULL;
	a->host = mem_strndup(text, (size_t)(host_end - text));
	a->port = colon != NULL ? atoi(colon + 1) : PORT;
	return a->host[0] != '\0' && a->port >= 1 && a->port <= 65535;
}

bool
bus_address_parse(const char *url, struct bus_address *a)
{
	const char *at;
	const char *slash;

	memset(a, 0, sizeof(*a));
	if (strncmp(url, "unix:", 5) == 0) {
		if (url[5] == '\0') {
			return false;
		}
		a->path = mem_strdup(url + 5);
		return true;
	}
	a->tls = strncmp(url, "rediss://", 9) == 0;
	if (!a->tls && strncmp(url, "redis://", 8) != 0) {
		return false;
	}
	url += a->tls ? 9 : 8;
	at = strrchr(url, '@');
	if (at != NULL) {
		take_credentials(a, url, at);
		url = at + 1;
	}
	slash = strchr(url, '/');
	a->db = slash != NULL ? atoi(slash + 1) : 0;
	if (!take_host(a, url, slash != NULL ? slash : url + strlen(url)) ||
	    a->db < 0) {
		bus_address_fini(a);
		return false;
	}
	return true;
}

void
bus_address_fini(struct bus_address *a)
{
	free(a->host);
	free(a->path);
	free(a->user);
	free(a->password);
	memset(a, 0, sizeof(*a));
}
