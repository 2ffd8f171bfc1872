/*
 * Addresses to URLs, see rpc_resolve.h. A look-up in flight keeps the resolver
 * alive until libuv has called back, so freeing marks and the last one frees.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

#include "common/list.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/rpc_resolve.h"
#include "common/rpc_links.h"

#define LOOKUP_EVERY_MS 30000
#define LOOKUP_RETRY_MS 2000
#define ADDRESSES_MAX 64
#define RECORDS_MAX 64

struct address {
	struct resolver *resolver; /* borrowed */
	uv_getaddrinfo_t req;
	bool busy;                 /* a look-up is in flight */
	bool fixed;                /* ipc://, or a numeric address */
	bool tls;
	char *host;                /* owned; what a certificate must be for */
	char *port;                /* owned */
	char *urls[RECORDS_MAX];   /* owned */
	size_t urls_len;
};

struct resolver {
	uv_loop_t *loop;
	uv_timer_t timer;
	resolver_fn *fn;
	void *arg;
	struct address list[ADDRESSES_MAX];
	size_t len;
	size_t busy;
	bool names;  /* some address is a name */
	bool closing;
	bool timer_closed;
};

static void
urls_clear(struct address *a)
{
	for (size_t i = 0; i < a->urls_len; i++) {
		free(a->urls[i]);
	}
	a->urls_len = 0;
}

static void
release(struct resolver *r)
{
	if (r->busy > 0 || !r->timer_closed) {
		return;
	}
	for (size_t i = 0; i < r->len; i++) {
		urls_clear(&r->list[i]);
		free(r->list[i].host);
		free(r->list[i].port);
	}
	free(r);
}

static void
announce(struct resolver *r)
{
	struct resolved urls[ADDRESSES_MAX * 4];
	size_t n = 0;

	for (size_t i = 0; i < r->len; i++) {
		for (size_t k = 0; k < r->list[i].urls_len; k++) {
			if (n < ARRAY_LEN(urls)) {
				urls[n++] = (struct resolved){
					r->list[i].urls[k], r->list[i].host };
			}
		}
	}
	r->fn(r->arg, urls, n);
}

static char *
record_url(const struct sockaddr *sa, const struct address *a)
{
	const char *scheme = a->tls ? "tls+tcp" : "tcp";
	char text[INET6_ADDRSTRLEN];

	if (sa->sa_family == AF_INET) {
		uv_ip4_name((const struct sockaddr_in *)(const void *)sa, text,
		    sizeof(text));
		return mem_sprintf("%s://%s:%s", scheme, text, a->port);
	}
	uv_ip6_name((const struct sockaddr_in6 *)(const void *)sa, text,
	    sizeof(text));
	return mem_sprintf("%s://[%s]:%s", scheme, text, a->port);
}

static void
on_lookup(uv_getaddrinfo_t *req, int status, struct addrinfo *res)
{
	struct address *a = req->data;
	struct resolver *r = a->resolver;

	a->busy = false;
	r->busy--;
	if (r->closing) {
		uv_freeaddrinfo(res);
		release(r);
		return;
	}
	if (status != 0) {
		log_warn("lookup_failed", "host=%s reason=\"%s\"", a->host,
		    uv_strerror(status));
		uv_freeaddrinfo(res);
		return;
	}
	urls_clear(a);
	for (struct addrinfo *i = res; i != NULL; i = i->ai_next) {
		if (a->urls_len < RECORDS_MAX) {
			a->urls[a->urls_len++] = record_url(i->ai_addr, a);
		}
	}
	uv_freeaddrinfo(res);
	announce(r);
}

static void
on_timer(uv_timer_t *timer)
{
	struct resolver *r = timer->data;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	bool unknown = false;

	for (size_t i = 0; i < r->len; i++) {
		struct address *a = &r->list[i];

		if (a->fixed || a->busy) {
			continue;
		}
		unknown = unknown || a->urls_len == 0;
		a->req.data = a;
		if (uv_getaddrinfo(r->loop, &a->req, on_lookup, a->host, NULL,
		    &hints) == 0) {
			a->busy = true;
			r->busy++;
		}
	}
	uv_timer_start(timer, on_timer,
	    unknown ? LOOKUP_RETRY_MS : LOOKUP_EVERY_MS, 0);
}

/* Takes scheme, host and port apart. */
static void
split(struct address *a, const char *url)
{
	unsigned char number[sizeof(struct in6_addr)];
	const char *host = strstr(url, "://") + 3;
	const char *colon = strrchr(host, ':');

	a->tls = rpc_is_tls(url);
	a->fixed = true;
	if (strncmp(url, "ipc://", 6) == 0) {
		return;
	}
	a->host = host[0] == '[' && colon[-1] == ']'
	    ? mem_strndup(host + 1, (size_t)(colon - host) - 2)
	    : mem_strndup(host, (size_t)(colon - host));
	a->port = mem_strdup(colon + 1);
	a->fixed = host[0] == '[' ||
	    inet_pton(AF_INET, a->host, number) == 1;
}

struct resolver *
resolver_new(uv_loop_t *loop, const char *addresses, resolver_fn *fn, void *arg,
    const char **error_r)
{
	struct resolver *r = mem_zalloc(sizeof(*r));
	char *copy = mem_strdup(addresses);
	char *save = NULL;

	*error_r = NULL;
	r->loop = loop;
	r->fn = fn;
	r->arg = arg;
	uv_timer_init(loop, &r->timer);
	r->timer.data = r;
	for (char *t = strtok_r(copy, ", ", &save); t != NULL;
	    t = strtok_r(NULL, ", ", &save)) {
		struct address *a = &r->list[r->len];

		*error_r = r->len == ADDRESSES_MAX
		    ? "more than 64 addresses" : rpc_address_check(t);
		if (*error_r != NULL) {
			break;
		}
		r->len++;
		a->resolver = r;
		split(a, t);
		if (a->fixed) {
			a->urls[a->urls_len++] = mem_strdup(t);
		} else {
			r->names = true;
		}
	}
	if (*error_r == NULL && r->len == 0) {
		*error_r = "no address is given";
	}
	free(copy);
	if (*error_r != NULL) {
		resolver_free(&r);
	}
	return r;
}

void
resolver_start(struct resolver *r)
{
	announce(r);
	if (r->names) {
		on_timer(&r->timer);
	}
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct resolver *r = handle->data;

	r->timer_closed = true;
	release(r);
}

void
resolver_free(struct resolver **rp)
{
	struct resolver *r = *rp;

	if (r == NULL) {
		return;
	}
	*rp = NULL;
	r->closing = true;
	for (size_t i = 0; i < r->len; i++) {
		if (r->list[i].busy) {
			(void)uv_cancel((uv_req_t *)&r->list[i].req);
		}
	}
	uv_close((uv_handle_t *)&r->timer, on_timer_closed);
}
