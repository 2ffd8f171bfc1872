/*
 * While anything waits, a timer looks every TICK_MS for who is due. A session
 * whose outbox is filling waits as well: what it is to catch up would only make
 * it the slow reader that is closed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/catchup.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

#include "common/calls.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/rpc.h"
#include "gateway/backend.h"
#include "gateway/conn.h"
#include "gateway/deliver.h"
#include "gateway/random.h"
#include "gateway/stats.h"
#include "gateway/trace.h"

#define TICK_MS 25
#define CALLS_MAX 64
#define BACKOFF_MIN_MS 200
#define BACKOFF_MAX_MS 5000
/* What fits one call. A session that knows more chats than this takes a new
 * snapshot instead: it is closed and reconnects. */
#define CHATS_MAX 30000
/* An own create_private_chat is about to tell of the chat. */
#define UNKNOWN_PATIENCE_MS 200
/* For holes that opened while a call was in flight, and for a slow reader. */
#define HOLE_PATIENCE_MS 200

struct catchup {
	struct gateway *gw;    /* borrowed */
	struct list waiting;   /* conns by catchup.link */
	size_t waiting_len;
	size_t calls;          /* in flight */
	uv_timer_t timer;
	bool ticking;
};

static void on_tick(uv_timer_t *timer);

static double
gauge_waiting(void *arg)
{
	return (double)catchup_waiting(arg);
}

struct catchup *
catchup_new(struct gateway *gw)
{
	struct catchup *cu = mem_zalloc(sizeof(*cu));

	cu->gw = gw;
	list_init(&cu->waiting);
	uv_timer_init(gw->loop, &cu->timer);
	cu->timer.data = cu;
	metric_gauge_fn("parley_gateway_catch_ups_waiting", NULL,
	    "Sessions that have something to ask of chatd", gauge_waiting,
	    cu);
	return cu;
}

static void
on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

void
catchup_free(struct catchup **cup)
{
	struct catchup *cu = *cup;

	if (cu == NULL) {
		return;
	}
	assert(list_empty(&cu->waiting));
	*cup = NULL;
	uv_close((uv_handle_t *)&cu->timer, on_closed);
}

size_t
catchup_waiting(const struct catchup *cu)
{
	return cu->waiting_len;
}

/* ---- who waits ---------------------------------------------------------- */

/* On the waiting list, due in delay_ms or earlier. */
static void
enlist(struct conn *c, uint64_t delay_ms)
{
	struct catchup *cu = c->gw->catchup;
	uint64_t due_ms = clock_mono_ms() + delay_ms;

	if (list_linked(&c->catchup.link)) {
		if (due_ms < c->catchup.due_ms) {
			c->catchup.due_ms = due_ms;
		}
		return;
	}
	c->catchup.due_ms = due_ms;
	list_push_back(&cu->waiting, &c->catchup.link);
	cu->waiting_len++;
	if (!cu->ticking) {
		cu->ticking = true;
		uv_timer_start(&cu->timer, on_tick, TICK_MS, TICK_MS);
	}
}

static void
delist(struct conn *c)
{
	if (list_linked(&c->catchup.link)) {
		list_del(&c->catchup.link);
		c->gw->catchup->waiting_len--;
	}
}

/* Before LIVE a wish is only noted (catchup_ready looks), and so it is while a
 * call is in flight (its answer looks). */
static void
wish(struct conn *c, uint64_t delay_ms)
{
	if (c->state == CONN_LIVE && c->catchup.call == 0) {
		enlist(c, delay_ms);
	}
}

/* ---- wishes ------------------------------------------------------------- */

/* Events may be missing since then. */
static void
miss_since(struct conn_catchup *w, uint64_t since_ms)
{
	if (since_ms != 0 &&
	    (w->missed_since_ms == 0 || since_ms < w->missed_since_ms)) {
		w->missed_since_ms = since_ms;
	}
}

void
catchup_want_all(struct conn *c, uint64_t away_ms, uint32_t spread_ms)
{
	struct conn_catchup *w = &c->catchup;
	uint64_t now = clock_mono_ms();

	w->all = true;
	if (away_ms > 0) {
		miss_since(w, away_ms < now ? now - away_ms : 1);
	}
	wish(c, random_below(spread_ms));
}

void
catchup_want_chat(struct conn *c, struct session_chat *chat,
    uint64_t delay_ms)
{
	if (chat->want == WANT_NOTHING) {
		metric_inc(stats.holes);
		chat->want = WANT_HOLES;
		chat_note_hole(chat);
	}
	if (delay_ms == 0) {
		chat->want = WANT_SURELY;
	}
	wish(c, delay_ms);
}

void
catchup_want_unknown(struct conn *c, const struct uuid *chat,
    uint64_t delay_ms)
{
	struct conn_catchup *w = &c->catchup;

	for (unsigned i = 0; i < w->unknown_len; i++) {
		if (uuid_eq(&w->unknown[i], chat)) {
			return;
		}
	}
	if (w->unknown == NULL) {
		w->unknown = mem_alloc(CONN_UNKNOWN_MAX *
		    sizeof(*w->unknown));
	}
	if (w->unknown_len < CONN_UNKNOWN_MAX) {
		w->unknown[w->unknown_len++] = *chat;
	} else {
		w->all = true; /* tells of all chats gained */
	}
	if (conn_asks(c) && delay_ms < UNKNOWN_PATIENCE_MS) {
		delay_ms = UNKNOWN_PATIENCE_MS;
	}
	wish(c, delay_ms);
}

bool
catchup_was_unknown(struct conn *c, const struct uuid *chat)
{
	struct conn_catchup *w = &c->catchup;

	for (unsigned i = 0; i < w->unknown_len; i++) {
		if (uuid_eq(&w->unknown[i], chat)) {
			w->unknown[i] = w->unknown[--w->unknown_len];
			return true;
		}
	}
	return false;
}

static bool
wants_anything(const struct conn *c)
{
	const struct session_chat *chat;
	size_t cursor = 0;

	if (c->catchup.all || c->catchup.unknown_len > 0) {
		return true;
	}
	while ((chat = chats_next(&c->chats, &cursor)) != NULL) {
		if (chat->want != WANT_NOTHING) {
			return true;
		}
	}
	return false;
}

void
catchup_ready(struct conn *c)
{
	if (conn_is_open(c) && wants_anything(c)) {
		enlist(c, 0);
	}
}

void
catchup_leave(struct conn *c)
{
	delist(c);
	if (c->catchup.call != 0) {
		rpc_cancel(c->gw->chatd, c->catchup.call);
		c->catchup.call = 0;
		c->gw->catchup->calls--;
	}
}

/* ---- the answer --------------------------------------------------------- */

/* What was asked is wished again: there is more of it, or no answer came. */
static void
wish_again(struct conn *c)
{
	struct conn_catchup *w = &c->catchup;
	struct session_chat *chat;
	size_t cursor = 0;

	while ((chat = chats_next(&c->chats, &cursor)) != NULL) {
		if (chat->in_flight) {
			chat->in_flight = false;
			chat->want = WANT_SURELY;
		}
	}
	for (unsigned i = 0; i < w->asking_len; i++) {
		chat = chats_get(&c->chats, &w->asking[i]);
		if (chat != NULL) {
			chat->want = WANT_SURELY;
		} else {
			catchup_want_unknown(c, &w->asking[i], 0);
		}
	}
	w->asking_len = 0;
	w->all = w->all || w->asking_all;
	miss_since(w, w->asking_since_ms);
}

/* chatd has told all there was: holes it left open stay empty for ever. Those
 * that have opened since are wished for like any other. */
static void
settle(struct conn *c)
{
	struct session_chat *chat;
	size_t cursor = 0;

	c->catchup.asking_len = 0;
	while ((chat = chats_next(&c->chats, &cursor)) != NULL) {
		if (!chat->in_flight) {
			continue;
		}
		chat->in_flight = false;
		seqtrack_settle(&chat->track, chat->asked);
		if (chat->heard <= chat->asked) {
			chat->heard = 0;
		}
		chat_told_version(chat, chat->asked_version);
		if (chat->want == WANT_NOTHING && chat_has_hole(chat)) {
			chat->want = WANT_HOLES;
			chat_note_hole(chat);
		}
	}
	if (c->catchup.asking_all) {
		chats_rest(&c->chats);
	}
}

static uint64_t
backoff(unsigned failures)
{
	uint32_t ms = BACKOFF_MIN_MS;

	while (failures-- > 1 && ms < BACKOFF_MAX_MS) {
		ms *= 2;
	}
	return ms / 2 + random_below(ms);
}

static void
on_failed(struct conn *c)
{
	metric_inc(stats.catch_up_failed);
	c->catchup.failures++;
	deliver_held(c);
	wish_again(c);
	enlist(c, backoff(c->catchup.failures));
	/* Sends no longer wait for it: see is_ahead. */
	backend_pump(c);
}

/* False: not what calls.h says. */
static bool
read_parts(struct conn *c, struct rd *r)
{
	uint32_t count = rd_u32(r);

	while (count-- > 0 && rd_ok(r)) {
		struct catch_up_part part;

		get_catch_up_part(r, &part);
		if (rd_ok(r)) {
			deliver_part(c, &part);
		}
	}
	return rd_done(r);
}

static void
on_answer(void *arg, enum err status, const struct frame *reply)
{
	struct conn *c = arg;
	bool more, good;
	struct rd r;

	c->catchup.call = 0;
	c->gw->catchup->calls--;
	if (status != ERR_OK || reply == NULL) {
		on_failed(c);
		return;
	}
	rd_init(&r, reply->body, reply->body_len);
	more = rd_u8(&r) != 0;
	good = read_parts(c, &r);
	if (!conn_is_open(c)) {
		return;
	}
	if (!good) {
		log_error("catch_up_bad", "len=%zu remedy=\"%s\"",
		    reply->body_len, "run chatd and gateway of one version");
		on_failed(c);
		return;
	}
	c->catchup.failures = 0;
	if (more) {
		wish_again(c);
	} else {
		settle(c);
	}
	deliver_held(c);
	/* Sends may have waited for what has come. */
	backend_pump(c);
	if (wants_anything(c)) {
		enlist(c, more ? 0 : HOLE_PATIENCE_MS);
	}
}

/* ---- the call ----------------------------------------------------------- */

static void
put_known(struct buf *b, struct session_chat *chat)
{
	const struct chat_known k = {
		.chat = chat->id,
		.after_seq = chat->track.frontier,
		.version = chat->version,
		.known = true,
	};

	put_chat_known(b, &k);
	chat->in_flight = true;
	chat->want = WANT_NOTHING;
	chat->asked = seqtrack_top(&chat->track);
	if (chat->heard > chat->asked) {
		chat->asked = chat->heard;
	}
	chat->asked_version = chat->version_heard;
}

/* Chats that were unknown when the wish was made and are known now. */
static void
sort_unknown(struct conn *c)
{
	struct conn_catchup *w = &c->catchup;
	unsigned i = 0;

	while (i < w->unknown_len) {
		struct session_chat *chat =
		    chats_get(&c->chats, &w->unknown[i]);

		if (chat == NULL) {
			i++;
			continue;
		}
		chat->want = WANT_SURELY;
		w->unknown[i] = w->unknown[--w->unknown_len];
	}
}

/* Whether to ask for the chat now. A wish whose hole has closed meanwhile has
 * fulfilled itself; where a newer one has opened since, as in a busy chat an
 * answer now and then overtakes the other's message, that one has patience of
 * its own. */
static bool
is_due(struct session_chat *chat, bool *later_r)
{
	if (chat->want != WANT_HOLES) {
		return chat->want == WANT_SURELY;
	}
	if (!chat_has_hole(chat)) {
		chat->want = WANT_NOTHING;
		return false;
	}
	if (chat_hole_lasts(chat)) {
		return true;
	}
	chat_note_hole(chat);
	*later_r = true;
	return false;
}

/* The list of chats, without its count, which is returned. *later_r: some have
 * holes that are to be looked at again. */
static uint32_t
put_chats(struct conn *c, struct buf *b, bool *later_r)
{
	struct conn_catchup *w = &c->catchup;
	struct session_chat *chat;
	size_t cursor = 0;
	uint32_t count = 0;

	if (w->asking_all) {
		chats_wake(&c->chats);
	}
	while ((chat = chats_next(&c->chats, &cursor)) != NULL) {
		bool due = is_due(chat, later_r);

		if (w->asking_all || due) {
			put_known(b, chat);
			count++;
		}
	}
	if (w->unknown_len > 0 && w->asking == NULL) {
		w->asking = mem_alloc(CONN_UNKNOWN_MAX * sizeof(*w->asking));
	}
	for (unsigned i = 0; i < w->unknown_len; i++) {
		const struct chat_known k = { .chat = w->unknown[i] };

		put_chat_known(b, &k);
		w->asking[i] = w->unknown[i];
		count++;
	}
	w->asking_len = w->unknown_len;
	w->unknown_len = 0;
	return count;
}

/* Until now: what waits to be asked, or is asked again, is about more each time. */
static uint32_t
missed_ms(uint64_t since_ms)
{
	uint64_t ms = since_ms != 0 ? clock_mono_ms() - since_ms + 1 : 0;

	return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}

static void
ask(struct conn *c)
{
	struct conn_catchup *w = &c->catchup;
	struct rpc_request req = { .kind = CALL_catch_up };
	struct buf body = BUF_INIT;
	struct catch_up_head head;
	bool later = false;
	uint32_t count;
	size_t at;

	sort_unknown(c);
	w->asking_all = w->all;
	w->asking_since_ms = w->missed_since_ms;
	w->all = false;
	w->missed_since_ms = 0;
	head.all_chats = w->asking_all;
	head.away_ms = missed_ms(w->asking_since_ms);
	put_catch_up_head(&body, &head);
	at = body.len;
	buf_put_u32(&body, 0);
	count = put_chats(c, &body, &later);
	buf_set_u32(&body, at, count);
	if (count > 0 || w->asking_all) {
		req.route = c->user;
		req.trace = trace_new();
		req.user = c->user;
		req.session = c->session;
		req.token = c->token;
		req.body = body.data;
		req.body_len = body.len;
		metric_inc(stats.catch_ups);
		c->gw->catchup->calls++;
		w->call = rpc_call(c->gw->chatd, &req, on_answer, c);
	} else if (later) {
		enlist(c, HOLE_PATIENCE_MS);
	}
	buf_fini(&body);
}

static void
take_turn(struct conn *c, uint64_t now)
{
	if (c->out.bytes > c->out.bytes_max / 4) {
		c->catchup.due_ms = now + HOLE_PATIENCE_MS;
		return;
	}
	delist(c);
	if (chats_count(&c->chats) > CHATS_MAX) {
		conn_close(c, 1012, "Reconnect to catch up");
		return;
	}
	ask(c);
}

static void
on_tick(uv_timer_t *timer)
{
	struct catchup *cu = timer->data;
	uint64_t now = clock_mono_ms();

	LIST_FOREACH_SAFE(link, next, &cu->waiting) {
		struct conn *c = LIST_ENTRY(link, struct conn, catchup.link);

		if (cu->calls >= CALLS_MAX) {
			break;
		}
		if (c->catchup.due_ms <= now) {
			take_turn(c, now);
		}
	}
	if (list_empty(&cu->waiting)) {
		cu->ticking = false;
		uv_timer_stop(timer);
	}
}
