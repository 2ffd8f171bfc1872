/*
 * The epoll loop of the load client, and as much of RFC 6455 as a client needs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/load/engine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench/load/world.h"
#include "common/mem.h"

#define READ_SIZE (256u << 10)
#define EVENTS 256
#define FILES_SPARE 64u /* files of the tool itself */
#define STAGED_MAX (64u << 10) /* beyond it what is staged leaves at once */

struct engine_counts counts;

static struct engine_conf conf;
static struct engine_handler handler;
static int epoll_fd;
static bool stopping;
static uint8_t read_buffer[READ_SIZE];
static uint64_t read_ns; /* when the bytes at hand were read */

/* Frames of one client that wait for the end of its handler. */
static struct {
	struct client *c;
	struct buf bytes;
} staged;

uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void
need_files(size_t n)
{
	struct rlimit r, want;

	getrlimit(RLIMIT_NOFILE, &r);
	want = r;
	if (r.rlim_cur < n) {
		want.rlim_cur = n;
		want.rlim_max = r.rlim_max > n ? r.rlim_max : n;
		if (setrlimit(RLIMIT_NOFILE, &want) != 0) {
			fprintf(stderr, "parley-load: %zu connections need "
			    "%zu open files, and %llu are allowed: raise the "
			    "hard limit (ulimit -Hn, LimitNOFILE=; at most "
			    "fs.nr_open) or ask for fewer --connections\n",
			    n - FILES_SPARE, n,
			    (unsigned long long)r.rlim_max);
			exit(1);
		}
	}
}

struct client *
engine_start(const struct engine_conf *c, size_t n,
    const struct engine_handler *h)
{
	struct client *clients = mem_zalloc((n > 0 ? n : 1) *
	    sizeof(*clients));

	conf = *c;
	handler = *h;
	need_files(n + FILES_SPARE);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; i < n; i++) {
		clients[i].fd = -1;
		clients[i].index = (uint32_t)i;
	}
	return clients;
}

/* ---- connections -------------------------------------------------------- */

static void
watch(struct client *c, int operation, bool out)
{
	struct epoll_event e = {
		.events = EPOLLIN | (out ? EPOLLOUT : 0u),
		.data = { .ptr = c },
	};

	c->wants_out = out;
	epoll_ctl(epoll_fd, operation, c->fd, &e);
}

void
client_cut(struct client *c)
{
	if (c->fd >= 0) {
		close(c->fd);
	}
	if (staged.c == c) {
		buf_reset(&staged.bytes);
	}
	c->fd = -1;
	c->state = CLIENT_OFF;
	buf_fini(&c->in);
	buf_fini(&c->out);
}

static void
client_gone(struct client *c)
{
	client_cut(c);
	if (handler.on_gone != NULL) {
		handler.on_gone(c, now_ns());
	}
}

/* From one loopback address a target has 28,000 ports; with more addresses more
 * clients fit. */
static void
bind_source(const struct client *c)
{
	int on = 1;
	struct sockaddr_in from = { .sin_family = AF_INET };

	if (conf.sources == 0) {
		return;
	}
	from.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 +
	    c->index % conf.sources);
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on,
	    sizeof(on));
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0) {
		perror("parley-load: bind");
		exit(1);
	}
}

void
client_connect(struct client *c)
{
	const struct sockaddr_in *to =
	    &conf.targets[c->index % conf.target_count];
	int on = 1;

	c->began_ns = now_ns();
	c->in_flight = 0;
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		perror("parley-load: socket");
		exit(1);
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	bind_source(c);
	c->state = CLIENT_CONNECTING;
	if (connect(c->fd, (const struct sockaddr *)to, sizeof(*to)) != 0 &&
	    errno != EINPROGRESS) {
		if (errno == EADDRNOTAVAIL) {
			fprintf(stderr, "parley-load: no free port for a "
			    "connection: connect from more addresses "
			    "(--sources) or widen "
			    "net.ipv4.ip_local_port_range\n");
			exit(1);
		}
		counts.connects_failed++;
		client_gone(c);
		return;
	}
	watch(c, EPOLL_CTL_ADD, true);
}

/* ---- out ---------------------------------------------------------------- */

static void
send_bytes(struct client *c, const void *data, size_t len)
{
	ssize_t n = 0;

	if (c->fd < 0) {
		return;
	}
	if (c->out.len == 0) {
		n = send(c->fd, data, len, MSG_NOSIGNAL);
		counts.writes++;
		if (n < 0 && errno != EAGAIN) {
			return; /* reading will tell that it is gone */
		}
		n = n < 0 ? 0 : n;
	}
	if ((size_t)n < len) {
		buf_put(&c->out, (const uint8_t *)data + n, len - (size_t)n);
		if (c->out.len > UNSENT_MAX) {
			counts.closes++;
			shutdown(c->fd, SHUT_RDWR);
		} else if (!c->wants_out) {
			watch(c, EPOLL_CTL_MOD, true);
		}
	}
}

static void
send_rest(struct client *c)
{
	ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);

	counts.writes++;
	if (n > 0) {
		buf_consume(&c->out, (size_t)n);
	}
	if (c->out.len == 0) {
		buf_fini(&c->out);
		watch(c, EPOLL_CTL_MOD, false);
	}
}

static void
send_staged(void)
{
	if (staged.bytes.len > 0) {
		send_bytes(staged.c, staged.bytes.data, staged.bytes.len);
		buf_reset(&staged.bytes);
	}
}

/* RFC 6455, section 5.2, with a masking key of zero. */
static void
send_frame(struct client *c, uint8_t opcode, const void *data, size_t len)
{
	if (staged.c != c || staged.bytes.len > STAGED_MAX) {
		send_staged();
		staged.c = c;
	}
	buf_put_u8(&staged.bytes, (uint8_t)(0x80 | opcode));
	if (len < 126) {
		buf_put_u8(&staged.bytes, (uint8_t)(0x80 | len));
	} else if (len < 65536) {
		buf_put_u8(&staged.bytes, 0x80 | 126);
		buf_put_u16(&staged.bytes, (uint16_t)len);
	} else {
		buf_put_u8(&staged.bytes, 0x80 | 127);
		buf_put_u64(&staged.bytes, len);
	}
	buf_put_u32(&staged.bytes, 0);
	buf_put(&staged.bytes, data, len);
}

void
client_send(struct client *c, const char *text, size_t len)
{
	send_frame(c, 0x1, text, len);
}

static void
send_upgrade(struct client *c)
{
	char token[WORLD_TOKEN_LEN + 1];
	char request[512];
	int n;

	n = snprintf(request, sizeof(request), "GET /ws HTTP/1.1\r\n"
	    "Host: parley.test\r\nConnection: Upgrade\r\n"
	    "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
	    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
	    "Authorization: Bearer %s\r\n\r\n",
	    world_token(conf.world, c->index, token));
	c->state = CLIENT_UPGRADING;
	watch(c, EPOLL_CTL_MOD, false);
	send_bytes(c, request, (size_t)n);
}

/* ---- in ----------------------------------------------------------------- */

static bool
starts_with(const char *json, size_t len, const char *type)
{
	size_t n = strlen(type);

	return len >= 9 + n && memcmp(json + 9, type, n) == 0;
}

static void
take_text(struct client *c, const char *json, size_t len)
{
	counts.frames++;
	if (c->state == CLIENT_WAITING && starts_with(json, len,
	    "user_info\"")) {
		c->state = CLIENT_READY;
		handler.on_ready(c, read_ns);
		return;
	}
	if (starts_with(json, len, "error\"")) {
		if (counts.errors++ < 3) {
			fprintf(stderr, "parley-load: %.*s\n",
			    (int)(len > 300 ? 300 : len), json);
		}
	}
	if (handler.on_frame != NULL) {
		handler.on_frame(c, json, len, read_ns);
	}
}

static void
take_close(const uint8_t *data, size_t len)
{
	unsigned code = len < 2 ? 1005 : (unsigned)(data[0] << 8 | data[1]);

	counts.closes++;
	counts.close_codes[code < 5000 ? code : 0]++;
}

/* One whole frame at the beginning of the data: its length, 0 if it is not all
 * there, or -1 when it cannot be taken. */
static ssize_t
take_frame(struct client *c, const uint8_t *p, size_t len)
{
	size_t head = 2;
	uint64_t size;

	if (len < 2) {
		return 0;
	}
	size = p[1] & 0x7f;
	if (size == 126) {
		head = 4;
	} else if (size == 127) {
		head = 10;
	}
	if (len < head) {
		return 0;
	}
	if (head > 2) {
		size = 0;
		for (size_t i = 2; i < head; i++) {
			size = size << 8 | p[i];
		}
	}
	if (size > FRAME_MAX || (p[0] & 0x80) == 0) {
		return -1; /* the server never fragments */
	}
	if (len < head + size) {
		return 0;
	}
	switch (p[0] & 0x0f) {
	case 0x1:
		take_text(c, (const char *)p + head, (size_t)size);
		break;
	case 0x8:
		take_close(p + head, (size_t)size);
		return -1;
	case 0x9:
		send_frame(c, 0xa, p + head, (size_t)size);
		break;
	}
	return (ssize_t)(head + size);
}

static ssize_t
take_upgrade(struct client *c, const uint8_t *p, size_t len)
{
	const uint8_t *end = memmem(p, len, "\r\n\r\n", 4);

	if (end == NULL) {
		return len > 16384 ? -1 : 0;
	}
	if (memcmp(p, "HTTP/1.1 101", 12) != 0) {
		if (counts.refused++ < 3) {
			fprintf(stderr, "parley-load: refused: %.*s\n",
			    (int)(end - p), (const char *)p);
		}
		return -1;
	}
	c->state = CLIENT_WAITING;
	return end + 4 - p;
}

/* Takes what is whole; returns how much, or -1 when the connection is done. */
static ssize_t
take(struct client *c, const uint8_t *p, size_t len)
{
	size_t used = 0;
	int fd = c->fd;

	while (used < len) {
		ssize_t n = c->state == CLIENT_UPGRADING ?
		    take_upgrade(c, p + used, len - used) :
		    take_frame(c, p + used, len - used);

		if (n < 0) {
			return -1;
		}
		if (n == 0) {
			break;
		}
		used += (size_t)n;
		if (c->fd != fd || c->state == CLIENT_OFF) {
			return (ssize_t)len; /* the mode cut it */
		}
	}
	return (ssize_t)used;
}

static void
read_some(struct client *c)
{
	ssize_t n = recv(c->fd, read_buffer, sizeof(read_buffer), 0);
	ssize_t used;

	counts.reads++;
	if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
		return;
	}
	if (n <= 0) {
		counts.closes++;
		client_gone(c);
		return;
	}
	read_ns = now_ns();
	counts.bytes_in += (uint64_t)n;
	if (c->in.len == 0) {
		used = take(c, read_buffer, (size_t)n);
		if (used >= 0 && used < n && c->fd >= 0) {
			buf_put(&c->in, read_buffer + used,
			    (size_t)(n - used));
		}
	} else {
		buf_put(&c->in, read_buffer, (size_t)n);
		used = take(c, c->in.data, c->in.len);
		if (used >= 0 && c->fd >= 0 && c->in.len > 0) {
			buf_consume(&c->in, (size_t)used);
		}
	}
	if (used < 0) {
		client_gone(c);
	} else if (c->in.len == 0) {
		buf_fini(&c->in); /* idle clients cost nothing */
	}
}

static void
serve(struct client *c, uint32_t events)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (c->state == CLIENT_CONNECTING) {
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error != 0) {
			counts.connects_failed++;
			client_gone(c);
		} else {
			send_upgrade(c);
		}
		return;
	}
	if ((events & EPOLLOUT) != 0 && c->out.len > 0) {
		send_rest(c);
	}
	if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
		read_some(c);
	}
}

void
engine_stop(void)
{
	stopping = true;
}

void
engine_run(uint64_t until)
{
	struct epoll_event events[EVENTS];

	stopping = false;
	while (!stopping) {
		uint64_t now = now_ns();
		uint64_t wait = handler.on_turn(now);
		struct timespec t;
		int n;

		send_staged();
		if (now >= until) {
			return;
		}
		wait = wait < until - now ? wait : until - now;
		t.tv_sec = (time_t)(wait / 1000000000u);
		t.tv_nsec = (long)(wait % 1000000000u);
		n = epoll_pwait2(epoll_fd, events, EVENTS, &t, NULL);
		for (int i = 0; i < n; i++) {
			struct client *c = events[i].data.ptr;

			if (c->fd >= 0) {
				serve(c, events[i].events);
				send_staged();
			}
		}
	}
}
