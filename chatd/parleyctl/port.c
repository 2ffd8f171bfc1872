/*
 * A very small HTTP client for our own admin ports.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/parleyctl/port.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chatd/parleyctl/ctl.h"
#include "common/buf.h"
#include "common/clock.h"
#include "common/mem.h"

#define ANSWER_MAX ((size_t)4 << 20)
#define WAIT_MS 2000

/* ---- one request ----------------------------------------------------------- */

/* Until `fd` is ready for `events`. False: the time is over. */
static bool
wait_for(int fd, short events, uint64_t until)
{
	struct pollfd p = { .fd = fd, .events = events };
	uint64_t now = clock_mono_ms();

	return now < until && poll(&p, 1, (int)(until - now)) == 1;
}

static int
dial(const struct addrinfo *ai, uint64_t until)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC |
	    SOCK_NONBLOCK, 0);
	socklen_t len = sizeof(int);
	int error = 0;

	if (fd < 0) {
		return -1;
	}
	if (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0 &&
	    (errno != EINPROGRESS || !wait_for(fd, POLLOUT, until) ||
	    getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0 ||
	    error != 0)) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The whole answer, with a NUL behind it. */
static bool
read_all(int fd, uint64_t until, struct buf *b)
{
	while (b->len < ANSWER_MAX) {
		ssize_t n;

		if (!wait_for(fd, POLLIN, until)) {
			return false;
		}
		n = read(fd, buf_reserve(b, 65536), 65536);
		if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
			continue;
		}
		if (n <= 0) {
			buf_put_u8(b, 0);
			return n == 0;
		}
		b->len += (size_t)n;
	}
	return false;
}

/* The status, and the body (the caller's); 0: no answer. */
static int
get(const struct addrinfo *ai, const char *path, char **body_r)
{
	uint64_t until = clock_mono_ms() + WAIT_MS;
	struct buf b = BUF_INIT;
	char request[128];
	int fd = dial(ai, until), status = 0, len;
	const char *body;

	*body_r = NULL;
	if (fd < 0) {
		return 0;
	}
	len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n"
	    "Host: parleyctl\r\nConnection: close\r\n\r\n", path);
	if (send(fd, request, (size_t)len, MSG_NOSIGNAL) == len &&
	    read_all(fd, until, &b) &&
	    sscanf((const char *)b.data, "HTTP/1.1 %3d", &status) == 1) {
		body = strstr((const char *)b.data, "\r\n\r\n");
		*body_r = mem_strdup(body != NULL ? body + 4 : "");
	}
	close(fd);
	buf_fini(&b);
	return status;
}

/* ---- all ------------------------------------------------------------------- */

static void
ask(struct port *p, const struct addrinfo *ai)
{
	char host[NI_MAXHOST], service[NI_MAXSERV], *body;
	int status;

	if (getnameinfo(ai->ai_addr, ai->ai_addrlen, host, sizeof(host),
	    service, sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
		p->address = mem_sprintf(ai->ai_family == AF_INET6 ?
		    "[%s]:%s" : "%s:%s", host, service);
	}
	status = get(ai, "/readyz", &body);
	p->state = status == 0 ? PORT_DOWN : status == 200 ? PORT_READY :
	    PORT_NOT_READY;
	if (status == 0) {
		snprintf(p->why, sizeof(p->why), "does not answer");
	} else if (status != 200) {
		snprintf(p->why, sizeof(p->why), "%.*s",
		    (int)strcspn(body, "\n"), body);
	}
	free(body);
	if (status != 0 && get(ai, "/metrics", &body) == 200) {
		p->metrics = body;
	}
}

static struct port *
add(struct port **ports, size_t *count, const char *name, size_t len)
{
	struct port *p;

	*ports = mem_realloc(*ports, (*count + 1) * sizeof(**ports));
	p = &(*ports)[(*count)++];
	memset(p, 0, sizeof(*p));
	p->name = mem_strndup(name, len);
	return p;
}

/* One entry: name=host:port. False: malformed. */
static bool
ask_entry(struct port **ports, size_t *count, const char *entry)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	const char *equals = strchr(entry, '=');
	const char *colon = strrchr(entry, ':');
	struct addrinfo *found = NULL;
	char *host;
	size_t len;

	if (equals == NULL || colon == NULL || colon < equals + 2 ||
	    colon[1] == '\0') {
		return false;
	}
	len = (size_t)(colon - equals - 1);
	host = equals[1] == '[' && len > 2 ?
	    mem_strndup(equals + 2, len - 2) : mem_strndup(equals + 1, len);
	if (getaddrinfo(host, colon + 1, &hints, &found) != 0) {
		struct port *p = add(ports, count, entry,
		    (size_t)(equals - entry));

		p->address = mem_strdup(equals + 1);
		snprintf(p->why, sizeof(p->why), "no such host");
	}
	for (struct addrinfo *ai = found; ai != NULL; ai = ai->ai_next) {
		ask(add(ports, count, entry, (size_t)(equals - entry)), ai);
	}
	if (found != NULL) {
		freeaddrinfo(found);
	}
	free(host);
	return true;
}

struct port *
ports_ask(size_t *count_r)
{
	char *copy = mem_strdup(ctl_settings.processes), *save = NULL;
	struct port *ports = mem_zalloc(sizeof(*ports));
	bool good = true;

	*count_r = 0;
	for (char *t = strtok_r(copy, ", ", &save); good && t != NULL;
	    t = strtok_r(NULL, ", ", &save)) {
		good = ask_entry(&ports, count_r, t);
		if (!good) {
			(void)ctl_fail(CTL_USAGE, "setting processes: \"%s\" "
			    "is not name=host:port", t);
		}
	}
	free(copy);
	if (!good) {
		ports_free(ports, *count_r);
		return NULL;
	}
	return ports;
}

void
ports_free(struct port *ports, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(ports[i].name);
		free(ports[i].address);
		free(ports[i].metrics);
	}
	free(ports);
}

/* ---- metrics --------------------------------------------------------------- */

bool
port_metric(const struct port *p, const char *name, double *value_r)
{
	size_t len = strlen(name);
	bool found = false;

	*value_r = 0;
	for (const char *line = p->metrics; line != NULL && *line != '\0';) {
		const char *end = line + strcspn(line, "\n");

		if (strncmp(line, name, len) == 0 &&
		    (line[len] == ' ' || line[len] == '{')) {
			const char *space = memrchr(line, ' ',
			    (size_t)(end - line));

			*value_r += space != NULL ? strtod(space, NULL) : 0;
			found = true;
		}
		line = *end == '\n' ? end + 1 : end;
	}
	return found;
}

char *
port_version(const struct port *p, char *text, size_t size)
{
	const char *at = p->metrics != NULL ?
	    strstr(p->metrics, "parley_build_info{version=\"") : NULL;

	snprintf(text, size, "%s", "");
	if (at != NULL) {
		at = strchr(at, '"') + 1;
		snprintf(text, size, "%.*s", (int)strcspn(at, "\""), at);
	}
	return text;
}
