/*
 * What bus.c, bus_publish.c and bus_topics.c share: the struct behind bus.h.
 * Nobody else includes this.
 *
 *   bus.c          life, the two links, the beat that tries them
 *   bus_publish.c  publishes and commands, kept or failed across lost links
 *   bus_topics.c   subscriptions, asked for again on every new link
 *   bus_sentinel.c which server is the master, where Sentinels are asked
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_BUS_INT_H
#define COMMON_BUS_INT_H

#include "common/bus.h"
#include "common/bus_address.h"
#include "common/bus_error.h"
#include "common/bus_link.h"
#include "common/list.h"
#include "common/map.h"

struct metric;

struct bus_sentinel;
struct publish;

struct bus {
	uv_loop_t *loop;
	struct bus_conf conf;
	struct bus_address address;     /* by Sentinels: host as they told */
	struct bus_sentinel *sentinels; /* NULL: the address is the server's */
	struct bus_link *commands;      /* NULL until the master is known */
	struct bus_link *subs;
	bool subs_wanted;
	uv_timer_t beat;
	uv_timer_t deferred;   /* failed commands are told from the loop */
	unsigned open_handles;
	bool closing;

	struct list publishes;
	struct publish *timed; /* of these, the one whose answer is timed */
	uint64_t timed_us;     /* when it was handed over */
	size_t backlog;        /* bytes */
	size_t backlog_len;
	uint64_t lost_since_ms; /* 0: nothing was given up */
	uint64_t master_ms;     /* when the other end was a master for sure */
	uint64_t role_asked_ms;
	bool alone;             /* it refuses writes: replicas may follow another */

	struct list pending;   /* commands on the link */
	struct list failed;
	size_t pending_len;

	struct map topics;
	char *beat_topic;      /* owned */
	uint64_t beat_seen_ms;
	uint64_t beat_made_us;  /* when the last one was published */
	uint64_t beat_sent_us;  /* the same; 0: it was heard */
	uint64_t beat_run_ms;  /* when on_beat last ran */
	bool subs_told_up;
	uint64_t subs_down_ms;
	size_t unconfirmed;

	struct metric *m_published;
	struct metric *m_lost;
	struct metric *m_errors;
	struct metric *m_reconnects;
	struct metric *m_moves;
	struct metric *m_refused[BUS_ERROR_COUNT];
	uint64_t refusal_logged_ms[BUS_ERROR_COUNT];
	struct metric *m_received;
	struct metric *m_publish;
	struct metric *m_answered;
	struct metric *m_heard;
};

/* ---- bus_publish.c ------------------------------------------------------ */

/* On a fresh link: all that is not yet on its way. */
void bus_send_publishes(struct bus *b);
/* While the link is away: gives up the oldest beyond the bound. */
void bus_shed_publishes(struct bus *b);
/* Ends all publishes and commands with false and NULL. */
void bus_drop_pending(struct bus *b);
/* Redis has answered `what` with an error about itself: counted, logged now and
 * then, and the link is given up where another may be better. */
void bus_refused(struct bus *b, enum bus_error e, const char *what,
    const char *message);
/* Timer: tells those whose commands were never sent. */
void bus_on_deferred(uv_timer_t *timer);

/* ---- bus_topics.c ------------------------------------------------------- */

/* The topic of our own that the beat is published to; made once. */
void bus_topics_open(struct bus *b);
void bus_topics_fini(struct bus *b);
/* Connects the subscribing link, if it is wanted and can be. */
void bus_topics_connect(struct bus *b);
/* The subscribing link came up or went down (a bus_link_fn). */
void bus_on_subs_link(void *arg, bool up);

#endif
