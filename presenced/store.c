/*
 * store: the link to Redis and the sending of calls (see store.h).
 *
 * Every link belongs to one Redis process, whose run id is asked first and goes
 * with every call: the scripts see by it that the book was written under
 * another process, which may have lost the latest of it (a snapshot loaded at
 * restart, a replica promoted).
 *
 *   DOWN -> link up -> GREETING -> all answered -> READY
 *             ^            | refused (loading): again after a pause
 *             +------------+-- link down from any state -> DOWN
 *
 * SPDX-License-Identifier: MIT
 */
#include "presenced/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/metrics.h"
#include "presenced/store_call.h"

#define GREET_AGAIN_MS 500
#define LOG_EVERY_MS 10000
#define RUN_ID_LEN 40
#define EPOCH_KEY "{presence}:epoch"

enum store_state {
	STORE_DOWN,     /* no link */
	STORE_GREETING, /* link up; INFO and SCRIPT LOAD are out or refused */
	STORE_READY,
};

struct store {
	struct store_conf conf;
	struct bus *bus;           /* owned */
	uv_timer_t greet_timer;
	enum store_state state;
	unsigned greet_open;       /* answers of the greeting outstanding */
	bool greet_bad;
	bool may_evict_said;
	char run_id[RUN_ID_LEN + 1];
	uint64_t version;          /* the highest one seen */
	size_t pending;
	uint64_t logged_ms;
	struct metric *m_errors;
	struct metric *m_refused;
};

static const struct script *const all_scripts[] = {
	&script_ack, &script_beat, &script_change, &script_claim, &script_due,
	&script_expire, &script_settle, &script_tick, &script_who,
};

static void greet(struct store *s);

/* ---- greeting ------------------------------------------------------------ */

static void
set_state(struct store *s, enum store_state state)
{
	bool was_ready = s->state == STORE_READY;

	s->state = state;
	if (was_ready != (state == STORE_READY) && s->conf.on_ready != NULL) {
		s->conf.on_ready(s->conf.arg, state == STORE_READY);
	}
}

static void
on_greet_again(uv_timer_t *timer)
{
	struct store *s = timer->data;

	if (s->state == STORE_GREETING && s->greet_open == 0) {
		greet(s);
	}
}

static void
greeting_answered(struct store *s, const redisReply *reply)
{
	s->greet_open--;
	if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
		s->greet_bad = true;
		if (reply != NULL) {
			store_bad_reply(s, "greeting", reply);
		}
	}
	if (s->greet_open > 0 || s->state != STORE_GREETING) {
		return;
	}
	if (s->greet_bad) {
		uv_timer_start(&s->greet_timer, on_greet_again, GREET_AGAIN_MS,
		    0);
		return;
	}
	log_info("store_ready", "run_id=%.8s", s->run_id);
	set_state(s, STORE_READY);
}

/* The value of `key:` in what INFO says; false when it is not there. */
static bool
info_value(const char *info, const char *key, char *value, size_t size)
{
	const char *at = strstr(info, key);
	size_t len;

	if (at == NULL) {
		return false;
	}
	at += strlen(key);
	len = strcspn(at, "\r\n");
	if (len >= size) {
		return false;
	}
	memcpy(value, at, len);
	value[len] = '\0';
	return true;
}

static void
warn_eviction(struct store *s, const char *info)
{
	char policy[32];
	char memory[32];

	if (s->may_evict_said ||
	    !info_value(info, "maxmemory_policy:", policy, sizeof(policy)) ||
	    !info_value(info, "maxmemory:", memory, sizeof(memory)) ||
	    strcmp(policy, "noeviction") == 0 || strcmp(memory, "0") == 0) {
		return;
	}
	s->may_evict_said = true;
	log_warn("redis_may_evict", "policy=%s cause=\"Redis may drop parts of "
	    "the presence book when memory is short\" remedy=\"set "
	    "maxmemory-policy noeviction\"", policy);
}

static void
on_info(void *arg, redisReply *reply)
{
	struct store *s = arg;

	if (reply != NULL && reply->str != NULL &&
	    reply->type != REDIS_REPLY_ERROR) {
		if (!info_value(reply->str, "run_id:", s->run_id,
		    sizeof(s->run_id))) {
			store_bad_reply(s, "info", reply);
			s->greet_bad = true;
		}
		warn_eviction(s, reply->str);
	}
	greeting_answered(s, reply);
}

static void
on_loaded(void *arg, redisReply *reply)
{
	greeting_answered(arg, reply);
}

static void
greet(struct store *s)
{
	const char *info[] = { "INFO" };
	const size_t info_len[] = { 4 };

	s->greet_bad = false;
	s->greet_open = 1 + ARRAY_LEN(all_scripts);
	bus_command(s->bus, on_info, s, 1, info, info_len);
	for (size_t i = 0; i < ARRAY_LEN(all_scripts); i++) {
		const struct script *x = all_scripts[i];
		const char *argv[] = { "SCRIPT", "LOAD", x->text };
		const size_t lens[] = { 6, 4, x->len };

		bus_command(s->bus, on_loaded, s, 3, argv, lens);
	}
}

static void
on_link(void *arg, bool up)
{
	struct store *s = arg;

	uv_timer_stop(&s->greet_timer);
	if (!up) {
		set_state(s, STORE_DOWN);
		return;
	}
	set_state(s, STORE_GREETING);
	if (s->greet_open == 0) {
		greet(s);
	} else {
		/* Answers of the last link's greeting are still to come. */
		uv_timer_start(&s->greet_timer, on_greet_again, 1, 0);
	}
}

/* ---- calls --------------------------------------------------------------- */

struct store_call *
store_call_new(struct store *s, const struct script *script,
    store_parse_fn *parse, void *arg)
{
	struct store_call *c = mem_zalloc(sizeof(*c));

	c->store = s;
	c->script = script;
	c->parse = parse;
	c->arg = arg;
	buf_init(&c->args);
	if (script == NULL) {
		return c;
	}
	store_call_arg_text(c, "EVALSHA");
	store_call_arg_text(c, script->sha);
	store_call_arg_text(c, "1");
	store_call_arg_text(c, EPOCH_KEY);
	store_call_arg_text(c, s->run_id);
	store_call_arg_int(c, s->conf.lease_ms);
	store_call_arg_int(c, s->conf.grace_ms);
	store_call_arg_int(c, (int64_t)s->version);
	return c;
}

void
store_call_arg(struct store_call *c, const void *data, size_t len)
{
	if (len > 0) {
		buf_put(&c->args, data, len);
	}
	c->lens[c->argc++] = len;
}

void
store_call_arg_text(struct store_call *c, const char *text)
{
	store_call_arg(c, text, strlen(text));
}

void
store_call_arg_int(struct store_call *c, int64_t v)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, v);
	store_call_arg_text(c, text);
}

static void
call_end(struct store_call *c, const redisReply *reply)
{
	c->parse(c, reply);
	buf_fini(&c->args);
	free(c);
}

static void on_reply(void *arg, redisReply *reply);

/* Arguments 0 and 1 are replaced when the script is sent with its text. */
static void
call_transmit(struct store_call *c)
{
	const char *argv[STORE_ARGS_MAX];
	size_t lens[STORE_ARGS_MAX];
	const char *at = (const char *)c->args.data;

	for (int i = 0; i < c->argc; i++) {
		argv[i] = at;
		lens[i] = c->lens[i];
		at += c->lens[i];
	}
	if (c->retried) {
		argv[0] = "EVAL";
		lens[0] = 4;
		argv[1] = c->script->text;
		lens[1] = c->script->len;
	}
	bus_command(c->store->bus, on_reply, c, c->argc, argv, lens);
}

static void
on_reply(void *arg, redisReply *reply)
{
	struct store_call *c = arg;
	struct store *s = c->store;

	if (reply != NULL && reply->type == REDIS_REPLY_ERROR) {
		if (strncmp(reply->str, "NOSCRIPT", 8) == 0 && !c->retried &&
		    s->state == STORE_READY) {
			c->retried = true;
			call_transmit(c);
			return;
		}
		store_bad_reply(s, c->script != NULL ? c->script->name
		    : "command", reply);
		reply = NULL;
	}
	s->pending--;
	call_end(c, reply);
}

void
store_call_send(struct store_call *c)
{
	struct store *s = c->store;

	if (s->state != STORE_READY || s->pending >= STORE_PENDING_MAX) {
		metric_inc(s->m_refused);
		call_end(c, NULL);
		return;
	}
	s->pending++;
	call_transmit(c);
}

void
store_saw_version(struct store *s, uint64_t version)
{
	if (version > s->version) {
		s->version = version;
	}
}

void
store_bad_reply(struct store *s, const char *what, const redisReply *reply)
{
	uint64_t now = clock_mono_ms();

	metric_inc(s->m_errors);
	if (s->logged_ms != 0 && now - s->logged_ms < LOG_EVERY_MS) {
		return;
	}
	s->logged_ms = now;
	log_error("redis_refused", "call=%s reason=\"%s\" remedy=\"presence "
	    "goes on when Redis takes scripts and writes again\"", what,
	    reply->type == REDIS_REPLY_ERROR ? reply->str
	    : "an answer of an unknown form");
}

/* ---- life ---------------------------------------------------------------- */

static double
pending_gauge(void *arg)
{
	return (double)((struct store *)arg)->pending;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	free(handle->data);
}

struct store *
store_new(uv_loop_t *loop, const struct store_conf *conf)
{
	struct store *s = mem_zalloc(sizeof(*s));
	const struct bus_conf bus = {
		.url = conf->redis_url,
		.name = "presenced",
		.on_link = on_link,
		.arg = s,
	};

	s->conf = *conf;
	s->m_errors = metric_counter("parley_presence_redis_errors_total", NULL,
	    "Calls that Redis answered with an error");
	s->m_refused = metric_counter("parley_presence_refused_total", NULL,
	    "Calls refused because Redis is away or too many are out");
	metric_gauge_fn("parley_presence_redis_pending", NULL,
	    "Calls to Redis that are out", pending_gauge, s);
	s->bus = bus_new(loop, &bus);
	if (s->bus == NULL) {
		free(s);
		return NULL;
	}
	uv_timer_init(loop, &s->greet_timer);
	s->greet_timer.data = s;
	return s;
}

void
store_free(struct store **sp)
{
	struct store *s = *sp;

	if (s == NULL) {
		return;
	}
	*sp = NULL;
	s->conf.on_ready = NULL;
	s->state = STORE_DOWN;
	bus_free(&s->bus);
	uv_close((uv_handle_t *)&s->greet_timer, on_timer_closed);
}

bool
store_ready(const struct store *s)
{
	return s->state == STORE_READY;
}

size_t
store_pending(const struct store *s)
{
	return s->pending;
}
