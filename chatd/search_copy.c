/*
 * Copying messages for search.
 *
 *	sent, wake -> [chats] -> end of turn, database not busy -> one block
 *	                 ^------------- there was one ---------------'
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/search_copy.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "chatd/service.h"
#include "chatd/store_history.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/turn.h"

/* Chats that wait; beyond, a wake is forgotten: the chat's next one comes. */
#define CHATS_MAX 256
/* Every so many messages of a chat its complete blocks are copied. */
#define SENT_EVERY 4096
#define BLOCKS_AT_ONCE 1
/* The database has better to do. */
#define DB_BUSY 64

struct search_copy {
	struct service *svc; /* borrowed */
	struct uuid chats[CHATS_MAX];
	size_t count;
	bool at_work;        /* on chats[0] */
	bool stopped;
	struct metric *m_blocks;
	struct metric *m_failed;
};

static void
drop_first(struct search_copy *s)
{
	s->count--;
	memmove(&s->chats[0], &s->chats[1], s->count * sizeof(s->chats[0]));
}

static void
on_copied(void *arg, struct db_result *res)
{
	struct search_copy *s = arg;
	struct uuid chat = s->chats[0];
	bool more;

	s->at_work = false;
	drop_first(s);
	if (db_outcome(res) != DB_OK) {
		metric_inc(s->m_failed);
		return;
	}
	metric_add(s->m_blocks, db_affected(res, 0));
	more = db_affected(res, 0) == BLOCKS_AT_ONCE;
	if (more) {
		search_copy_wake(s, &chat);
	}
}

static void
on_turn(void *arg)
{
	struct search_copy *s = arg;
	struct db_unit *u;

	if (s->at_work || s->stopped || s->count == 0 ||
	    db_pending(s->svc->db) >= DB_BUSY) {
		return;
	}
	s->at_work = true;
	u = db_unit_new(s->svc->db, 0, 0);
	store_copy_step(u, &s->chats[0], BLOCKS_AT_ONCE);
	db_submit(u, on_copied, s);
}

void
search_copy_wake(struct search_copy *s, const struct uuid *chat)
{
	for (size_t i = s->at_work ? 1 : 0; i < s->count; i++) {
		if (uuid_eq(&s->chats[i], chat)) {
			return;
		}
	}
	if (s->count < CHATS_MAX) {
		s->chats[s->count++] = *chat;
	}
}

void
search_copy_sent(struct search_copy *s, const struct uuid *chat, int64_t seq)
{
	if (seq % SENT_EVERY == 0) {
		search_copy_wake(s, chat);
	}
}

struct search_copy *
search_copy_new(struct service *svc)
{
	struct search_copy *s = mem_zalloc(sizeof(*s));

	s->svc = svc;
	s->m_blocks = metric_counter("parley_chatd_search_blocks_total", NULL,
	    "Blocks of messages copied for search.");
	s->m_failed = metric_counter("parley_chatd_search_copy_failed_total",
	    NULL, "Blocks that could not be copied; tried again later.");
	turn_add(svc->turn, on_turn, s);
	return s;
}

void
search_copy_stop(struct search_copy *s)
{
	if (s != NULL) {
		s->stopped = true;
	}
}

void
search_copy_free(struct search_copy **sp)
{
	free(*sp);
	*sp = NULL;
}
