/*
 * contact: since when have we been in touch with Redis without a gap? Only who
 * has watched for a full lease may say that a gateway was silent for one: a
 * process that was stopped, or a Redis that hung, saw no heartbeats though they
 * were made. A jump of Redis's clock counts as a gap too, as all ages in the
 * book are then wrong.
 *
 * Pure: no I/O, no clock of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef PRESENCED_CONTACT_H
#define PRESENCED_CONTACT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"

struct contact {
	int64_t gap_ms;    /* a longer silence ends the contact */
	uint64_t since_ms; /* monotonic; 0: no contact */
	uint64_t heard_ms;
	int64_t offset_ms; /* Redis's clock minus ours */
};

void contact_init(struct contact *c, int64_t gap_ms);
/* Redis answered. False when the contact had a gap and began anew. */
bool contact_heard(struct contact *c, uint64_t mono_ms, int64_t redis_ms);
/* The link broke. */
void contact_lost(struct contact *c);
/* How long it has lasted, as of the last answer. */
int64_t contact_held_ms(const struct contact *c);

#endif
