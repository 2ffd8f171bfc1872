/*
 * Frames are made from an event's JSON once and shared by all sessions of a
 * user. Notes for `delivered` ride with the frames and are only counted when
 * the kernel has them (outbox.h).
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/deliver.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/list.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/catchup.h"
#include "gateway/conn.h"
#include "gateway/settings.h"
#include "gateway/stats.h"
#include "gateway/trace.h"

/* Events that wait for user_info, and receipts that wait for an answer. Beyond,
 * the waiting are forgotten and caught up, the held are written. */
#define WAITING_MAX 1000
#define HELD_MAX 1000
/* A gap may just be a message that an own answer has overtaken. */
#define HOLE_PATIENCE_MS 200
/* Whether a chat that was lost has been gained again meanwhile. */
#define LOST_PATIENCE_MS 1000

struct waiting {
	struct list link;
	struct event event;      /* its json is frame's data */
	struct out_frame *frame; /* one reference */
};

void
delivery_init(struct delivery *d, const struct event *e)
{
	d->event = e;
	d->when = FLUSH_SOON;
	d->plain = NULL;
	d->late = NULL;
}

void
delivery_fini(struct delivery *d)
{
	out_frame_unref(&d->plain);
	out_frame_unref(&d->late);
}

static struct out_frame *
plain(struct delivery *d)
{
	if (d->plain == NULL) {
		d->plain = out_frame_new(d->event->json, d->event->json_len);
	}
	return d->plain;
}

static struct out_frame *
late(struct delivery *d)
{
	if (d->late == NULL) {
		d->late = out_frame_new_late(d->event->json,
		    d->event->json_len);
	}
	return d->late;
}

/* ---- lists -------------------------------------------------------------- */

static void
waiting_free(struct waiting *w)
{
	out_frame_unref(&w->frame);
	free(w);
}

static void
drop_list(struct list *list)
{
	struct list *link;

	while ((link = list_pop_front(list)) != NULL) {
		waiting_free(LIST_ENTRY(link, struct waiting, link));
	}
}

static void
drop_waiting(struct conn *c)
{
	drop_list(&c->waiting);
	c->waiting_len = 0;
	c->waiting_bytes = 0;
}

void
deliver_drop(struct conn *c)
{
	drop_waiting(c);
	drop_list(&c->held);
	c->held_len = 0;
	c->held_bytes = 0;
}

static struct waiting *
waiting_new(struct delivery *d)
{
	struct waiting *w = mem_alloc(sizeof(*w));

	w->event = *d->event;
	w->frame = out_frame_ref(plain(d));
	w->event.json = (const char *)w->frame->data;
	w->event.json_len = w->frame->len;
	return w;
}

static void
wait_for_snapshot(struct conn *c, struct delivery *d)
{
	struct waiting *w;

	if (c->waiting_len >= WAITING_MAX ||
	    c->waiting_bytes > (size_t)settings.outbox_max) {
		metric_inc(stats.waiting_lost);
		drop_waiting(c);
		catchup_want_all(c, clock_mono_ms() - c->opened_ms, 0);
		return;
	}
	w = waiting_new(d);
	list_push_back(&c->waiting, &w->link);
	c->waiting_len++;
	c->waiting_bytes += w->frame->len;
}

/* ---- messages ----------------------------------------------------------- */

static void
send_message(struct conn *c, struct session_chat *chat, struct out_frame *f,
    enum flush_when when)
{
	struct out_note note = { .kind = NOTE_NONE };

	if (chat->track.frontier > chat->noted) {
		chat->noted = chat->track.frontier;
		note.kind = NOTE_CHAT;
		note.chat = chat->id;
		note.upto = chat->track.frontier;
	}
	/* Closing a slow reader frees no chat, but ends its life: nothing may
	 * be done with it after this. */
	conn_send(c, f, &note, when);
}

static void
observe_delivery(const struct event *e)
{
	uint64_t age = trace_age_us(e->trace, clock_mono_us());

	if (age != TRACE_NO_AGE) {
		metric_observe_us(stats.delivery, age);
	}
}

static void
deliver_message(struct conn *c, struct delivery *d)
{
	const struct event *e = d->event;
	struct session_chat *chat = chats_get(&c->chats, &e->chat);
	struct out_frame *f = NULL;

	if (chat == NULL) {
		/* Its creation was lost: chatd tells both. */
		catchup_want_unknown(c, &e->chat, 0);
		return;
	}
	switch (seqtrack_mark(&chat->track, e->seq, SEQ_FROM_LIVE)) {
	case SEQ_NEW:
		f = plain(d);
		observe_delivery(e);
		break;
	case SEQ_LATE:
		metric_inc(stats.late);
		f = late(d);
		break;
	case SEQ_DUP:
		metric_inc(stats.dups);
		return;
	case SEQ_FULL:
		metric_inc(stats.tracks_full);
		catchup_want_chat(c, chat, 0);
		return;
	}
	if (seqtrack_has_hole(&chat->track)) {
		catchup_want_chat(c, chat, HOLE_PATIENCE_MS);
	}
	send_message(c, chat, f, d->when);
	deliver_held(c);
}

void
deliver_own_message(struct conn *c, const struct uuid *chat_id, uint64_t seq)
{
	struct session_chat *chat = chats_get(&c->chats, chat_id);

	if (chat == NULL || seq == 0) {
		return;
	}
	if (seqtrack_mark(&chat->track, seq, SEQ_FROM_ANSWER) == SEQ_FULL) {
		metric_inc(stats.tracks_full);
	}
	if (seqtrack_has_hole(&chat->track)) {
		catchup_want_chat(c, chat, HOLE_PATIENCE_MS);
	}
}

/* ---- changes of groups --------------------------------------------------- */

static void
deliver_frame(struct conn *c, struct delivery *d)
{
	const struct event *e = d->event;
	struct session_chat *chat;

	if (e->version == 0) {
		conn_send(c, plain(d), NULL, d->when);
		return;
	}
	chat = chats_get(&c->chats, &e->chat);
	if (chat == NULL) {
		/* Its creation was lost, or is about to be overtaken. */
		catchup_want_unknown(c, &e->chat, HOLE_PATIENCE_MS);
		return;
	}
	switch (chat_hear_change(chat, e->version)) {
	case CHANGE_NEXT:
		conn_send(c, plain(d), NULL, d->when);
		break;
	case CHANGE_OLD:
		metric_inc(stats.dups);
		break;
	case CHANGE_AHEAD:
		/* What is missing may be the older of two names: nothing is
		 * shown before it is clear what holds. */
		catchup_want_chat(c, chat, HOLE_PATIENCE_MS);
		break;
	}
}

void
deliver_own_change(struct conn *c, const struct uuid *chat_id, uint64_t version)
{
	struct session_chat *chat = chats_get(&c->chats, chat_id);

	if (chat != NULL && version > 0 && version <= UINT32_MAX &&
	    chat_hear_change(chat, (uint32_t)version) == CHANGE_AHEAD) {
		catchup_want_chat(c, chat, HOLE_PATIENCE_MS);
	}
}

/* ---- the other kinds ---------------------------------------------------- */

static void
deliver_added(struct conn *c, struct delivery *d)
{
	const struct event *e = d->event;
	struct session_chat *chat;

	if (chats_get(&c->chats, &e->chat) != NULL) {
		return;
	}
	chat = chats_add(&c->chats, &e->chat, e->seq);
	chat_told_version(chat, e->version);
	if (catchup_was_unknown(c, &e->chat)) {
		/* Messages came before it and were left to catch-up. */
		catchup_want_chat(c, chat, 0);
	}
	conn_send(c, plain(d), NULL, d->when);
}

static void
deliver_lost(struct conn *c, struct delivery *d)
{
	(void)catchup_was_unknown(c, &d->event->chat);
	chats_del(&c->chats, &d->event->chat);
	if (d->event->json_len > 0) {
		conn_send(c, plain(d), NULL, d->when);
	}
}

/* An answer in flight may show messages in an older state than this receipt
 * gives them; a state never goes backwards. */
static bool
must_hold(const struct conn *c)
{
	return conn_asks(c) || c->catchup.call != 0;
}

/* Whether a message that the receipt may cover is still to come: one chatd's
 * receipt can overtake another's message, which would then take its state
 * back. */
static bool
must_await(struct conn *c, const struct event *e)
{
	const struct session_chat *chat = chats_get(&c->chats, &e->chat);

	return chat != NULL && chat_awaits_heard(chat) &&
	    e->seq > chat->track.frontier;
}

/* Nothing is asked while a call is in flight: most likely its answer is what the
 * receipt speaks of, and comes soon. */
static void
await_message(struct conn *c, const struct event *e)
{
	if (!conn_asks(c)) {
		catchup_want_chat(c, chats_get(&c->chats, &e->chat),
		    HOLE_PATIENCE_MS);
	}
}

static void
write_held(struct conn *c, bool all)
{
	while (!list_empty(&c->held)) {
		struct waiting *w =
		    LIST_ENTRY(c->held.next, struct waiting, link);

		if (!all && must_await(c, &w->event)) {
			await_message(c, &w->event);
			return;
		}
		list_del(&w->link);
		c->held_len--;
		c->held_bytes -= w->frame->len;
		conn_send(c, w->frame, NULL, FLUSH_SOON);
		waiting_free(w);
	}
}

static void
deliver_receipt(struct conn *c, struct delivery *d)
{
	struct session_chat *chat = chats_get(&c->chats, &d->event->chat);
	struct waiting *w;

	if (chat != NULL && d->event->seq > chat->track.frontier) {
		if (d->event->seq > chat->heard) {
			chat->heard = d->event->seq;
		}
		await_message(c, d->event);
	} else if (!must_hold(c) && list_empty(&c->held)) {
		conn_send(c, plain(d), NULL, d->when);
		return;
	}
	if (c->held_len >= HELD_MAX ||
	    c->held_bytes > (size_t)settings.outbox_max) {
		write_held(c, true);
	}
	metric_inc(stats.receipts_held);
	w = waiting_new(d);
	list_push_back(&c->held, &w->link);
	c->held_len++;
	c->held_bytes += w->frame->len;
}

void
deliver_held(struct conn *c)
{
	if (!must_hold(c)) {
		write_held(c, false);
	}
}

static void
deliver_live(struct conn *c, struct delivery *d)
{
	switch (d->event->kind) {
	case EVENT_FRAME:
		deliver_frame(c, d);
		break;
	case EVENT_MESSAGE:
		deliver_message(c, d);
		break;
	case EVENT_RECEIPT:
		deliver_receipt(c, d);
		break;
	case EVENT_CHAT_ADDED:
		deliver_added(c, d);
		break;
	case EVENT_CHAT_LOST:
		deliver_lost(c, d);
		/* Coming back may have overtaken it, by another chatd. */
		catchup_want_unknown(c, &d->event->chat, LOST_PATIENCE_MS);
		break;
	case EVENT_TOKEN_ENDED:
	case EVENT_REVOKED:
	case EVENT_RESYNC:
	case EVENT_SPREAD: /* fanout.c has made FRAMEs or MESSAGEs of it */
	case EVENT_MESSAGE_SPREAD:
	case EVENT_ASK:    /* fanout.c has it answered */
		break;
	}
}

void
deliver_event(struct conn *c, struct delivery *d)
{
	if (!conn_is_open(c)) {
		return;
	}
	if (d->event->kind == EVENT_TOKEN_ENDED) {
		if (uuid_eq(&c->token, &d->event->token)) {
			conn_close(c, 1000, "logout");
		}
		return;
	}
	if (d->event->kind == EVENT_REVOKED) {
		if (uuid_is_nil(&d->event->token) ||
		    uuid_eq(&c->token, &d->event->token)) {
			metric_inc(stats.tokens_revoked);
			conn_close(c, 1008, "Unauthorized");
		}
		return;
	}
	if (c->state == CONN_LIVE) {
		deliver_live(c, d);
	} else {
		wait_for_snapshot(c, d);
	}
}

void
deliver_waiting(struct conn *c)
{
	struct list *link;

	while ((link = list_pop_front(&c->waiting)) != NULL) {
		struct waiting *w = LIST_ENTRY(link, struct waiting, link);
		struct delivery d;

		c->waiting_len--;
		c->waiting_bytes -= w->frame->len;
		delivery_init(&d, &w->event);
		d.plain = out_frame_ref(w->frame);
		if (conn_is_open(c)) {
			deliver_live(c, &d);
		}
		delivery_fini(&d);
		waiting_free(w);
	}
}

/* ---- catch-up ----------------------------------------------------------- */

/* Whether the frame is the very message whose send waits for its answer: stored,
 * and then its chatd died. The answer will bring it. */
static bool
is_in_flight(const struct conn *c, const struct event *e)
{
	LIST_FOREACH(link, &c->calls) {
		const struct conn_call *call =
		    LIST_ENTRY(link, struct conn_call, link);
		char front[UUID_TEXT_LEN + 1];

		uuid_format(&call->front_msg_id, front);
		if (call->row->kind == MSG_send_message &&
		    memmem(e->json, e->json_len, front, UUID_TEXT_LEN) !=
		    NULL) {
			return true;
		}
	}
	return false;
}

static void
part_message(struct conn *c, struct delivery *d)
{
	const struct event *e = d->event;
	struct session_chat *chat = chats_get(&c->chats, &e->chat);

	if (chat == NULL) {
		return;
	}
	if (is_in_flight(c, e)) {
		deliver_own_message(c, &e->chat, e->seq);
		return;
	}
	if (seqtrack_mark(&chat->track, e->seq, SEQ_FROM_CATCH_UP) !=
	    SEQ_NEW) {
		return;
	}
	metric_inc(stats.catch_up_messages);
	/* chatd has marked the frame catch_up itself. */
	send_message(c, chat, plain(d), d->when);
}

/* The group as it is at this version. A change told live since then is newer. */
static void
part_change(struct conn *c, struct delivery *d)
{
	const struct event *e = d->event;
	struct session_chat *chat = chats_get(&c->chats, &e->chat);

	if (chat == NULL || e->version < chat->version) {
		return;
	}
	metric_inc(stats.catch_up_changes);
	chat_told_version(chat, e->version);
	conn_send(c, plain(d), NULL, d->when);
}

void
deliver_part(struct conn *c, const struct catch_up_part *part)
{
	const struct event e = {
		.seq = part->seq,
		.version = part->version,
		.chat = part->chat,
		.json = part->json,
		.json_len = part->json_len,
	};
	struct delivery d;

	if (!conn_is_open(c)) {
		return;
	}
	delivery_init(&d, &e);
	switch (part->kind) {
	case PART_CHAT_ADDED:
		deliver_added(c, &d);
		break;
	case PART_CHAT_LOST:
		deliver_lost(c, &d);
		break;
	case PART_MESSAGE:
		part_message(c, &d);
		break;
	case PART_RECEIPT:
		deliver_receipt(c, &d);
		break;
	case PART_CHANGE:
		part_change(c, &d);
		break;
	case PART_STATUS:
		conn_send(c, plain(&d), NULL, d.when);
		break;
	case PART_SET_BACK:
		metric_inc(stats.set_back);
		conn_close(c, 1012, "The store was set back");
		break;
	}
	delivery_fini(&d);
}
