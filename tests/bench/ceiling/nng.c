/*
 * Bare requests: NNG messages of the size that a batch of requests has, echoed
 * by another process.
 *
 * SPDX-License-Identifier: MIT
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <nng/protocol/reqrep0/req.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/ceiling/ceiling.h"

#define REQUEST_SIZE 300u
#define CONTEXTS_MAX 64

static atomic_uint_fast64_t answered;
static uint32_t batch_size;

static void
must(int rv)
{
	if (rv != 0) {
		fprintf(stderr, "parley-ceiling: nng: %s\n", nng_strerror(rv));
		exit(1);
	}
}

struct context {
	nng_ctx ctx;
	nng_aio *aio;
	int sending;
};

static void
send_next(struct context *c)
{
	nng_msg *m;

	must(nng_msg_alloc(&m, (size_t)batch_size * REQUEST_SIZE));
	nng_aio_set_msg(c->aio, m);
	c->sending = 1;
	nng_ctx_send(c->ctx, c->aio);
}

static void
on_event(void *arg)
{
	struct context *c = arg;

	if (nng_aio_result(c->aio) != 0) {
		return;
	}
	if (c->sending) {
		c->sending = 0;
		nng_ctx_recv(c->ctx, c->aio);
		return;
	}
	nng_msg_free(nng_aio_get_msg(c->aio));
	answered += batch_size;
	send_next(c);
}

/* A callback's context echoes whatever it receives. */
static void
on_echo(void *arg)
{
	struct context *c = arg;

	if (nng_aio_result(c->aio) != 0) {
		return;
	}
	if (c->sending) {
		c->sending = 0;
		nng_ctx_recv(c->ctx, c->aio);
		return;
	}
	c->sending = 1;
	nng_ctx_send(c->ctx, c->aio);
}

static void
echo_for_ever(const char *url, uint32_t contexts)
{
	static struct context all[CONTEXTS_MAX];
	nng_socket s;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	must(nng_rep0_open(&s));
	for (uint32_t i = 0; i < contexts; i++) {
		must(nng_ctx_open(&all[i].ctx, s));
		must(nng_aio_alloc(&all[i].aio, on_echo, &all[i]));
		nng_ctx_recv(all[i].ctx, all[i].aio);
	}
	must(nng_listen(s, url, NULL, 0));
	for (;;) {
		pause();
	}
}

double
ceiling_nng(double seconds, uint32_t batch, uint32_t contexts)
{
	static struct context all[CONTEXTS_MAX];
	char url[64];
	nng_socket s;
	double began, took;
	uint64_t before;
	pid_t echo;

	batch_size = batch;
	contexts = contexts < CONTEXTS_MAX ? contexts : CONTEXTS_MAX;
	snprintf(url, sizeof(url), "abstract://parley-ceiling-%d", getpid());
	echo = fork(); /* before NNG's first use, as it wants */
	if (echo == 0) {
		echo_for_ever(url, contexts);
	}
	must(nng_req0_open(&s));
	must(nng_dial(s, url, NULL, NNG_FLAG_NONBLOCK));
	for (uint32_t i = 0; i < contexts; i++) {
		must(nng_ctx_open(&all[i].ctx, s));
		must(nng_aio_alloc(&all[i].aio, on_event, &all[i]));
		send_next(&all[i]);
	}
	usleep(300000);
	before = answered;
	began = ceiling_now();
	usleep((useconds_t)(seconds * 1e6));
	took = ceiling_now() - began;
	before = answered - before;
	kill(echo, SIGKILL);
	waitpid(echo, NULL, 0);
	return (double)before / took;
}
