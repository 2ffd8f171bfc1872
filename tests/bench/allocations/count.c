/*
 * Counts what a process allocates, preloaded into it (LD_PRELOAD): calls of
 * malloc, calloc and realloc, of free, and the bytes asked for. The counters are
 * in a memory file named "parley-allocations" among the process's descriptors,
 * where whoever may look into the process reads them (standard/work.py): so
 * nothing is left behind, and nobody has to be asked.
 *
 * Used in a pass of its own: an atomic addition a call is not much, but not
 * nothing. Probes in the kernel (perf probe on malloc) would need no new start of
 * the process, but cost it a trap a call.
 *
 * Any thread. The functions of glibc behind malloc's names have names of their
 * own, so nothing need be looked up, not even before the program begins.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct counters {
	_Atomic uint64_t allocations;
	_Atomic uint64_t frees;
	_Atomic uint64_t bytes;
};

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void __libc_free(void *p);

static struct counters before_main;
static struct counters *counters = &before_main;

static void __attribute__((constructor))
share_counters(void)
{
	int fd = memfd_create("parley-allocations", MFD_CLOEXEC);
	void *shared;

	if (fd < 0 || ftruncate(fd, sizeof(*counters)) != 0) {
		return;
	}
	shared = mmap(NULL, sizeof(*counters), PROT_READ | PROT_WRITE,
	    MAP_SHARED, fd, 0);
	if (shared != MAP_FAILED) {
		counters = shared;
	}
}

static void
count(size_t size)
{
	atomic_fetch_add_explicit(&counters->allocations, 1,
	    memory_order_relaxed);
	atomic_fetch_add_explicit(&counters->bytes, size,
	    memory_order_relaxed);
}

void *
malloc(size_t size)
{
	count(size);
	return __libc_malloc(size);
}

void *
calloc(size_t n, size_t size)
{
	count(n * size); /* overflow is refused by the real one */
	return __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	count(size);
	return __libc_realloc(p, size);
}

void
free(void *p)
{
	int saved = errno;

	if (p != NULL) {
		atomic_fetch_add_explicit(&counters->frees, 1,
		    memory_order_relaxed);
	}
	__libc_free(p);
	errno = saved;
}
