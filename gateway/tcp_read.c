/*
 * The kernel's headers, and not the C library's, know tcpi_bytes_received; the
 * two cannot stand in one file.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/tcp_read.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

static uint64_t
received(int fd)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0
	    ? info.tcpi_bytes_received : 0;
}

static uint64_t
waiting(int fd)
{
	int n = 0;

	return ioctl(fd, FIONREAD, &n) == 0 && n > 0 ? (uint64_t)n : 0;
}

uint64_t
tcp_read_at_most(int fd)
{
	uint64_t before = waiting(fd);
	uint64_t all = received(fd);

	return all > before ? all - before : 0;
}

uint64_t
tcp_read_at_least(int fd)
{
	uint64_t all = received(fd);
	uint64_t after = waiting(fd);

	return all > after ? all - after : 0;
}
