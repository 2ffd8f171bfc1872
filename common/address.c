/*
 * Addresses are read by inet_pton, which takes nothing but complete ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/mem.h"

/* Proxies in a row that are believed. */
#define HOPS_MAX 32

static const uint8_t mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

struct net {
	struct address base;
	unsigned bits; /* of 128 */
};

struct nets {
	size_t len;
	struct net list[];
};

/* ---- addresses ---------------------------------------------------------- */

struct address
address_v4(const uint8_t b[4])
{
	struct address a;

	memcpy(a.b, mapped, sizeof(mapped));
	memcpy(a.b + sizeof(mapped), b, 4);
	return a;
}

struct address
address_v6(const uint8_t b[16])
{
	struct address a;

	memcpy(a.b, b, sizeof(a.b));
	return a;
}

bool
address_parse(const char *text, size_t len, struct address *a_r)
{
	char copy[ADDRESS_TEXT_LEN + 1];
	uint8_t b[16];

	if (len == 0 || len >= sizeof(copy) ||
	    memchr(text, '\0', len) != NULL) {
		return false;
	}
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(AF_INET, copy, b) == 1) {
		*a_r = address_v4(b);
		return true;
	}
	if (inet_pton(AF_INET6, copy, b) == 1) {
		*a_r = address_v6(b);
		return true;
	}
	return false;
}

struct address
address_of(const struct sockaddr *sa)
{
	struct address a = { { 0 } };

	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		a = address_v4((const uint8_t *)&in.sin_addr);
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof(in6));
		a = address_v6((const uint8_t *)&in6.sin6_addr);
	}
	return a;
}

bool
address_is_v4(const struct address *a)
{
	return memcmp(a->b, mapped, sizeof(mapped)) == 0;
}

bool
address_eq(const struct address *a, const struct address *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

char *
address_format(const struct address *a, char text[ADDRESS_TEXT_LEN + 1])
{
	bool v4 = address_is_v4(a);

	if (inet_ntop(v4 ? AF_INET : AF_INET6,
	    v4 ? a->b + sizeof(mapped) : a->b, text,
	    ADDRESS_TEXT_LEN + 1) == NULL) {
		text[0] = '\0';
	}
	return text;
}

struct uuid
address_site(const struct address *a)
{
	struct uuid site;

	memcpy(site.b, a->b, sizeof(site.b));
	if (!address_is_v4(a)) {
		memset(site.b + 8, 0, 8);
	}
	return site;
}

/* ---- networks ----------------------------------------------------------- */

/* The bits behind the slash. */
static bool
parse_bits(const char *text, size_t len, unsigned max, unsigned *bits_r)
{
	unsigned bits = 0;

	if (len == 0 || len > 3) {
		return false;
	}
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return false;
		}
		bits = bits * 10 + (unsigned)(text[i] - '0');
	}
	*bits_r = bits;
	return bits <= max;
}

static bool
parse_net(const char *text, size_t len, struct net *net_r)
{
	const char *slash = memchr(text, '/', len);
	size_t base_len = slash != NULL ? (size_t)(slash - text) : len;
	bool v4;

	if (!address_parse(text, base_len, &net_r->base)) {
		return false;
	}
	net_r->bits = 128;
	if (slash == NULL) {
		return true;
	}
	/* Written as IPv4 its bits count from there; ::ffff:10.0.0.0/104 is
	 * counted as it stands. */
	v4 = memchr(text, ':', base_len) == NULL;
	if (!parse_bits(slash + 1, len - base_len - 1, v4 ? 32 : 128,
	    &net_r->bits)) {
		return false;
	}
	net_r->bits += v4 ? 96 : 0;
	return true;
}

static bool
net_has(const struct net *net, const struct address *a)
{
	unsigned whole = net->bits / 8;
	unsigned rest = net->bits % 8;
	uint8_t mask = (uint8_t)(0xff << (8 - rest));

	return memcmp(net->base.b, a->b, whole) == 0 && (rest == 0 ||
	    ((net->base.b[whole] ^ a->b[whole]) & mask) == 0);
}

static const char blanks[] = " \t";

/* The next entry of a list, without blanks around it; NULL: no more. */
static const char *
next_entry(const char **list, size_t *len_r)
{
	const char *p = *list + strspn(*list, " \t,");
	size_t len = strcspn(p, ",");

	*list = p + len;
	while (len > 0 && strchr(blanks, p[len - 1]) != NULL) {
		len--;
	}
	*len_r = len;
	return len > 0 ? p : NULL;
}

struct nets *
nets_new(const char *list, char **bad_r)
{
	size_t room = 1, len;
	struct nets *n;
	const char *p;

	list = list != NULL ? list : "";
	for (p = list; *p != '\0'; p++) {
		room += *p == ',';
	}
	n = mem_zalloc(sizeof(*n) + room * sizeof(n->list[0]));
	while ((p = next_entry(&list, &len)) != NULL) {
		if (!parse_net(p, len, &n->list[n->len])) {
			*bad_r = mem_strndup(p, len);
			nets_free(&n);
			return NULL;
		}
		n->len++;
	}
	return n;
}

void
nets_free(struct nets **n)
{
	free(*n);
	*n = NULL;
}

bool
nets_have(const struct nets *n, const struct address *a)
{
	for (size_t i = 0; n != NULL && i < n->len; i++) {
		if (net_has(&n->list[i], a)) {
			return true;
		}
	}
	return false;
}

/* ---- X-Forwarded-For ---------------------------------------------------- */

/* An entry, which some proxies write with a port: 192.0.2.1:443, [::1]:443. */
static bool
parse_hop(const char *text, size_t len, struct address *a_r)
{
	const char *colon = memchr(text, ':', len);

	if (len > 2 && text[0] == '[') {
		const char *end = memchr(text, ']', len);

		return end != NULL && (end == text + len - 1 ||
		    end[1] == ':') &&
		    address_parse(text + 1, (size_t)(end - text) - 1, a_r);
	}
	if (colon != NULL && memchr(colon + 1, ':',
	    len - (size_t)(colon + 1 - text)) == NULL) {
		len = (size_t)(colon - text);
	}
	return address_parse(text, len, a_r);
}

struct address
address_forwarded(const struct nets *trusted, const struct address *peer,
    const char *header)
{
	struct address client = *peer;
	size_t end = strlen(header);

	for (int hops = 0; hops < HOPS_MAX && end > 0 &&
	    nets_have(trusted, &client); hops++) {
		struct address hop;
		size_t start, len;

		for (start = end; start > 0 && header[start - 1] != ',';) {
			start--;
		}
		len = end - start;
		end = start > 0 ? start - 1 : 0;
		while (len > 0 && strchr(blanks, header[start]) != NULL) {
			start++;
			len--;
		}
		while (len > 0 && strchr(blanks,
		    header[start + len - 1]) != NULL) {
			len--;
		}
		if (!parse_hop(header + start, len, &hop)) {
			break;
		}
		client = hop;
	}
	return client;
}
