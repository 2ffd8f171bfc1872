/*
 * Bare fan-out: one process sends the same bytes to many sockets, another reads
 * them by epoll and throws them away. A sender that is ahead waits: for the
 * socket that is full, or, where no more than some frames a socket may be unread,
 * for the reader, as chats whose people answer each other do. Without that bound
 * frames pile up in the sockets, wake nobody, and are read many at a time, which
 * costs both sides less than half.
 *
 * SPDX-License-Identifier: MIT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/ceiling/ceiling.h"
#include "common/mem.h"

/* Bytes that the reader has got; shared with it. */
static _Atomic uint64_t *read_bytes;

static void
must(int ok)
{
	if (!ok) {
		abort();
	}
}

static void
read_for_ever(const struct sockaddr_in *to, uint32_t sockets)
{
	static char data[256 << 10];
	struct epoll_event events[256];
	int epoll_fd = epoll_create1(0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (uint32_t i = 0; i < sockets; i++) {
		struct epoll_event e = { .events = EPOLLIN };

		e.data.fd = socket(AF_INET, SOCK_STREAM, 0);
		must(connect(e.data.fd, (const struct sockaddr *)to,
		    sizeof(*to)) == 0);
		must(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, e.data.fd, &e) == 0);
	}
	for (;;) {
		int n = epoll_wait(epoll_fd, events, 256, -1);

		for (int i = 0; i < n; i++) {
			ssize_t got = recv(events[i].data.fd, data,
			    sizeof(data), 0);

			if (got <= 0) {
				_exit(0);
			}
			*read_bytes += (uint64_t)got;
		}
	}
}

static void
send_all(int fd, const char *frame, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, frame, size, MSG_DONTWAIT);

		if (n >= 0) {
			frame += n;
			size -= (size_t)n;
		} else {
			struct pollfd p = { .fd = fd, .events = POLLOUT };

			must(errno == EAGAIN && poll(&p, 1, 5000) == 1);
		}
	}
}

/* Until no more than `ahead` frames a socket are unread; 0: no matter. */
static void
wait_for_reader(uint64_t sent, uint32_t ahead, uint32_t sockets, uint32_t size)
{
	while (ahead > 0 && sent * size > *read_bytes +
	    (uint64_t)ahead * sockets * size) {
		usleep(20);
	}
}

double
ceiling_send(double seconds, uint32_t sockets, uint32_t size, uint32_t ahead)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	struct rlimit r = { sockets + 64, sockets + 64 };
	socklen_t len = sizeof(a);
	char *frame = mem_zalloc(size);
	int *fds = mem_zalloc(sockets * sizeof(*fds));
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	uint64_t sent = 0;
	double began, took;
	pid_t reader;

	read_bytes = mmap(NULL, sizeof(*read_bytes), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(read_bytes != MAP_FAILED);
	setrlimit(RLIMIT_NOFILE, &r);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	must(bind(listener, (struct sockaddr *)&a, sizeof(a)) == 0 &&
	    listen(listener, 4096) == 0 &&
	    getsockname(listener, (struct sockaddr *)&a, &len) == 0);
	reader = fork();
	if (reader == 0) {
		read_for_ever(&a, sockets);
	}
	for (uint32_t i = 0; i < sockets; i++) {
		fds[i] = accept(listener, NULL, NULL);
		must(fds[i] >= 0);
	}
	began = ceiling_now();
	do {
		for (uint32_t i = 0; i < sockets; i++) {
			send_all(fds[i], frame, size);
		}
		sent += sockets;
		wait_for_reader(sent, ahead, sockets, size);
		took = ceiling_now() - began;
	} while (took < seconds);
	kill(reader, SIGKILL);
	waitpid(reader, NULL, 0);
	free(fds);
	free(frame);
	return (double)sent / took;
}
