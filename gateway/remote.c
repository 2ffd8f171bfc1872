/*
 * A proxy's own sockets are not counted: they carry many clients, each of whom
 * is counted when his request, or his handshake, names him.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/remote.h"

#include <assert.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/daemon.h"
#include "common/mem.h"
#include "gateway/gateway.h"
#include "gateway/http.h"
#include "gateway/settings.h"

/* HTTP sockets beside the WebSockets; server.c allows twice as many files. */
#define SOCKETS_SPARE 512
/* Longer headers are none of a sane proxy's. */
#define FORWARDED_MAX 2048

struct remote {
	struct gateway *gw;      /* borrowed */
	struct address address;
	bool trusted;
	bool arriving;           /* counted as a handshake */
	struct caller *caller;   /* held; NULL: a proxy, not counted */
	const char *refused;     /* fixed text */
	uint64_t bytes_read;     /* when its last request was done */
};

uint64_t *
remote_bytes_read(struct remote *p)
{
	return &p->bytes_read;
}

bool
remote_check(char *why)
{
	char *bad = NULL;
	struct nets *n = nets_new(settings.trusted_proxies, &bad);

	if (n == NULL) {
		snprintf(why, DAEMON_WHY_LEN, "setting trusted_proxies: "
		    "\"%.100s\" is no address and no network: write such as "
		    "192.0.2.1 or 10.0.0.0/8, comma-separated", bad);
		free(bad);
		return false;
	}
	nets_free(&n);
	return true;
}

struct nets *
remote_read_trusted(void)
{
	char *bad = NULL;
	struct nets *n = nets_new(settings.trusted_proxies, &bad);

	assert(n != NULL);
	return n;
}

/* ---- counting ----------------------------------------------------------- */

static void
count_in(struct remote *p, struct caller *caller)
{
	p->caller = caller;
	caller->sockets++;
	if (p->arriving) {
		caller->handshakes++;
	}
}

static void
count_out(struct remote *p)
{
	struct caller *caller = p->caller;

	if (caller == NULL) {
		return;
	}
	p->caller = NULL;
	caller->sockets--;
	if (p->arriving) {
		caller->handshakes--;
	}
	limits_caller_release(p->gw->limits, caller);
}

static bool
over(const char *setting_reason, struct remote *p, enum refused_connection why)
{
	limits_refused(p->gw->limits, why, &p->address);
	p->refused = setting_reason;
	return true;
}

/* Whether one more socket of this address is too many; then it is counted, and
 * p->refused tells why. */
static bool
too_many(struct remote *p, struct caller *caller)
{
	if (caller->sockets >= (uint64_t)settings.address_connections_max) {
		return over("Too many connections", p, REFUSED_CONNECTIONS);
	}
	if (limits_caller(p->gw->limits, caller, CALLER_CONNECTS) > 0) {
		return over("Connecting too often", p, REFUSED_CONNECTS);
	}
	return false;
}

/* A refused client is told why as long as that stays cheap: within a rate of
 * its own, and not many sockets at a time. */
static bool
may_be_told(struct remote *p, struct caller *caller)
{
	uint64_t max = (uint64_t)settings.address_connections_max;

	return caller->sockets < max + max / 8 + 8 &&
	    limits_caller(p->gw->limits, caller, CALLER_REFUSALS) == 0;
}

static bool
admit(struct remote *p, size_t sockets)
{
	struct limits *l = p->gw->limits;
	struct caller *caller;

	if (sockets >= (size_t)settings.connections_max + SOCKETS_SPARE) {
		limits_refused(l, REFUSED_TOTAL, &p->address);
		return false;
	}
	if (p->trusted) {
		return true;
	}
	caller = limits_caller_hold(l, &p->address);
	if (caller->handshakes >= (uint64_t)settings.address_handshakes_max) {
		limits_refused(l, REFUSED_HANDSHAKES, &p->address);
		limits_caller_release(l, caller);
		return false;
	}
	if (too_many(p, caller) && !may_be_told(p, caller)) {
		limits_caller_release(l, caller);
		return false;
	}
	count_in(p, caller);
	return true;
}

/* ---- the face ----------------------------------------------------------- */

struct remote *
remote_new(struct gateway *gw, const struct address *a, size_t sockets)
{
	struct remote *p = mem_zalloc(sizeof(*p));

	p->gw = gw;
	p->address = *a;
	p->trusted = nets_have(gw->trusted, a);
	p->arriving = true;
	if (!admit(p, sockets)) {
		remote_free(&p);
	}
	return p;
}

void
remote_free(struct remote **pp)
{
	struct remote *p = *pp;

	if (p != NULL) {
		*pp = NULL;
		count_out(p);
		free(p);
	}
}

void
remote_arrived(struct remote *p)
{
	if (p->arriving) {
		p->arriving = false;
		if (p->caller != NULL) {
			p->caller->handshakes--;
		}
	}
}

const char *
remote_refused(const struct remote *p)
{
	return p->refused;
}

struct address
remote_client(const struct remote *p, struct lws *wsi)
{
	char header[FORWARDED_MAX];

	if (!p->trusted) {
		return p->address;
	}
	http_header(wsi, WSI_TOKEN_X_FORWARDED_FOR, header, sizeof(header));
	return address_forwarded(p->gw->trusted, &p->address, header);
}

struct caller *
remote_become(struct remote *p, const struct address *client)
{
	struct caller *caller;

	if (p->caller != NULL) {
		return p->caller;
	}
	caller = limits_caller_hold(p->gw->limits, client);
	p->address = *client;
	(void)too_many(p, caller);
	count_in(p, caller);
	return caller;
}
