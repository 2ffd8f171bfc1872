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
#define SENTINEL_PORT 26379

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

/* "host", "host:port", "[address]:port". On true the host is the caller's. */
static bool
take_place(const char *text, const char *end, int port, char **host_r,
    int *port_r)
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
	*port_r = colon != NULL ? atoi(colon + 1) : port;
	if (text == host_end || *port_r < 1 || *port_r > 65535) {
		return false;
	}
	*host_r = mem_strndup(text, (size_t)(host_end - text));
	return true;
}

/* "host:port,host:port,..", each as above. */
static bool
take_sentinels(struct bus_address *a, const char *text, const char *end)
{
	while (text < end) {
		const char *comma = memchr(text, ',', (size_t)(end - text));
		const char *stop = comma != NULL ? comma : end;
		struct bus_place *p = &a->sentinels[a->sentinel_count];

		if (a->sentinel_count == BUS_SENTINELS_MAX ||
		    !take_place(text, stop, SENTINEL_PORT, &p->host,
		    &p->port)) {
			return false;
		}
		a->sentinel_count++;
		text = comma != NULL ? comma + 1 : end;
	}
	return a->sentinel_count > 0 && end[-1] != ',';
}

/* "/master" or "/master/db", behind the Sentinels. Returns where "/db" is. */
static const char *
take_master(struct bus_address *a, const char *slash)
{
	const char *end;

	if (*slash == '\0' || slash[1] == '/' || slash[1] == '\0') {
		return NULL;
	}
	end = strchrnul(slash + 1, '/');
	a->master = mem_strndup(slash + 1, (size_t)(end - slash - 1));
	return end;
}

/* What stands behind "scheme://". */
static bool
take_rest(struct bus_address *a, const char *text, bool sentinels)
{
	const char *at = strrchr(text, '@');
	const char *slash;
	bool good;

	if (at != NULL) {
		take_credentials(a, text, at);
		text = at + 1;
	}
	slash = strchrnul(text, '/');
	good = sentinels ? take_sentinels(a, text, slash)
	    : take_place(text, slash, PORT, &a->host, &a->port);
	if (good && sentinels) {
		slash = take_master(a, slash);
		good = slash != NULL;
	}
	a->db = good && *slash == '/' ? atoi(slash + 1) : 0;
	return good && a->db >= 0;
}

bool
bus_address_parse(const char *url, struct bus_address *a)
{
	static const struct {
		const char *scheme;
		bool sentinels;
		bool tls;
	} schemes[] = {
		{ "redis://", false, false }, { "rediss://", false, true },
		{ "sentinel://", true, false }, { "sentinels://", true, true },
	};

	memset(a, 0, sizeof(*a));
	if (strncmp(url, "unix:", 5) == 0) {
		if (url[5] == '\0') {
			return false;
		}
		a->path = mem_strdup(url + 5);
		return true;
	}
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		size_t len = strlen(schemes[i].scheme);

		if (strncmp(url, schemes[i].scheme, len) != 0) {
			continue;
		}
		a->tls = schemes[i].tls;
		if (take_rest(a, url + len, schemes[i].sentinels)) {
			return true;
		}
		bus_address_fini(a);
		return false;
	}
	return false;
}

void
bus_address_fini(struct bus_address *a)
{
	free(a->host);
	free(a->path);
	free(a->user);
	free(a->password);
	free(a->master);
	for (unsigned i = 0; i < a->sentinel_count; i++) {
		free(a->sentinels[i].host);
	}
	memset(a, 0, sizeof(*a));
}
