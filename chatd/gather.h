/*
 * gather: requests of a kind that come in storms (thousands of clients connect
 * at once), answered many at a time by one transaction.
 *
 *   handler -> gather_add -> [waiting] -> a batch -> ask -> database
 *                                            |
 *                     answer(one request) <--+-- all of the batch
 *
 * No timer: while batches are out the next one gathers, so a request alone waits
 * for nobody. If the database refuses a batch its requests go again one by one,
 * so that a bad one does not fail its neighbours.
 *
 * Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_GATHER_H
#define CHATD_GATHER_H

#include <stddef.h>

#include "common/attr.h"

#define GATHER_MAX 64

struct db_result;
struct db_unit;
struct gather;
struct request;
struct service;

struct gather_conf {
	const char *label;    /* of its metrics: kind="..." */
	size_t batch_max;     /* requests in one transaction; to GATHER_MAX */
	unsigned batches_max; /* out at a time */
	unsigned flags;       /* enum db_flags */
	/* Adds the statements for these requests. */
	void (*ask)(struct db_unit *u, struct request *const *r, size_t n);
	/* Answers them all, each once. */
	void (*answer)(struct request *const *r, size_t n,
	    struct db_result *res);
};

/* `conf` is copied; what it points to is borrowed. */
MUST_CHECK struct gather *gather_new(struct service *svc,
    const struct gather_conf *conf);
/* Takes the request: answers it, at the latest when its deadline has passed. */
void gather_add(struct gather *g, struct request *r);
/* Answers what waits, and from now on everything, with `unavailable`. */
void gather_close(struct gather *g);
/* After the database was closed. */
void gather_free(struct gather **g);

#endif
