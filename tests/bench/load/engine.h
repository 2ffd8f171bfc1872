/*
 * Many WebSocket clients on one epoll loop: what the load modes have in common.
 * It connects (from several loopback addresses, so that more than 28,000 fit),
 * does the handshake, answers pings, hands every text frame on, and counts what
 * it sees. One thread; no TLS. A client never masks with anything but zero
 * (RFC 6455, section 5.3 asks for an unpredictable key to protect proxies,
 * which a load test does not meet): so a frame is sent as it was printed.
 *
 * What a client is given to send while its own input is read leaves in one
 * send(): so the load tool, which shares the cores with what it measures, costs
 * little, and no frame waits for another client's.
 *
 * Rule at the bounds: a frame over FRAME_MAX ends its connection, and so does a
 * client whose unsent bytes exceed UNSENT_MAX; both are counted.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define FRAME_MAX (8u << 20)
#define UNSENT_MAX (4u << 20)
#define TARGETS_MAX 64

enum client_state {
	CLIENT_OFF,
	CLIENT_CONNECTING,
	CLIENT_UPGRADING,
	CLIENT_WAITING,   /* upgraded, user_info has not come */
	CLIENT_READY,
};

struct client {
	int fd;
	uint32_t index;        /* which user it is */
	enum client_state state;
	bool wants_out;
	uint32_t in_flight;    /* the mode's own: sends without answer */
	uint64_t turn;         /* the mode's own */
	uint64_t began_ns;     /* of the connect */
	struct buf in;         /* an unfinished frame */
	struct buf out;        /* what the kernel did not take */
};

struct engine_conf {
	struct sockaddr_in targets[TARGETS_MAX];
	unsigned target_count;
	unsigned sources;      /* loopback addresses to connect from; 0: any */
	uint32_t world;        /* see world.h */
};

struct engine_counts {
	uint64_t connects_failed;
	uint64_t closes;       /* not asked for */
	uint64_t refused;      /* upgrades answered with anything but 101 */
	uint64_t errors;       /* frames of type error */
	uint64_t frames;
	uint64_t bytes_in;
	uint64_t reads;
	uint64_t writes;
	uint32_t close_codes[5000];
};

struct engine;

/* Called from engine_run. `json` is borrowed. */
struct engine_handler {
	void (*on_ready)(struct client *c, uint64_t now);
	void (*on_frame)(struct client *c, const char *json, size_t len,
	    uint64_t now);
	/* A connection that was wanted is gone. May be NULL. */
	void (*on_gone)(struct client *c, uint64_t now);
	/* Once a turn; returns ns until it wants to be called again. */
	uint64_t (*on_turn)(uint64_t now);
};

extern struct engine_counts counts;

/* Monotonic. */
uint64_t now_ns(void);

/* Makes `n` clients (CLIENT_OFF) and raises the limit of open files; exits with
 * a message where that is not allowed. */
struct client *engine_start(const struct engine_conf *conf, size_t n,
    const struct engine_handler *handler);
void client_connect(struct client *c);
/* Closes without a close frame, as a cut client does. */
void client_cut(struct client *c);
/* Sends one text frame, at the latest when the handler that called returns. */
void client_send(struct client *c, const char *text, size_t len);
/* Serves until `until` (now_ns) or engine_stop(). */
void engine_run(uint64_t until);
void engine_stop(void);

#endif
