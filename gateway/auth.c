/*
 * SHA-256 over the token's text, as chatd stores it; libsodium does the work.
 * Header values are parsed by hand: they are short and their forms are few.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/auth.h"

#include <sodium.h>
#include <string.h>
#include <strings.h>

static const char *
skip_spaces(const char *p)
{
	while (*p == ' ' || *p == '\t') {
		p++;
	}
	return p;
}

const char *
auth_bearer(const char *header, size_t *len_r)
{
	static const char scheme[] = "bearer";
	size_t len;

	*len_r = 0;
	header = skip_spaces(header);
	if (strncasecmp(header, scheme, sizeof(scheme) - 1) != 0) {
		return NULL;
	}
	header += sizeof(scheme) - 1;
	if (*header != ' ' && *header != '\t') {
		return NULL;
	}
	header = skip_spaces(header);
	len = strcspn(header, " \t");
	if (len == 0) {
		return NULL;
	}
	*len_r = len;
	return header;
}

const char *
auth_cookie(const char *header, size_t *len_r)
{
	static const char name[] = "token=";

	*len_r = 0;
	for (;;) {
		const char *value;
		size_t len;

		header = skip_spaces(header);
		if (strncmp(header, name, sizeof(name) - 1) == 0) {
			value = header + sizeof(name) - 1;
			len = strcspn(value, "; \t");
			if (len >= 2 && value[0] == '"' &&
			    value[len - 1] == '"') {
				value++;
				len -= 2;
			}
			if (len > 0) {
				*len_r = len;
				return value;
			}
		}
		header = strchr(header, ';');
		if (header == NULL) {
			return NULL;
		}
		header++;
	}
}

static bool
in_list(const char *list, const char *item)
{
	size_t item_len = strlen(item);

	while (list != NULL && *list != '\0') {
		size_t len;

		list += strspn(list, ", \t");
		len = strcspn(list, ", \t");
		while (len > 0 && list[len - 1] == '/') {
			len--;
		}
		if (len == item_len && strncasecmp(list, item, len) == 0) {
			return true;
		}
		list += strcspn(list, ", \t");
	}
	return false;
}

bool
auth_origin_allowed(const char *origin, const char *host, const char *allowed)
{
	const char *authority = strstr(origin, "://");

	if (authority != NULL && host != NULL && *host != '\0' &&
	    strcasecmp(authority + 3, host) == 0) {
		return true;
	}
	return in_list(allowed, origin);
}

void
auth_hash(const char *token, size_t len, struct token_hash *hash_r)
{
	_Static_assert(sizeof(hash_r->b) == crypto_hash_sha256_BYTES,
	    "tokens are known by their SHA-256");
	crypto_hash_sha256(hash_r->b, (const unsigned char *)token, len);
}

struct uuid
auth_hash_route(const struct token_hash *hash)
{
	struct uuid route;

	memcpy(route.b, hash->b, sizeof(route.b));
	return route;
}

struct uuid
auth_name_route(const char *name, size_t len)
{
	unsigned char folded[128];
	struct token_hash hash;

	len = len < sizeof(folded) ? len : sizeof(folded);
	for (size_t i = 0; i < len; i++) {
		char c = name[i];

		folded[i] = (unsigned char)(c >= 'A' && c <= 'Z'
		    ? c - 'A' + 'a' : c);
	}
	crypto_hash_sha256(hash.b, folded, len);
	return auth_hash_route(&hash);
}
