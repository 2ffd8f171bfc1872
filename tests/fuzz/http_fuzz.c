/*
 * What HTTP requests carry that we read ourselves: credentials, cookies, the
 * origin, paths, ranges, and what a file is by its first bytes. The first byte
 * says which reader gets the rest.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz/fuzz.h"

#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "gateway/auth.h"
#include "gateway/http_range.h"
#include "gateway/media_kind.h"
#include "gateway/routes.h"

static void
check_token(const char *text, const char *token, size_t len)
{
	if (token == NULL) {
		CHECK(len == 0);
		return;
	}
	CHECK(len > 0 && token >= text && token + len <= text + strlen(text));
	CHECK(memchr(token, ' ', len) == NULL);
	CHECK(memchr(token, '\t', len) == NULL);
}

static void
try_credentials(const char *text)
{
	size_t len;
	const char *token = auth_bearer(text, &len);

	check_token(text, token, len);
	token = auth_cookie(text, &len);
	check_token(text, token, len);
	CHECK(token == NULL || memchr(token, ';', len) == NULL);
}

/* Whom the list lets in: the origin itself must stand in it. */
static void
try_origin(const char *text)
{
	static const char list[] =
	    "https://a.example, http://localhost:3000/,https://b.example";
	bool listed = auth_origin_allowed(text, NULL, list);
	bool own = auth_origin_allowed(text, "chat.example:8080", NULL);

	CHECK(!listed || strcasecmp(text, "https://a.example") == 0 ||
	    strcasecmp(text, "http://localhost:3000") == 0 ||
	    strcasecmp(text, "https://b.example") == 0);
	if (own) {
		const char *host = strstr(text, "://");

		CHECK(host != NULL &&
		    strcasecmp(host + 3, "chat.example:8080") == 0);
	}
}

static void
try_path(const char *text)
{
	for (int m = HTTP_GET; m <= HTTP_OTHER; m++) {
		struct uuid ids[HTTP_IDS_MAX];
		const struct http_route *route;
		bool known;

		route = route_find((enum http_method)m, text, ids, &known);
		CHECK(route == NULL || known);
		CHECK(!known || strncmp(text, "/api/", 5) == 0);
		/* No way to say `up` or `this` or to end a path early. */
		CHECK(!known || (strstr(text, "..") == NULL &&
		    strchr(text, '%') == NULL && strchr(text, '\\') == NULL));
	}
}

static void
try_range(const char *text, uint64_t size)
{
	uint64_t first = 0, end = size;
	enum http_range range = http_range_read(text, size, &first, &end);

	if (range == HTTP_RANGE_PART) {
		CHECK(first < end && end <= size);
	}
	if (range == HTTP_RANGE_ALL) {
		CHECK(first == 0 && end == size);
	}
	CHECK(size > 0 || range != HTTP_RANGE_PART);
}

/* A file is served under the name its content gave it, as that kind. */
static void
try_kind(const uint8_t *data, size_t len)
{
	static const char id[] = "01890a5d-ac96-774b-bcce-b302099a8057";
	const struct media_kind *kind = media_kind_of_content(data, len);
	const struct media_kind *named;
	char name[MEDIA_NAME_MAX + 1];

	CHECK(kind != NULL);
	CHECK(snprintf(name, sizeof(name), "%s.%s", id, kind->ext) <
	    (int)sizeof(name));
	named = media_kind_of_name(name);
	CHECK(named != NULL && strcmp(named->ext, kind->ext) == 0 &&
	    strcmp(named->type, kind->type) == 0 &&
	    named->shown == kind->shown);
	CHECK(strstr(kind->type, "html") == NULL &&
	    strstr(kind->type, "svg") == NULL &&
	    strstr(kind->type, "xml") == NULL &&
	    strstr(kind->type, "javascript") == NULL);
}

static void
try_name(const char *text)
{
	if (media_kind_of_name(text) != NULL) {
		CHECK(strchr(text, '/') == NULL && text[0] != '.' &&
		    strstr(text, "..") == NULL &&
		    strlen(text) <= MEDIA_NAME_MAX);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text;

	if (len < 2) {
		return 0;
	}
	text = mem_strndup((const char *)data + 2, len - 2);
	switch (data[0] & 7) {
	case 0:
		try_credentials(text);
		break;
	case 1:
		try_origin(text);
		break;
	case 2:
		try_path(text);
		break;
	case 3:
		try_range(text, data[1]);
		try_range(text, (uint64_t)1 << (data[1] % 64));
		break;
	case 4:
		try_kind(data + 2, len - 2);
		break;
	default:
		try_name(text);
		break;
	}
	free(text);
	return 0;
}
