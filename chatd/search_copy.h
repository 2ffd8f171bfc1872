/*
 * Copies the texts of long chats for search: folded, a block of messages to a
 * row, which has the trigram index. Behind the sends' backs, one block at a
 * time in the whole process; what is not copied yet is searched as it is, so a copy
 * that comes late, or a wake that is lost, only makes a search slower.
 *
 * Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_SEARCH_COPY_H
#define CHATD_SEARCH_COPY_H

#include <stdint.h>

#include "common/uuid.h"

struct service;
struct search_copy;

/* So many blocks are looked through message by message in any case. */
#define SEARCH_COPY_BEHIND 8

struct search_copy *search_copy_new(struct service *svc);
/* Nothing more is begun. */
void search_copy_stop(struct search_copy *s);
void search_copy_free(struct search_copy **s);

/* A message was stored: now and then there is enough to copy. */
void search_copy_sent(struct search_copy *s, const struct uuid *chat,
    int64_t seq);
/* The chat has blocks to copy. */
void search_copy_wake(struct search_copy *s, const struct uuid *chat);

#endif
