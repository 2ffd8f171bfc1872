/*
 * address: where a client calls from, as limits count it, and the networks that
 * settings name.
 *
 * An address is an IPv6 address; IPv4 stands in it mapped (::ffff:a.b.c.d), so
 * that one form serves both. What limits count is its site: the IPv4 address
 * itself, of IPv6 the first 64 bits, since who has one address there has 2^64.
 *
 * Pure; any thread.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_ADDRESS_H
#define COMMON_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/uuid.h"

struct sockaddr;

#define ADDRESS_TEXT_LEN 45

struct address {
	uint8_t b[16]; /* network order; all zero: not known */
};

/* Reads exactly `len` characters: 192.0.2.1, 2001:db8::1, ::ffff:192.0.2.1.
 * Names, scopes (fe80::1%eth0) and anything else are refused. */
MUST_CHECK bool address_parse(const char *text, size_t len,
    struct address *a_r);
/* AF_INET and AF_INET6; others (a Unix socket) are not known. */
struct address address_of(const struct sockaddr *sa);
struct address address_v4(const uint8_t b[4]);
struct address address_v6(const uint8_t b[16]);
bool address_is_v4(const struct address *a);
bool address_eq(const struct address *a, const struct address *b);
/* As people write it: mapped IPv4 as IPv4. Returns `text`. */
char *address_format(const struct address *a, char text[ADDRESS_TEXT_LEN + 1]);
/* By which limits count it. */
struct uuid address_site(const struct address *a);

/* ---- networks ----------------------------------------------------------- */

struct nets;

/* A comma-separated list of addresses and networks (10.0.0.0/8, 2001:db8::/32).
 * NULL or empty: none at all. NULL when an entry is none; *bad_r is then that
 * entry, to be freed by the caller. */
MUST_CHECK struct nets *nets_new(const char *list, char **bad_r);
void nets_free(struct nets **n);
bool nets_have(const struct nets *n, const struct address *a);

/*
 * Whose request it is that a peer of `trusted` brings with `header`, an
 * X-Forwarded-For: read from its end, each trusted proxy vouches for the entry
 * before it; the first that is not trusted is the client. What cannot be read,
 * or goes on for ever, ends the search at who vouched for it. A peer that is
 * not trusted is the client itself, whatever it says.
 */
struct address address_forwarded(const struct nets *trusted,
    const struct address *peer, const char *header);

#endif
