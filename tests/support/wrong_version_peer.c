/*
 * A peer of another release: listens at an NNG URL as a process of ours would,
 * and answers every batch with one of the next envelope version. Tests use it
 * to see that nobody works with such a peer. Ends on SIGTERM or SIGINT.
 *
 *   wrong_version_peer ipc:///tmp/x.sock
 *
 * SPDX-License-Identifier: MIT
 */
#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/envelope.h"

#define LOOK_MS 100

static volatile sig_atomic_t ended;

static void
on_signal(int number)
{
	(void)number;
	ended = 1;
}

static int
fail(const char *what, int rv)
{
	fprintf(stderr, "wrong_version_peer: %s: %s\n", what, nng_strerror(rv));
	return 1;
}

/* Answers one batch, if one comes in time. */
static int
serve(nng_socket socket)
{
	static const uint8_t refusal[ENVELOPE_HEADER_LEN] = {
		'P', 'R', 'L', 'Y',
		(ENVELOPE_VERSION + 1) >> 8, (ENVELOPE_VERSION + 1) & 0xff,
		0, 0,
	};
	nng_msg *msg;
	int rv = nng_recvmsg(socket, &msg, 0);

	if (rv != 0) {
		return rv == NNG_ETIMEDOUT ? 0 : rv;
	}
	nng_msg_clear(msg);
	rv = nng_msg_append(msg, refusal, sizeof(refusal));
	if (rv == 0) {
		rv = nng_sendmsg(socket, msg, 0);
	}
	if (rv != 0) {
		nng_msg_free(msg);
	}
	return rv;
}

int
main(int argc, char **argv)
{
	struct sigaction act = { .sa_handler = on_signal };
	nng_socket socket;
	int rv;

	if (argc != 2) {
		fprintf(stderr, "usage: wrong_version_peer URL\n");
		return 2;
	}
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGINT, &act, NULL);
	rv = nng_rep0_open(&socket);
	if (rv != 0) {
		return fail("open", rv);
	}
	(void)nng_socket_set_ms(socket, NNG_OPT_RECVTIMEO, LOOK_MS);
	rv = nng_listen(socket, argv[1], NULL, 0);
	if (rv != 0) {
		return fail(argv[1], rv);
	}
	while (!ended && rv == 0) {
		rv = serve(socket);
	}
	nng_close(socket);
	return rv == 0 ? 0 : fail("serve", rv);
}
