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

#define LOOKS_MAX 64

static bool
received(int fd, uint64_t *count_r)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0) {
		return false;
	}
	*count_r = info.tcpi_bytes_received;
	return true;
}

bool
tcp_read_count(int fd, uint64_t *count_r)
{
	for (int i = 0; i < LOOKS_MAX; i++) {
		uint64_t before, after;
		int waiting = 0;

		if (!received(fd, &before) ||
		    ioctl(fd, FIONREAD, &waiting) < 0 ||
		    !received(fd, &after)) {
			return false;
		}
		/* Nothing came in between: the two figures are of one moment. */
		if (before == after && (uint64_t)waiting <= before) {
			*count_r = before - (uint64_t)waiting;
			return true;
		}
	}
	return false;
}
