/*
 * The load client's modes and what they share: options, the content of measured
 * messages, the pace of an open loop, results.
 *
 * A measured message's content begins with MARK, the time it was due and who
 * sent it, in hexadecimal: so that whoever sees it, the sender's acknowledgement
 * or a receiver's copy, knows how old it is without a table. In an open loop
 * the time is when it should have been sent, not when it was: a server that
 * stalls is charged for all that waited (no coordinated omission).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/load/engine.h"
#include "bench/load/histogram.h"
#include "bench/load/usage.h"
#include "bench/load/world.h"

struct options {
	struct engine_conf engine;
	struct world world;
	const char *database; /* NULL: the world is there already */
	uint32_t connections;
	double rate;          /* per second over all; 0: closed loop */
	double group_rate;    /* mode mixed: the group's */
	uint32_t window;      /* closed loop: in flight a connection */
	double warmup_s;
	double seconds;
	uint32_t size;        /* bytes of a message's content */
	uint32_t senders;     /* group: how many of the members write */
	uint32_t opening_max; /* connections being opened at a time */
	const char *request;  /* mode request: which */
	struct watched watched[WATCHED_MAX];
	unsigned watched_count;
	struct machine machine_before;
	struct machine machine_after;
	bool quiet;
};

/* One kind of messages. */
struct stream {
	uint64_t sent;
	uint64_t acked;
	uint64_t delivered;
	uint64_t completed;     /* group: messages that all others have */
	struct histogram ack;
	struct histogram delivery;
	struct histogram last;  /* group: until the last delivery */
};

struct results {
	struct stream main;
	struct stream group;    /* mode mixed */
	uint64_t opened;        /* connections that got user_info */
	struct histogram opening;
	uint64_t interval_max;  /* slowest since progress was noted, ns */
};

struct mode {
	const char *name;
	const char *meaning;
	/* How many clients it wants connected before it begins. */
	uint32_t (*clients)(void);
	void (*begin)(uint64_t now);
	struct engine_handler handler;
	bool no_warmup;  /* what it measures happens once */
	bool measures_opening; /* results.opening is its own */
	bool late_count; /* what was due in time and comes late is counted */
};

extern struct options options;
extern struct results results;
extern struct client *clients;
extern uint32_t ready;   /* clients that are CLIENT_READY */
extern bool measuring;   /* past the warm-up, before the end */
extern bool sending;     /* messages may be sent */

extern const struct mode mode_private;
extern const struct mode mode_group;
extern const struct mode mode_mixed;
extern const struct mode mode_connect;
extern const struct mode mode_storm;
extern const struct mode mode_idle;
extern const struct mode mode_request;
extern const struct mode mode_seed;

/* options.c: from the command line; exits when it makes no sense. */
const struct mode *options_parse(int argc, char **argv);

/* Counts one latency of a kind, in `h` and for the progress. */
void results_time(struct histogram *h, uint64_t ns);

/* ---- measured messages (message.c) ---------------------------------------- */

struct mark {
	uint64_t due_ns;
	uint32_t sender;
	uint32_t number;
};

/* Sends one to `chat`. */
void message_send(struct client *c, const char *chat, uint64_t due_ns,
    uint32_t number);
/* False when the frame is no measured new_message of this run. */
bool message_mark(const char *json, size_t len, struct mark *m_r);

/* ---- one kind of messages each, which mode mixed joins --------------------- */

/* Private messages of the clients from `first` on. */
void private_begin(uint32_t first, double rate, struct stream *s,
    uint64_t now);
void private_ready(struct client *c, uint64_t now);
void private_frame(struct client *c, const char *json, size_t len,
    uint64_t now);
uint64_t private_turn(uint64_t now);

/* Messages of the group of the first options.world.group clients. */
void group_begin(double rate, struct stream *s, uint64_t now);
void group_ready(struct client *c, uint64_t now);
void group_frame(struct client *c, const char *json, size_t len,
    uint64_t now);
uint64_t group_turn(uint64_t now);

#endif
