/*
 * Who is typing.
 *
 *	typing_tell -> [waiting] -> end of turn, nothing asked -> members of all
 *	   of them in one statement -> publish to the others -> answer
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/typing.h"

#include <assert.h>
#include <stdlib.h>

#include "chatd/events.h"
#include "chatd/service.h"
#include "chatd/store_history.h"
#include "common/calls.h"
#include "common/json_out.h"
#include "common/list.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "common/turn.h"

/* Asked together; each may be of a group. */
#define BATCH_MAX 32
#define WAITING_MAX 512
/* Beyond these the database and Redis have better to do. */
#define DB_BUSY 256
#define REDIS_BUSY 2000

struct news {
	struct list link;
	struct request *r; /* owned until answered */
	struct uuid chat;
	bool is_typing;
};

struct typing {
	struct service *svc;  /* borrowed */
	struct list waiting;
	size_t waiting_len;
	struct news *asked[BATCH_MAX]; /* owned; with the database */
	size_t asked_len;
	struct metric *m_shed;
};

/* Silence: a list of no frames. */
static void
news_end(struct news *n)
{
	buf_reset(&n->r->body);
	buf_put_u32(&n->r->body, 0);
	request_answer(n->r);
	free(n);
}

static void
news_fail(struct news *n, enum err err)
{
	request_fail(n->r, err, NULL);
	free(n);
}

/* ---- telling ------------------------------------------------------------- */

static void
put_news(struct buf *bytes, const struct news *n)
{
	struct buf json = BUF_INIT;
	struct event e = { .kind = EVENT_FRAME, .trace = n->r->frame->trace,
		.chat = n->chat };
	struct json_out j;

	json_out_init(&j, &json);
	json_obj(&j);
	json_key_str(&j, "type", "typing");
	json_key_uuid(&j, "chat_id", &n->chat);
	json_key_uuid(&j, "user_id", &n->r->frame->user);
	json_key_bool(&j, "is_typing", n->is_typing);
	json_obj_end(&j);
	e.json = (const char *)json.data;
	e.json_len = json.len;
	put_event(bytes, &e);
	buf_fini(&json);
}

/* Tells the listeners of batch place `place`, whose rows begin at *row. False:
 * there are none, so the user is no member. */
static bool
tell_listeners(struct typing *t, const struct db_result *res, size_t place,
    size_t *row)
{
	const struct news *n = t->asked[place];
	struct buf bytes = BUF_INIT;
	bool member = false;

	for (; *row < db_rows(res, 0); (*row)++) {
		struct listener l = store_listener_read(res, 0, *row);

		if (l.place != place) {
			break;
		}
		member = true;
		if (uuid_eq(&l.user, &n->r->frame->user)) {
			continue;
		}
		if (bytes.len == 0) {
			put_news(&bytes, n);
		}
		events_bytes_to_user(t->svc->events, &l.user, &bytes);
	}
	buf_fini(&bytes);
	return member;
}

static void
on_members(void *arg, struct db_result *res)
{
	struct typing *t = arg;
	enum err err = request_db_err(res);
	size_t n = t->asked_len;
	size_t row = 0;

	t->asked_len = 0;
	for (size_t i = 0; i < n; i++) {
		if (err != ERR_OK) {
			news_fail(t->asked[i], err);
		} else if (tell_listeners(t, res, i, &row)) {
			news_end(t->asked[i]);
		} else {
			news_fail(t->asked[i], ERR_CHAT_FORBIDDEN);
		}
	}
}

/* ---- asking -------------------------------------------------------------- */

static void
on_turn(void *arg)
{
	struct typing *t = arg;
	struct uuid chats[BATCH_MAX], users[BATCH_MAX];
	struct list *link;
	struct db_unit *u;
	size_t n = 0;

	if (t->asked_len > 0 || list_empty(&t->waiting)) {
		return;
	}
	while (n < BATCH_MAX && (link = list_pop_front(&t->waiting)) != NULL) {
		t->asked[n] = LIST_ENTRY(link, struct news, link);
		chats[n] = t->asked[n]->chat;
		users[n] = t->asked[n]->r->frame->user;
		n++;
		t->waiting_len--;
	}
	t->asked_len = n;
	u = db_unit_new(t->svc->db, 0, t->asked[0]->r->in->deadline_ms);
	store_typing_step(u, chats, users, n);
	db_submit(u, on_members, t);
}

static bool
too_busy(const struct typing *t)
{
	return t->waiting_len >= WAITING_MAX ||
	    db_pending(t->svc->db) >= DB_BUSY ||
	    events_backlog(t->svc->events) >= REDIS_BUSY;
}

void
typing_tell(struct typing *t, struct request *r, const struct uuid *chat,
    bool is_typing)
{
	struct news *n = mem_zalloc(sizeof(*n));

	n->r = r;
	n->chat = *chat;
	n->is_typing = is_typing;
	if (too_busy(t)) {
		metric_inc(t->m_shed);
		news_end(n);
		return;
	}
	list_push_back(&t->waiting, &n->link);
	t->waiting_len++;
}

/* ---- life ---------------------------------------------------------------- */

struct typing *
typing_new(struct service *svc)
{
	struct typing *t = mem_zalloc(sizeof(*t));

	t->svc = svc;
	list_init(&t->waiting);
	t->m_shed = metric_counter("parley_chatd_typing_shed_total", NULL,
	    "Typing that was not told because there was too much else to do.");
	turn_add(svc->turn, on_turn, t);
	return t;
}

void
typing_close(struct typing *t)
{
	struct list *link;

	if (t == NULL) {
		return;
	}
	while ((link = list_pop_front(&t->waiting)) != NULL) {
		t->waiting_len--;
		news_end(LIST_ENTRY(link, struct news, link));
	}
}

void
typing_free(struct typing **tp)
{
	assert(*tp == NULL || (*tp)->asked_len == 0);
	free(*tp);
	*tp = NULL;
}
