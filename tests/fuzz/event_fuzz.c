/*
 * Events of the bus, through the gateway's fanout up to each session's door. A
 * few sessions of three users are there for the whole run; what stands behind
 * them (deliver.c) is replaced, so that it can be held against what was sent.
 *
 *   first byte  bit 0: an EVENT_SPREAD made of the rest, of which each user must
 *               get exactly his own text; else the rest as it is, on a topic
 *               chosen by bits 1 and 2
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "common/buf.h"
#include "common/bus.h"
#include "common/calls.h"
#include "common/config.h"
#include "common/log.h"
#include "common/mem.h"
#include "gateway/conn.h"
#include "gateway/deliver.h"
#include "gateway/fanout.h"
#include "gateway/limits.h"
#include "gateway/settings.h"
#include "gateway/stats.h"

#define USERS 3
#define CONNS 4 /* the last two are of one user */

static struct gateway gw;
static struct conns conns;
static struct conn *conn[CONNS];
static struct buf got[CONNS];
static unsigned deliveries;

/* ---- what is replaced ----------------------------------------------------- */

void __wrap_bus_subscribe(struct bus *b, const char *topic,
    bus_done_fn *confirmed, void *arg);
void __wrap_bus_unsubscribe(struct bus *b, const char *topic);
void __wrap_bus_publish(struct bus *b, const char *topic, const void *data,
    size_t len, bus_done_fn *done, void *arg);
void __wrap_opening_subscribed(struct conn *c);
void __wrap_deliver_event(struct conn *c, struct delivery *d);
void __wrap_catchup_want_all(struct conn *c, uint64_t away_ms,
    uint64_t spread_ms);
void __wrap_tokens_recheck(struct tokens *t);

void
__wrap_bus_subscribe(struct bus *b UNUSED, const char *topic UNUSED,
    bus_done_fn *confirmed, void *arg)
{
	if (confirmed != NULL) {
		confirmed(arg, true);
	}
}

void
__wrap_bus_unsubscribe(struct bus *b UNUSED, const char *topic UNUSED)
{
	CHECK(!"nobody leaves");
}

/* What operators have asked for. */
void
__wrap_bus_publish(struct bus *b UNUSED, const char *topic, const void *data,
    size_t len, bus_done_fn *done UNUSED, void *arg UNUSED)
{
	CHECK(strncmp(topic, "answers:", 8) == 0 && data != NULL && len > 12);
}

void
__wrap_opening_subscribed(struct conn *c UNUSED)
{
}

void
__wrap_catchup_want_all(struct conn *c UNUSED, uint64_t away_ms UNUSED,
    uint64_t spread_ms UNUSED)
{
}

void
__wrap_tokens_recheck(struct tokens *t UNUSED)
{
}

void
__wrap_deliver_event(struct conn *c, struct delivery *d)
{
	const struct event *e = d->event;

	CHECK(!event_is_spread(e->kind) && e->kind != EVENT_RESYNC);
	deliveries++;
	for (unsigned i = 0; i < CONNS; i++) {
		if (conn[i] == c) {
			buf_put(&got[i], e->json, e->json_len);
		}
	}
}

/* ---- the scene ------------------------------------------------------------ */

static struct uuid
user_id(unsigned i)
{
	struct uuid id = { { 0x01, 0x89, 0x0a, 0x5d } };

	id.b[15] = (uint8_t)(i + 1);
	return id;
}

static void
set_scene(void)
{
	static const struct config_row *const tables[] = { settings_rows,
		NULL };
	static uv_loop_t loop;
	char program[] = "gateway";
	char *argv[] = { program, NULL };

	CHECK(log_init("fuzz", LOG_ERROR, "/dev/null"));
	CHECK(config_load(program, "", "1", tables, 1, argv) == CONFIG_RUN);
	CHECK(uv_loop_init(&loop) == 0);
	stats_init();
	list_init(&conns.all);
	gw.loop = &loop;
	gw.conns = &conns;
	gw.limits = limits_new(&gw);
	gw.fanout = fanout_new(&gw);
	fanout_start(gw.fanout);
	for (unsigned i = 0; i < CONNS; i++) {
		conn[i] = mem_zalloc(sizeof(*conn[i]));
		conn[i]->gw = &gw;
		conn[i]->user = user_id(i < USERS ? i : USERS - 1);
		conn[i]->session = user_id(100 + i);
		list_push_back(&conns.all, &conn[i]->link);
		fanout_join(conn[i]);
	}
	CHECK(fanout_users(gw.fanout) == USERS);
}

static void
forget(void)
{
	deliveries = 0;
	for (unsigned i = 0; i < CONNS; i++) {
		buf_reset(&got[i]);
	}
}

/* ---- a spread that is well made ------------------------------------------- */

/* Splices for one user out of the input, and the text they make of `json`. */
static uint32_t
make_splices(struct rd *in, const char *json, size_t json_len,
    struct buf *splices, struct buf *text)
{
	uint32_t count = rd_u8(in) % 4;
	size_t at = 0;

	for (uint32_t i = 0; i < count; i++) {
		struct splice s;

		s.at = (uint32_t)(at + rd_u8(in) % (json_len - at + 1));
		s.len = (uint32_t)(rd_u8(in) % (json_len - s.at + 1));
		s.text_len = rd_u8(in) % 16;
		s.text_len = s.text_len < rd_left(in) ? s.text_len
		    : rd_left(in);
		s.text = (const char *)rd_bytes(in, s.text_len);
		put_splice(splices, &s);
		buf_put(text, json + at, s.at - at);
		buf_put(text, s.text, s.text_len);
		at = s.at + s.len;
	}
	buf_put(text, json + at, json_len - at);
	return count;
}

/* Strangers stand among the users, with splices of their own. */
static void
try_spread(const uint8_t *data, size_t len)
{
	struct buf spread = BUF_INIT, bytes = BUF_INIT, wanted[USERS + 1];
	struct event e = { .kind = EVENT_SPREAD };
	struct rd in;

	rd_init(&in, data, len);
	e.json_len = rd_u8(&in);
	if (e.json_len > rd_left(&in)) {
		e.json_len = rd_left(&in);
	}
	e.json = (const char *)rd_bytes(&in, e.json_len);
	if (!rd_ok(&in) || e.json_len == 0) {
		return;
	}
	buf_put_u32(&spread, USERS + 1);
	for (unsigned i = 0; i <= USERS; i++) {
		struct buf splices = BUF_INIT;
		struct spread_to to = { .user = user_id(i) };

		buf_init(&wanted[i]);
		to.splices = make_splices(&in, e.json, e.json_len, &splices,
		    &wanted[i]);
		put_spread_to(&spread, &to);
		buf_put(&spread, splices.data, splices.len);
		buf_fini(&splices);
	}
	e.spread = spread.data;
	e.spread_len = spread.len;
	put_event(&bytes, &e);
	fanout_on_message(gw.fanout, EVENT_TOPIC_GATEWAYS,
	    strlen(EVENT_TOPIC_GATEWAYS), bytes.data, bytes.len);
	CHECK(deliveries == CONNS);
	for (unsigned i = 0; i < CONNS; i++) {
		const struct buf *w = &wanted[i < USERS ? i : USERS - 1];

		CHECK(got[i].len == w->len);
		CHECK(w->len == 0 ||
		    memcmp(got[i].data, w->data, w->len) == 0);
	}
	for (unsigned i = 0; i <= USERS; i++) {
		buf_fini(&wanted[i]);
	}
	buf_fini(&spread);
	buf_fini(&bytes);
}

/* ---- any bytes ------------------------------------------------------------ */

static void
try_bytes(unsigned which, const uint8_t *data, size_t len)
{
	char topic[EVENT_TOPIC_USER_LEN + 1] = EVENT_TOPIC_GATEWAYS;
	struct uuid user = user_id(which);
	struct event e;

	if (which < USERS) {
		event_topic_user(&user, topic);
	}
	fanout_on_message(gw.fanout, topic, strlen(topic), data, len);
	if (!get_event(data, len, &e)) {
		CHECK(deliveries == 0);
	} else if (!event_is_spread(e.kind) && which == USERS) {
		/* What is for one user never reaches all. */
		CHECK(deliveries == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (gw.fanout == NULL) {
		set_scene();
	}
	if (len < 2) {
		return 0;
	}
	forget();
	if (data[0] % 2 == 1) {
		try_spread(data + 1, len - 1);
	} else {
		try_bytes((data[0] >> 1) % (USERS + 1), data + 1, len - 1);
	}
	return 0;
}
