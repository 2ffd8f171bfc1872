/*
 * Who hears a message and what they see. What many see alike is one event to all
 * gateways, which know whom of them they hold: an event a member costs chatd and
 * Redis a microsecond each, every gateway more, and stands in one queue before
 * whatever is published next. The publishes stand on the one link to
 * Redis before anything that later requests publish, so the answer need not
 * wait for Redis.
 *
 * A repeated send is published again: the publish of the first may have died
 * with a chatd. Gateways drop what a session has. It goes to those who were
 * members by then: to others it is history.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/fanout.h"

#include <stdlib.h>

#include "chatd/events.h"
#include "chatd/marks.h"
#include "chatd/request.h"
#include "chatd/settings.h"
#include "chatd/view.h"
#include "common/mem.h"

/* The members of one chat, next to each other in `members`. */
struct audience {
	struct uuid chat_id;
	size_t first;
	size_t count;
	struct marks marks;
};

struct fanout {
	struct events *events;       /* borrowed */
	struct recipient *members;   /* owned; by chat and user */
	struct audience *audiences;  /* owned; by chat */
	size_t audience_count;
	struct nickname *nicknames;  /* owned; by owner and user */
	size_t nickname_count;
	struct buf json;
	struct buf event;
	struct buf spread;
	struct uuid *alike;          /* owned; who gets the plain one */
	size_t alike_count;
};

static void
add_member(struct fanout *f, size_t i)
{
	const struct recipient *x = &f->members[i];
	struct audience *a = f->audience_count == 0 ? NULL :
	    &f->audiences[f->audience_count - 1];

	if (a == NULL || !uuid_eq(&a->chat_id, &x->chat_id)) {
		a = &f->audiences[f->audience_count++];
		a->chat_id = x->chat_id;
		a->first = i;
		a->count = 0;
		marks_init(&a->marks);
	}
	a->count++;
	marks_add(&a->marks, &x->user_id, x->delivered_seq, x->read_seq);
}

struct fanout *
fanout_new(struct events *events, const struct db_result *res)
{
	struct fanout *f = mem_zalloc(sizeof(*f));
	size_t n = store_recipient_count(res);

	f->events = events;
	f->members = mem_alloc((n + 1) * sizeof(*f->members));
	f->audiences = mem_alloc((n + 1) * sizeof(*f->audiences));
	f->alike = mem_alloc((n + 1) * sizeof(*f->alike));
	for (size_t i = 0; i < n; i++) {
		store_recipient_read(res, i, &f->members[i]);
		add_member(f, i);
	}
	f->nickname_count = store_nickname_count(res);
	f->nicknames = mem_alloc((f->nickname_count + 1) *
	    sizeof(*f->nicknames));
	for (size_t i = 0; i < f->nickname_count; i++) {
		store_nickname_read(res, i, &f->nicknames[i]);
	}
	buf_init(&f->json);
	buf_init(&f->event);
	buf_init(&f->spread);
	return f;
}

void
fanout_free(struct fanout **fp)
{
	struct fanout *f = *fp;

	*fp = NULL;
	free(f->members);
	free(f->audiences);
	free(f->alike);
	free(f->nicknames);
	buf_fini(&f->json);
	buf_fini(&f->event);
	buf_fini(&f->spread);
	free(f);
}

static int
by_chat(const void *key, const void *item)
{
	return uuid_cmp(key, &((const struct audience *)item)->chat_id);
}

static int
by_owner_and_user(const void *key, const void *item)
{
	const struct nickname *a = key, *b = item;
	int order = uuid_cmp(&a->owner_id, &b->owner_id);

	return order != 0 ? order : uuid_cmp(&a->user_id, &b->user_id);
}

static const struct audience *
audience_of(const struct fanout *f, const struct uuid *chat)
{
	return bsearch(chat, f->audiences, f->audience_count,
	    sizeof(*f->audiences), by_chat);
}

size_t
fanout_members(const struct fanout *f, const struct uuid *chat)
{
	const struct audience *a = audience_of(f, chat);

	return a != NULL ? a->count : 0;
}

static struct text
nickname_of(const struct fanout *f, const struct uuid *owner,
    const struct uuid *user)
{
	struct nickname key = { .owner_id = *owner, .user_id = *user };
	const struct nickname *found = f->nickname_count == 0 ? NULL :
	    bsearch(&key, f->nicknames, f->nickname_count,
	    sizeof(*f->nicknames), by_owner_and_user);

	return found != NULL ? found->nickname : TEXT_NULL;
}

/* The frame as this viewer sees the message. */
static void
event_of(struct fanout *f, const struct request *r, const struct message *m,
    const struct uuid *viewer, enum message_state state, struct event *e)
{
	buf_reset(&f->json);
	view_new_message(&f->json, m, viewer, state, false, NULL);
	*e = (struct event){ .kind = EVENT_MESSAGE, .trace = r->frame->trace,
		.seq = (uint64_t)m->seq, .chat = m->chat_id,
		.skip_session = r->frame->session,
		.json = (const char *)f->json.data, .json_len = f->json.len };
}

/* To those who see it alike. */
static void
publish_plain(struct fanout *f, struct event *e)
{
	if (f->alike_count < (size_t)settings.message_spread_min ||
	    !events_reach_all(f->events)) {
		buf_reset(&f->event);
		put_event(&f->event, e);
		for (size_t i = 0; i < f->alike_count; i++) {
			events_bytes_to_user(f->events, &f->alike[i],
			    &f->event);
		}
		return;
	}
	buf_reset(&f->spread);
	buf_put_u32(&f->spread, (uint32_t)f->alike_count);
	for (size_t i = 0; i < f->alike_count; i++) {
		put_spread_to(&f->spread, &(struct spread_to){
			.user = f->alike[i] });
	}
	e->kind = EVENT_MESSAGE_SPREAD;
	e->spread = f->spread.data;
	e->spread_len = f->spread.len;
	events_spread(f->events, e);
}

/* The sender's other sessions, and who calls the sender by a name of his own,
 * see a frame of their own each. */
static void
publish(struct fanout *f, const struct request *r, struct message *m,
    const struct audience *a, enum message_state state)
{
	struct event e;

	f->alike_count = 0;
	for (size_t i = a->first; i < a->first + a->count; i++) {
		const struct recipient *x = &f->members[i];

		if (x->joined_seq >= m->seq) {
			continue;
		}
		m->sender.nickname = nickname_of(f, &x->user_id,
		    &m->sender_id);
		if (!uuid_eq(&x->user_id, &m->sender_id) &&
		    m->sender.nickname.len == 0) {
			f->alike[f->alike_count++] = x->user_id;
			continue;
		}
		event_of(f, r, m, &x->user_id, state, &e);
		events_to_user(f->events, &x->user_id, &e);
	}
	m->sender.nickname = TEXT_NULL;
	if (f->alike_count > 0) {
		event_of(f, r, m, &f->alike[0], state, &e);
		publish_plain(f, &e);
	}
}

void
fanout_message(struct fanout *f, struct request *r,
    const struct stored_row *row)
{
	struct message m = row->message;
	const struct audience *a = audience_of(f, &m.chat_id);
	enum message_state state = STATE_READ;
	struct rpc_out out = { .status = ERR_OK, .chat = m.chat_id,
		.seq = (uint64_t)m.seq };

	if (a != NULL) {
		state = marks_state(&a->marks, &m.sender_id, m.seq);
		publish(f, r, &m, a, state);
	}
	view_new_message(&r->body, &m, &r->frame->user, state, false,
	    r->fields.request_id);
	request_answer_out(r, &out);
}
