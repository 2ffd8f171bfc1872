/*
 * The life of a connection and its two directions of bytes. What the bytes mean
 * is decided elsewhere: opening.c, backend.c, deliver.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gateway/conn.h"

#include <assert.h>
#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/backend.h"
#include "gateway/catchup.h"
#include "gateway/conn_io.h"
#include "gateway/deliver.h"
#include "gateway/fanout.h"
#include "gateway/linger.h"
#include "gateway/opening.h"
#include "gateway/presence.h"
#include "gateway/settings.h"
#include "gateway/stats.h"
#include "gateway/tokens.h"
#include "gateway/watch.h"

#define CONN_MAGIC 0x636f6e6e
/* How long a client may take to read its last frames and the close frame. */
#define CLOSE_PATIENCE_MS 5000

static const char *const state_names[] = {
	[CONN_CHECKING] = "checking",
	[CONN_SUBSCRIBING] = "subscribing",
	[CONN_SNAPSHOT] = "snapshot",
	[CONN_LIVE] = "live",
	[CONN_CLOSING] = "closing",
	[CONN_CLOSED] = "closed",
};

/* ---- states ------------------------------------------------------------- */

static bool
edge_exists(enum conn_state from, enum conn_state to)
{
	if (to == CONN_CLOSED) {
		return from != CONN_CLOSED;
	}
	if (to == CONN_CLOSING) {
		return from < CONN_CLOSING;
	}
	return to == from + 1;
}

void
conn_set_state(struct conn *c, enum conn_state state)
{
	bool legal = edge_exists(c->state, state);
	char id[UUID_TEXT_LEN + 1];

	assert(legal);
	(void)legal;
	if (state == CONN_LIVE) {
		c->gw->conns->live++;
	} else if (c->state == CONN_LIVE) {
		c->gw->conns->live--;
	}
	log_debug("conn_state", "session=%s from=%s to=%s",
	    uuid_format(&c->session, id), state_names[c->state],
	    state_names[state]);
	c->state = state;
}

bool
conn_is_open(const struct conn *c)
{
	return c->state < CONN_CLOSING;
}

bool
conn_asks(const struct conn *c)
{
	return !list_empty(&c->calls) && LIST_ENTRY(c->calls.next,
	    struct conn_call, link)->id != 0;
}

/* ---- life --------------------------------------------------------------- */

struct conn *
conn_new(struct gateway *gw, struct lws *wsi)
{
	struct conn *c = mem_zalloc(sizeof(*c));

	c->magic = CONN_MAGIC;
	c->gw = gw;
	c->wsi = wsi;
	c->state = CONN_CHECKING;
	c->session = uuid_v7();
	c->opened_ms = clock_mono_ms();
	list_init(&c->watch);
	list_init(&c->rest);
	list_init(&c->expiry);
	list_init(&c->fan_link);
	list_init(&c->catchup.link);
	list_init(&c->turn);
	list_init(&c->waiting);
	list_init(&c->held);
	list_init(&c->flush);
	list_init(&c->calls);
	outbox_init(&c->out, &conn_io, c, (size_t)settings.outbox_max);
	inbound_init(&c->in, (size_t)settings.message_max,
	    (size_t)settings.frames_queued_max);
	chats_init(&c->chats);
	buf_init(&c->snapshot);
	list_push_back(&gw->conns->all, &c->link);
	gw->conns->count++;
	watch_idle(c);
	metric_inc(stats.opened);
	return c;
}

/* Leaves every other part of the process: nothing will call this conn any more
 * but its own socket. Its memory stays. */
static void
leave(struct conn *c)
{
	opening_cancel(c);
	backend_cancel(c);
	catchup_leave(c);
	fanout_leave(c);
	tokens_leave(c);
	deliver_drop(c);
	list_del(&c->rest);
	presence_session_down(c);
}

void
conn_gone(struct conn **cp)
{
	struct conn *c = *cp;

	if (c == NULL) {
		return;
	}
	assert(c->magic == CONN_MAGIC);
	*cp = NULL;
	if (conn_is_open(c)) {
		c->close_why = "gone";
		leave(c);
	}
	stats_closed(c->close_code, c->close_why);
	conn_set_state(c, CONN_CLOSED);
	c->wsi = NULL;
	list_del(&c->watch);
	list_del(&c->link);
	list_del(&c->flush);
	c->gw->conns->count--;
	outbox_fini(&c->out);
	inbound_fini(&c->in);
	chats_fini(&c->chats);
	buf_fini(&c->snapshot);
	free(c->catchup.unknown);
	free(c->catchup.asking);
	free(c->abuse);
	c->magic = 0;
	free(c);
}

static void
log_close(const struct conn *c)
{
	char session[UUID_TEXT_LEN + 1];
	char user[UUID_TEXT_LEN + 1];

	log_debug("conn_close", "session=%s user=%s code=%d why=\"%s\"",
	    uuid_format(&c->session, session), uuid_format(&c->user, user),
	    c->close_code, c->close_why);
}

void
conn_close(struct conn *c, int code, const char *why)
{
	if (!conn_is_open(c)) {
		return;
	}
	c->close_code = code;
	c->close_why = why;
	log_close(c);
	leave(c);
	conn_set_state(c, CONN_CLOSING);
	watch_closing(c, CLOSE_PATIENCE_MS);
	/* The client's own close frame must be read. */
	lws_rx_flow_control(c->wsi, 1);
	lws_callback_on_writable(c->wsi);
}

void
conn_ends(struct conn *c, int code, const char *why)
{
	if (c->close_given) {
		return;
	}
	if (conn_is_open(c)) {
		c->close_code = code;
		c->close_why = why;
		log_close(c);
		leave(c);
		conn_set_state(c, CONN_CLOSING);
	}
	outbox_drop(&c->out);
	c->close_given = true;
	watch_closing(c, CLOSE_PATIENCE_MS);
}

void
conn_kill(struct conn *c, const char *why)
{
	conn_close(c, 0, why);
	outbox_drop(&c->out);
	c->dead = true;
	/* Both directions end, so the library hears of it at once. Its own
	 * timeouts would not do: they only start to run with its next event. */
	shutdown(lws_get_socket_fd(c->wsi), SHUT_RDWR);
	lws_rx_flow_control(c->wsi, 1);
	lws_callback_on_writable(c->wsi);
}

/* ---- towards the client ------------------------------------------------- */

void
conn_send(struct conn *c, struct out_frame *f, const struct out_note *note,
    enum flush_when when)
{
	if (!conn_is_open(c)) {
		return;
	}
	metric_inc(stats.frames_out);
	metric_add(stats.bytes_out, f->len);
	switch (outbox_push(&c->out, f, note, when)) {
	case PUSH_OK:
		break;
	case PUSH_FULL:
		metric_inc(stats.slow_closes);
		outbox_drop(&c->out);
		conn_close(c, 1013, "Too slow");
		break;
	case PUSH_DEAD:
		conn_kill(c, "write failed");
		break;
	}
}

void
conn_send_json(struct conn *c, const void *json, size_t len)
{
	const struct out_note note = { .kind = NOTE_ANSWER };
	struct out_frame *f;

	if (!conn_is_open(c)) {
		return;
	}
	f = out_frame_new(json, len);
	conn_send(c, f, &note, FLUSH_SOON);
	out_frame_unref(&f);
}

/* Says goodbye and lets go of the socket, from which somebody else reads what the
 * client still sends: its close frame at least. Not by returning -1 from the
 * library's callback: Debian's build then closes twice, and the second time cuts
 * off what was written. The connection may be gone when this returns. */
static void
give_close(struct conn *c)
{
	c->close_given = true;
	conn_write_close(c, c->close_code, c->close_why);
	linger_socket(c->gw->loop, lws_get_socket_fd(c->wsi));
	lws_set_timeout(c->wsi, PENDING_TIMEOUT_CLOSE_SEND,
	    LWS_TO_KILL_SYNC);
}

void
conn_flush(struct conn *c)
{
	if (c->dead || c->close_given) {
		return;
	}
	if (!outbox_flush(&c->out)) {
		conn_kill(c, "write failed");
	} else if (c->state == CONN_LIVE) {
		backend_pump(c);
	}
}

int
conn_writable(struct conn *c)
{
	if (c->dead) {
		return -1;
	}
	if (c->close_given) {
		return 0;
	}
	if (c->ping_due && conn_is_open(c)) {
		conn_ping(c);
		if (c->dead) {
			return -1;
		}
	}
	if (!outbox_flush(&c->out)) {
		conn_kill(c, "write failed");
		return -1;
	}
	if (c->state == CONN_CLOSING && outbox_idle(&c->out)) {
		give_close(c);
		return 0;
	}
	if (c->state == CONN_LIVE) {
		backend_pump(c);
	}
	return 0;
}

/* ---- from the client ---------------------------------------------------- */

/* The rest of what is not taken is dropped until the connection's end. */
static bool
take(struct conn *c, const void *data, size_t len, size_t more, bool last)
{
	switch (inbound_add(&c->in, data, len, more, last)) {
	case INBOUND_OK:
		return true;
	case INBOUND_TOO_LARGE:
		conn_close(c, 1009, "Message too large");
		return false;
	case INBOUND_NOT_UTF8:
		conn_close(c, 1007, "Not UTF-8");
		return false;
	}
	return false;
}

void
conn_receive(struct conn *c, const void *data, size_t len, size_t more,
    bool last, bool binary)
{
	if (!conn_is_open(c)) {
		return;
	}
	if (binary) {
		conn_close(c, 1003, "Text frames only");
		return;
	}
	metric_add(stats.bytes_in, len);
	if (!take(c, data, len, more, last) || !last) {
		return;
	}
	metric_inc(stats.frames_in);
	/* As the turn ends: what came together goes on together. */
	conns_flush_later(c->gw->conns, c, FLUSH_SOON);
	if (conn_is_open(c) && !c->read_paused && inbound_full(&c->in)) {
		c->read_paused = true;
		metric_inc(stats.reads_paused);
		lws_rx_flow_control(c->wsi, 0);
	}
}

void
conn_count_abuse(struct conn *c)
{
	size_t max = (size_t)settings.abuse_max;
	uint64_t now = clock_mono_ms();

	if (!conn_is_open(c)) {
		return;
	}
	if (c->abuse == NULL) {
		c->abuse = mem_alloc(max * sizeof(c->abuse[0]));
	}
	/* The ring holds the last `max` times; a full ring whose oldest is
	 * within the window makes this one too many. */
	if (c->abuse_len == max &&
	    now - c->abuse[c->abuse_next] <= (uint64_t)settings.abuse_window) {
		conn_close(c, 1008, "Too many errors");
		return;
	}
	c->abuse[c->abuse_next] = now;
	c->abuse_next = (c->abuse_next + 1) % max;
	if (c->abuse_len < max) {
		c->abuse_len++;
	}
}
