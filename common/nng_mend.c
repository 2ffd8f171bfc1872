/*
 * Functions of the libraries that NNG calls by their public names, and so finds
 * here first: each goes on to the one it stands before.
 *
 * A lost part. ipc:// and tcp:// move a message in parts, and the end of one
 * begins the next. If its connection was closed between the two, the next is not
 * begun, and nobody is told: the thread that clears away connections waits for it
 * for ever. The process then hears of no connection's end any more, and its own
 * end hangs. (nni_aio_begin leaves NNG_ECANCELED as the result then, which
 * nothing else does here: only nni_aio_stop also gives it, and a connection's
 * are closed before they are stopped. Whoever begins a part holds the lock that
 * the callback takes, so the result is still this part's.) Here it is ended as
 * any other that came too late.
 *
 * A greeting nobody hears. Whoever has connected and is gone before NNG greets
 * him leaves it EPIPE. That is NNG_ECLOSED to it, which its listener takes for
 * its own end: nobody can connect any more. A reset connection says the same of
 * the caller, and the listener goes on.
 *
 * Thread: any, except nng_mend.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "common/attr.h"
#include "common/metrics.h"
#include "common/nng_mend.h"

#define FAULTY "1.5."

typedef void stream_fn(nng_stream *stream, nng_aio *aio);
typedef ssize_t sendmsg_fn(int fd, const struct msghdr *msg, int flags);

static struct {
	atomic_uint_fast64_t parts;
	atomic_uint_fast64_t greetings;
} counts;

/* Within NNG's nng_stream_send. */
static _Thread_local bool nng_sends;

/* The function that would be called if ours were not there; found once. */
static void *
next_of(_Atomic(void *) *known, const char *name)
{
	void *fn = atomic_load(known);

	if (fn == NULL) {
		fn = dlsym(RTLD_NEXT, name);
		assert(fn != NULL);
		atomic_store(known, fn);
	}
	return fn;
}

static bool
is_faulty(void)
{
	return strncmp(nng_version(), FAULTY, sizeof(FAULTY) - 1) == 0;
}

/* A part that was not begun is ended. */
static void
end_if_lost(nng_aio *aio)
{
	if (nng_aio_result(aio) == NNG_ECANCELED && is_faulty()) {
		atomic_fetch_add(&counts.parts, 1);
		nng_aio_finish(aio, NNG_ECLOSED);
	}
}

void
nng_stream_recv(nng_stream *stream, nng_aio *aio)
{
	static _Atomic(void *) known;
	stream_fn *next = (stream_fn *)next_of(&known, "nng_stream_recv");

	next(stream, aio);
	end_if_lost(aio);
}

void
nng_stream_send(nng_stream *stream, nng_aio *aio)
{
	static _Atomic(void *) known;
	stream_fn *next = (stream_fn *)next_of(&known, "nng_stream_send");

	nng_sends = true;
	next(stream, aio);
	nng_sends = false;
	end_if_lost(aio);
}

ssize_t
sendmsg(int fd, const struct msghdr *msg, int flags)
{
	static _Atomic(void *) known;
	sendmsg_fn *next = (sendmsg_fn *)next_of(&known, "sendmsg");
	ssize_t n;

	n = next(fd, msg, flags);
	if (n < 0 && errno == EPIPE && nng_sends) {
		atomic_fetch_add(&counts.greetings, 1);
		errno = ECONNRESET;
	}
	return n;
}

static double
count_value(void *arg)
{
	return (double)atomic_load((atomic_uint_fast64_t *)arg);
}

void
nng_mend(void)
{
	static const struct {
		const char *label;
		atomic_uint_fast64_t *count;
	} faults[] = {
		{ "fault=\"lost_part\"", &counts.parts },
		{ "fault=\"broken_pipe\"", &counts.greetings },
	};
	static bool done;

	for (size_t i = 0; i < ARRAY_LEN(faults) && !done; i++) {
		metric_counter_fn("parley_nng_mended_total", faults[i].label,
		    "Times that NNG was kept from what can lose it a "
		    "connection's or a listener's end", count_value, faults[i].count);
	}
	done = true;
}
