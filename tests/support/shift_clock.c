/*
 * shift_clock: a library to be preloaded (LD_PRELOAD) that shifts the wall clock
 * of one process while it runs. The file named by SHIFT_CLOCK_FILE holds the
 * shift, a signed number of seconds (64 bits, the machine's order); it is mapped, so
 * that what a test writes there holds from the next look at the clock. The
 * monotonic clock is left alone, as a real jump leaves it.
 *
 * No locks and no allocation: it works below any allocator and in any thread.
 * libfaketime does not: it ends a Redis with jemalloc at its start.
 *
 * SPDX-License-Identifier: MIT
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *shift;

__attribute__((constructor)) static void
shift_clock_open(void)
{
	const char *path = getenv("SHIFT_CLOCK_FILE");
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	void *at;

	if (fd < 0) {
		return;
	}
	at = mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (at != MAP_FAILED) {
		shift = at;
	}
}

static time_t
shift_now(void)
{
	return shift != NULL ? (time_t)*shift : 0;
}

int
clock_gettime(clockid_t which, struct timespec *ts)
{
	int status = (int)syscall(SYS_clock_gettime, which, ts);

	if (status == 0 &&
	    (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) {
		ts->tv_sec += shift_now();
	}
	return status;
}

int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
	struct timespec ts;

	(void)zone;
	if (clock_gettime(CLOCK_REALTIME, &ts) != 0) {
		return -1;
	}
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *at)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_REALTIME, &ts) != 0) {
		return (time_t)-1;
	}
	if (at != NULL) {
		*at = ts.tv_sec;
	}
	return ts.tv_sec;
}
