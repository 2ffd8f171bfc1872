/*
 * presenced between its two foreign sides: the bodies of calls that come in, and
 * what Redis answers to its scripts. The calls, the scripts' arguments and the
 * reading of replies are the real ones; Redis is the input. Each call must be
 * answered exactly once.
 *
 *   kind (1 byte), length of the body (2), the body, then replies in Redis's
 *   own protocol, one after another for each script that is called
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz/fuzz.h"

#include <hiredis/hiredis.h>
#include <string.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/contract.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/rpc.h"
#include "presenced/memory.h"
#include "presenced/presence.h"
#include "presenced/report.h"
#include "presenced/store_call.h"

/* Nobody looks into it here. */
static char store_place;
#define STORE ((struct store *)(void *)&store_place)

static redisReader *reader;
static unsigned replies, bad_replies;

/* ---- what is replaced ----------------------------------------------------- */

struct store_call *__wrap_store_call_new(struct store *s,
    const struct script *script, store_parse_fn *parse, void *arg);
void __wrap_store_call_send(struct store_call *c);
void __wrap_store_saw_version(struct store *s, uint64_t version);
void __wrap_store_bad_reply(struct store *s, const char *what,
    const redisReply *reply);
bool __wrap_store_ready(const struct store *s);
void __wrap_rpc_reply(struct rpc_in *in, const struct rpc_out *out);
void __wrap_report_kick(struct report *r);

struct store_call *
__wrap_store_call_new(struct store *s, const struct script *script,
    store_parse_fn *parse, void *arg)
{
	struct store_call *c = mem_zalloc(sizeof(*c));

	c->store = s;
	c->script = script;
	c->parse = parse;
	c->arg = arg;
	buf_init(&c->args);
	return c;
}

/* The next reply of the input; none left, or none that Redis could have sent:
 * Redis is away. */
void
__wrap_store_call_send(struct store_call *c)
{
	void *reply = NULL;

	CHECK(c->argc <= STORE_ARGS_MAX);
	if (redisReaderGetReply(reader, &reply) != REDIS_OK) {
		reply = NULL;
	}
	/* The store turns an error into no reply. */
	if (reply != NULL &&
	    ((redisReply *)reply)->type == REDIS_REPLY_ERROR) {
		freeReplyObject(reply);
		reply = NULL;
	}
	c->parse(c, reply);
	if (reply != NULL) {
		freeReplyObject(reply);
	}
	buf_fini(&c->args);
	free(c);
}

void
__wrap_store_saw_version(struct store *s, uint64_t version UNUSED)
{
	CHECK(s == STORE);
}

void
__wrap_store_bad_reply(struct store *s, const char *what,
    const redisReply *reply)
{
	CHECK(s == STORE && what != NULL && reply != NULL);
	bad_replies++;
}

bool
__wrap_store_ready(const struct store *s UNUSED)
{
	return true;
}

void
__wrap_rpc_reply(struct rpc_in *in, const struct rpc_out *out)
{
	CHECK(out->status != ERR_OK || in->frame.kind != CALL_who_is_online ||
	    out->body_len >= 4);
	replies++;
}

void
__wrap_report_kick(struct report *r UNUSED)
{
}

/* ---- the other calls to Redis --------------------------------------------- */

static unsigned told;

static void
on_tick(void *arg UNUSED, enum err e, const struct store_tick *t)
{
	CHECK((e == ERR_OK) == (t != NULL));
	told++;
}

static void
on_swept(void *arg UNUSED, enum err e, const struct store_swept *w)
{
	CHECK((e == ERR_OK) == (w != NULL));
	told++;
}

static void
on_claim(void *arg UNUSED, enum err e, const struct presence_change *reports,
    size_t n)
{
	CHECK(n <= STORE_REPORTS_MAX);
	CHECK(e == ERR_OK || n == 0);
	for (size_t i = 0; i < n; i++) {
		CHECK(reports[i].at_ms >= 0 &&
		    reports[i].at_ms <= PRESENCE_AT_MAX_MS);
	}
	told++;
}

static void
on_ack(void *arg UNUSED, enum err e UNUSED, unsigned left UNUSED)
{
	told++;
}

static void
on_seen(void *arg UNUSED, enum err e, const struct store_seen *seen, size_t n,
    uint64_t cursor UNUSED)
{
	unsigned online = 0;

	CHECK(e == ERR_OK || n == 0);
	for (size_t i = 0; i < n; i++) {
		online += seen[i].online;
	}
	CHECK(online <= n);
	told++;
}

static void
ask_redis(unsigned what)
{
	const struct presence_change report = { .version = 1 };

	told = 0;
	switch (what % 7) {
	case 0:
		store_tick(STORE, 1000, on_tick, NULL);
		break;
	case 1:
		store_expire(STORE, 1, 2, on_swept, NULL);
		break;
	case 2:
		store_due(STORE, 1, on_swept, NULL);
		break;
	case 3:
		store_claim(STORE, 1000, on_claim, NULL);
		break;
	case 4:
		store_ack(STORE, &report, 1, on_ack, NULL);
		break;
	case 5:
		store_scan(STORE, 0, on_seen, NULL);
		break;
	default:
		store_log(STORE, 7, on_seen, NULL);
		break;
	}
	CHECK(told == 1);
}

/* hiredis makes room for as many elements as an array announces (1.0.1 has a
 * bound, but none that is lower by itself): who speaks as Redis can take all
 * memory, and is trusted not to. */
static bool
announces_too_much(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		size_t digits = 0;

		while (p[i] == '*' && i + 1 + digits < len &&
		    p[i + 1 + digits] >= '0' && p[i + 1 + digits] <= '9') {
			digits++;
		}
		if (digits > 5) {
			return true;
		}
	}
	return false;
}

/* ---- the calls of others --------------------------------------------------- */

static void
call(struct presence *p, unsigned kind, const uint8_t *body, size_t len)
{
	struct rpc_in in = { .frame = { .kind = (uint16_t)kind, .body = body,
		.body_len = len } };

	replies = 0;
	presence_handle(p, &in);
	CHECK(replies == 1);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const enum msg_kind kinds[] = { CALL_sessions_changed,
		CALL_heartbeat, CALL_who_is_online, CALL_user_info };
	static struct presence p = { .store = STORE };
	const uint8_t *body;
	size_t body_len;
	unsigned what;
	struct rd r;

	if (p.memory == NULL) {
		CHECK(log_init("fuzz", LOG_ERROR, "/dev/null"));
		p.memory = memory_new(STORE, NULL, 6000);
	}
	rd_init(&r, data, len);
	what = rd_u8(&r);
	body_len = rd_u16(&r);
	body_len = body_len < rd_left(&r) ? body_len : rd_left(&r);
	body = rd_bytes(&r, body_len);
	if (!rd_ok(&r) || announces_too_much(r.p, rd_left(&r))) {
		return 0;
	}
	reader = redisReaderCreate();
	CHECK(reader != NULL);
	redisReaderFeed(reader, (const char *)r.p, rd_left(&r));
	if ((what & 1) == 0) {
		call(&p, kinds[(what >> 1) % ARRAY_LEN(kinds)], body,
		    body_len);
	} else {
		ask_redis(what >> 1);
	}
	redisReaderFree(reader);
	return 0;
}
