/*
 * The face of the tunnels, and the thread that does their work.
 *
 * The main thread makes an end, posts it over and does not touch it again until
 * it posts its close. The thread begins with the first end and stops with
 * tunnels_end. It takes no signals: they are for the main thread, and a write to
 * a connection that broke gives an error, no SIGPIPE.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/rpc_tls.h"
#include "common/rpc_tunnel_int.h"

#define SCHEME "tls+tcp://"
#define BACKLOG 1024

struct tunnels tunnels;

/* The main thread's. */
static pthread_t thread;
static bool running;
static unsigned doors_made;

/* ---- the thread --------------------------------------------------------- */

void
tunnel_post(struct tunnel_post *post)
{
	/* The inbox is open until all that could post is gone. */
	bool posted = inbox_post(tunnels.inbox, &post->item);

	assert(posted);
	(void)posted;
}

static void
on_post(void *arg, struct inbox_item *item)
{
	struct tunnel_post *post = CONTAINER_OF(item, struct tunnel_post, item);

	(void)arg;
	post->fn(post);
}

static void *
thread_main(void *arg)
{
	(void)arg;
	uv_run(&tunnels.loop, UV_RUN_DEFAULT);
	return NULL;
}

void
tunnels_check_end(void)
{
	if (tunnels.ending && list_empty(&tunnels.callers) &&
	    list_empty(&tunnels.callees) && list_empty(&tunnels.links) &&
	    tunnels.inbox != NULL) {
		/* The loop has nothing left to wait for then. */
		inbox_close(tunnels.inbox);
		inbox_free(&tunnels.inbox);
	}
}

static void
on_end(struct tunnel_post *post)
{
	(void)post;
	tunnels.ending = true;
	LIST_FOREACH(node, &tunnels.links) {
		tunnel_link_close(LIST_ENTRY(node, struct tunnel_link, node));
	}
	tunnels_check_end();
}

static bool
thread_start(void)
{
	sigset_t all, before;
	int rv;

	if (running) {
		return true;
	}
	memset(&tunnels, 0, sizeof(tunnels));
	list_init(&tunnels.callers);
	list_init(&tunnels.callees);
	list_init(&tunnels.links);
	list_init(&tunnels.early);
	if (uv_loop_init(&tunnels.loop) != 0) {
		return false;
	}
	tunnels.inbox = inbox_new(&tunnels.loop, on_post, NULL);
	if (tunnels.inbox == NULL) {
		uv_loop_close(&tunnels.loop);
		return false;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rv = pthread_create(&thread, NULL, thread_main, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rv != 0) {
		inbox_close(tunnels.inbox);
		inbox_free(&tunnels.inbox);
		uv_run(&tunnels.loop, UV_RUN_DEFAULT);
		uv_loop_close(&tunnels.loop);
		return false;
	}
	(void)pthread_setname_np(thread, "tunnels");
	running = true;
	return true;
}

void
tunnels_end(void)
{
	struct tunnel_post end = { .fn = on_end };
	int rv;

	if (!running) {
		return;
	}
	running = false;
	tunnel_post(&end);
	pthread_join(thread, NULL);
	rv = uv_loop_close(&tunnels.loop);
	assert(rv == 0);
	(void)rv;
}

/* ---- addresses ---------------------------------------------------------- */

/* Of "tls+tcp://host:port"; "[::1]" is without its brackets. */
static bool
split(const char *url, char **host_r, char **port_r)
{
	const char *host = url + strlen(SCHEME);
	const char *colon = strrchr(host, ':');
	size_t len;

	if (!rpc_is_tls(url) || colon == NULL) {
		return false;
	}
	len = (size_t)(colon - host);
	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	}
	*host_r = mem_strndup(host, len);
	*port_r = mem_strdup(colon + 1);
	return true;
}

/* "*" is every address of this machine. */
static int
look_up(const char *url, int flags, union tunnel_address *to_r)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = flags | AI_NUMERICSERV };
	struct addrinfo *found = NULL;
	char *host, *port;
	int rv;

	if (!split(url, &host, &port)) {
		return NNG_EADDRINVAL;
	}
	rv = getaddrinfo(strcmp(host, "*") == 0 ? NULL : host, port, &hints,
	    &found);
	free(host);
	free(port);
	if (rv != 0 || found->ai_addrlen > sizeof(*to_r)) {
		if (rv == 0) {
			freeaddrinfo(found);
		}
		return NNG_EADDRINVAL;
	}
	memcpy(to_r, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return 0;
}

/* A name within this process for where a socket of NNG is joined. */
static void
door_make(char door[TUNNEL_DOOR_LEN])
{
	snprintf(door, TUNNEL_DOOR_LEN, "inproc://parley-tunnel-%u",
	    ++doors_made);
}

/* ---- callers ------------------------------------------------------------ */

int
tunnel_call(struct tunnel_caller **c_r, nng_socket socket, const char *url,
    const char *service, const char *host)
{
	struct tunnel_caller *c = mem_zalloc(sizeof(*c));
	int rv = look_up(url, AI_NUMERICHOST, &c->to);

	if (rv == 0 && (host == NULL || strlen(host) >= TUNNEL_HOST_LEN ||
	    strlen(service) >= TUNNEL_SERVICE_LEN)) {
		rv = NNG_EADDRINVAL;
	}
	if (rv == 0) {
		door_make(c->door);
		rv = nng_listen(socket, c->door, NULL, 0);
	}
	if (rv == 0 && (!rpc_tls_ready() || !thread_start())) {
		rv = NNG_ENOMEM;
	}
	if (rv != 0) {
		free(c);
		return rv;
	}
	c->open.fn = tunnel_caller_open;
	c->close.fn = tunnel_caller_close;
	c->service = mem_strdup(service);
	c->host = mem_strdup(host);
	tunnel_post(&c->open);
	*c_r = c;
	return 0;
}

void
tunnel_hang_up(struct tunnel_caller **c)
{
	if (*c != NULL) {
		tunnel_post(&(*c)->close);
		*c = NULL;
	}
}

/* ---- callees ------------------------------------------------------------ */

static int
doors_open(nng_socket socket, const char *door, struct tunnel_doors *doors_r)
{
	int rv = 0;

	for (unsigned roles = 1; roles <= PROCESS_ANY && rv == 0; roles++) {
		char url[TUNNEL_DOOR_LEN + 8];

		snprintf(url, sizeof(url), "%s-%u", door, roles);
		rv = nng_listen(socket, url, &doors_r->of_roles[roles], 0);
	}
	return rv;
}

unsigned
tunnel_roles(const struct tunnel_doors *doors, nng_pipe pipe)
{
	int id = nng_listener_id(nng_pipe_listener(pipe));

	for (unsigned roles = 1; roles <= PROCESS_ANY; roles++) {
		if (nng_listener_id(doors->of_roles[roles]) == id) {
			return id > 0 ? roles : 0;
		}
	}
	return 0;
}

static int
listening_socket(const union tunnel_address *at, int *fd_r)
{
	socklen_t len = at->any.sa_family == AF_INET ? sizeof(at->v4)
	                                             : sizeof(at->v6);
	int on = 1;
	int fd = socket(at->any.sa_family,
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
	    sizeof(on)) == 0 && bind(fd, &at->any, len) == 0 &&
	    listen(fd, BACKLOG) == 0) {
		*fd_r = fd;
		return 0;
	}
	if (fd >= 0) {
		int error = errno;

		close(fd);
		errno = error;
	}
	return errno == EADDRINUSE ? NNG_EADDRINUSE
	                           : (int)NNG_ESYSERR + errno;
}

int
tunnel_listen(struct tunnel_callee **c_r, struct tunnel_doors *doors_r,
    nng_socket socket, const char *url)
{
	struct tunnel_callee *c = mem_zalloc(sizeof(*c));
	union tunnel_address at;
	int rv = look_up(url, AI_PASSIVE, &at);

	c->fd = -1;
	door_make(c->door);
	if (rv == 0) {
		rv = listening_socket(&at, &c->fd);
	}
	if (rv == 0) {
		rv = doors_open(socket, c->door, doors_r);
	}
	if (rv == 0 && (!rpc_tls_ready() || !thread_start())) {
		rv = NNG_ENOMEM;
	}
	if (rv != 0) {
		if (c->fd >= 0) {
			close(c->fd);
		}
		free(c);
		return rv;
	}
	c->open.fn = tunnel_callee_open;
	c->close.fn = tunnel_callee_close;
	tunnel_post(&c->open);
	*c_r = c;
	return 0;
}

void
tunnel_unlisten(struct tunnel_callee **c)
{
	uv_sem_t closed;

	if (*c == NULL) {
		return;
	}
	/* Whoever frees a server may listen at its address at once. */
	uv_sem_init(&closed, 0);
	(*c)->closed = &closed;
	tunnel_post(&(*c)->close);
	*c = NULL;
	uv_sem_wait(&closed);
	uv_sem_destroy(&closed);
}
