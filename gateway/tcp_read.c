/*
 * The kernel's headers, and not the C library's, know tcpi_bytes_received; the
 * two cannot stand in one file. Of the states the kernel's know other names.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/tcp_read.h"

#include <linux/bpf.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define LOOKS_MAX 64

struct seen {
	uint64_t bytes;
	bool end; /* the other side sends no more */
};

static bool
look(int fd, struct seen *seen)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) < 0) {
		return false;
	}
	seen->bytes = info.tcpi_bytes_received;
	switch (info.tcpi_state) {
	case BPF_TCP_CLOSE_WAIT:
	case BPF_TCP_LAST_ACK:
	case BPF_TCP_CLOSING:
		/* The kernel counts the end itself, the FIN, as a byte. */
		seen->end = true;
		seen->bytes--;
		return true;
	case BPF_TCP_ESTABLISHED:
	case BPF_TCP_FIN_WAIT1:
	case BPF_TCP_FIN_WAIT2:
		seen->end = false;
		return true;
	default:
		/* Reset: after an end or without one. */
		return false;
	}
}

bool
tcp_read_count(int fd, uint64_t *count_r)
{
	for (int i = 0; i < LOOKS_MAX; i++) {
		struct seen before, after;
		int waiting = 0;

		if (!look(fd, &before) || ioctl(fd, FIONREAD, &waiting) < 0 ||
		    !look(fd, &after)) {
			return false;
		}
		/* Nothing came in between: the figures are of one moment. */
		if (before.bytes == after.bytes && before.end == after.end &&
		    (uint64_t)waiting <= before.bytes) {
			*count_r = before.bytes - (uint64_t)waiting;
			return true;
		}
	}
	return false;
}
