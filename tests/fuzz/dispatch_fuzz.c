/*
 * Requests and calls through chatd: dispatch, the field checks and every handler
 * with its decoding, up to the database, which is replaced by one that is away
 * or refuses. Each request must be answered exactly once, a client's with valid
 * JSON, and nothing may be left behind.
 *
 *   kind (2 bytes; any row of the contract where it is none), what the database
 *   says (1), how long the answers of presenced are (1), then the body
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz/fuzz.h"

#include <sodium.h>
#include <string.h>
#include <uv.h>

#include "chatd/db_int.h"
#include "chatd/dispatch.h"
#include "chatd/service.h"
#include "chatd/settings.h"
#include "common/attr.h"
#include "chatd/live.h"
#include "common/bus.h"
#include "common/config.h"
#include "common/json_in.h"
#include "common/list.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/rpc.h"

#define TURNS_MAX 10000

static uv_loop_t loop;
static rpc_handler_fn *handler;
static void *handler_arg;

/* Something to point at; nobody looks into it here. */
static char place;

static struct list units;   /* submitted, not yet ended */
static unsigned unit_count;
static unsigned db_says;
static unsigned replies;

/* Publishes and calls not yet answered. */
struct owed {
	struct list link;
	bus_done_fn *done;
	rpc_reply_fn *reply;
	void *arg;
};

static struct list owed;
static const uint8_t *presenced_says;
static size_t presenced_len;

/* ---- the database --------------------------------------------------------- */

struct db *__wrap_db_open(uv_loop_t *l, const char *url, unsigned connections);
void __wrap_db_submit(struct db_unit *u, db_done_fn *done, void *arg);
size_t __wrap_db_pending(const struct db *db);

void
__wrap_db_submit(struct db_unit *u, db_done_fn *done, void *arg)
{
	CHECK(u->step_count > 0);
	u->done = done;
	u->arg = arg;
	list_push_back(&units, &u->link);
	unit_count++;
}

size_t
__wrap_db_pending(const struct db *db UNUSED)
{
	return unit_count;
}

struct db *
__wrap_db_open(uv_loop_t *l UNUSED, const char *url UNUSED,
    unsigned connections UNUSED)
{
	return (struct db *)(void *)&place;
}

static void
end_units(void)
{
	static const char *const states[] = { "", "23505", "22021", "40001",
		"57014", "23503" };
	struct list *link;

	while ((link = list_pop_front(&units)) != NULL) {
		struct db_unit *u = LIST_ENTRY(link, struct db_unit, link);
		const char *state = states[db_says % ARRAY_LEN(states)];

		unit_count--;
		u->result->outcome = *state != '\0' ? DB_FAILED
		    : DB_UNAVAILABLE;
		strcpy(u->result->sqlstate, state);
		/* The next one may be told something else. */
		db_says /= 2;
		u->done(u->arg, u->result);
		db_unit_free(&u);
	}
}

/* ---- Redis and presenced --------------------------------------------------- */

struct bus *__wrap_bus_new(uv_loop_t *l, const struct bus_conf *conf);
void __wrap_bus_free(struct bus **b);
void __wrap_bus_publish(struct bus *b, const char *topic, const void *data,
    size_t len, bus_done_fn *done, void *arg);
bool __wrap_bus_up(const struct bus *b);
size_t __wrap_bus_backlog(const struct bus *b);
bool __wrap_bus_behind(const struct bus *b);
void __wrap_live_ask(struct live *l, const struct uuid *user, live_fn *fn,
    void *arg);
struct rpc_client *__wrap_rpc_client_new(uv_loop_t *l,
    const struct rpc_client_conf *conf);
void __wrap_rpc_client_free(struct rpc_client **c);
bool __wrap_rpc_client_up(const struct rpc_client *c);
uint64_t __wrap_rpc_call(struct rpc_client *c, const struct rpc_request *req,
    rpc_reply_fn *fn, void *arg);
void __wrap_rpc_cancel(struct rpc_client *c, uint64_t id);

struct bus *
__wrap_bus_new(uv_loop_t *l UNUSED, const struct bus_conf *conf UNUSED)
{
	return (struct bus *)(void *)&place;
}

void
__wrap_bus_free(struct bus **b)
{
	*b = NULL;
}

static void
owe(bus_done_fn *done, rpc_reply_fn *reply, void *arg)
{
	struct owed *o = mem_zalloc(sizeof(*o));

	o->done = done;
	o->reply = reply;
	o->arg = arg;
	list_push_back(&owed, &o->link);
}

void
__wrap_bus_publish(struct bus *b UNUSED, const char *topic, const void *data,
    size_t len, bus_done_fn *done, void *arg)
{
	CHECK(topic != NULL && data != NULL && len > 0);
	if (done != NULL) {
		owe(done, NULL, arg);
	}
}

bool
__wrap_bus_up(const struct bus *b UNUSED)
{
	return true;
}

size_t
__wrap_bus_backlog(const struct bus *b UNUSED)
{
	return 0;
}

bool
__wrap_bus_behind(const struct bus *b UNUSED)
{
	return false;
}

/* No gateway is there. */
void
__wrap_live_ask(struct live *l UNUSED, const struct uuid *user UNUSED,
    live_fn *fn, void *arg)
{
	struct buf none = BUF_INIT;

	fn(arg, ERR_OK, &none, 0, 0);
}

struct rpc_client *
__wrap_rpc_client_new(uv_loop_t *l UNUSED,
    const struct rpc_client_conf *conf UNUSED)
{
	return (struct rpc_client *)(void *)&place;
}

void
__wrap_rpc_client_free(struct rpc_client **c)
{
	*c = NULL;
}

bool
__wrap_rpc_client_up(const struct rpc_client *c UNUSED)
{
	return true;
}

uint64_t
__wrap_rpc_call(struct rpc_client *c UNUSED,
    const struct rpc_request *req UNUSED, rpc_reply_fn *fn, void *arg)
{
	owe(NULL, fn, arg);
	return 1;
}

void
__wrap_rpc_cancel(struct rpc_client *c UNUSED, uint64_t id UNUSED)
{
	CHECK(!"nothing is given up here");
}

static void
pay(void)
{
	struct list *link;

	while ((link = list_pop_front(&owed)) != NULL) {
		struct owed *o = LIST_ENTRY(link, struct owed, link);
		const struct frame reply = { .body = presenced_says,
			.body_len = presenced_len };

		if (o->done != NULL) {
			o->done(o->arg, true);
		} else {
			o->reply(o->arg, ERR_OK, &reply);
		}
		free(o);
	}
}

/* ---- callers --------------------------------------------------------------- */

struct rpc_server *__wrap_rpc_server_new(uv_loop_t *l, const char *url,
    size_t in_flight_max, rpc_handler_fn *fn, void *arg);
void __wrap_rpc_server_free(struct rpc_server **s);
void __wrap_rpc_reply(struct rpc_in *in, const struct rpc_out *out);

struct rpc_server *
__wrap_rpc_server_new(uv_loop_t *l UNUSED, const char *url UNUSED,
    size_t in_flight_max UNUSED, rpc_handler_fn *fn, void *arg)
{
	handler = fn;
	handler_arg = arg;
	return (struct rpc_server *)(void *)&place;
}

void
__wrap_rpc_server_free(struct rpc_server **s)
{
	*s = NULL;
}

void
__wrap_rpc_reply(struct rpc_in *in, const struct rpc_out *out)
{
	const struct contract_row *row = contract_row(in->frame.kind);

	replies++;
	if (row != NULL && row->class != ROW_CALL &&
	    (row->flags & ROW_FRAMES) == 0 && out->body_len > 0) {
		CHECK(json_in_valid(out->body, out->body_len));
	}
	CHECK(row == NULL || row->class == ROW_CALL || out->body_len > 0 ||
	    out->status == ERR_OK);
}

/* ---- the scene -------------------------------------------------------------- */

/* The whole service, with its settings' defaults. */
static void
set_scene(void)
{
	static const struct config_row *const tables[] = { settings_rows,
		NULL };
	char program[] = "chatd";
	char *argv[] = { program, NULL };

	CHECK(sodium_init() >= 0);
	CHECK(log_init("fuzz", LOG_ERROR, "/dev/null"));
	CHECK(uv_loop_init(&loop) == 0);
	list_init(&units);
	list_init(&owed);
	setenv("PARLEY_DATABASE_URL", "dbname=none", 1);
	setenv("PARLEY_PASSWORD_MEMORY", "8192", 1);
	setenv("PARLEY_PASSWORD_OPS", "1", 1);
	CHECK(config_load(program, "", "1", tables, 1, argv) == CONFIG_RUN);
	CHECK(service_init(&loop));
	CHECK(handler != NULL);
}

static const struct contract_row *
row_of(unsigned kind)
{
	static size_t n;

	while (contract_row_at(n) != NULL) {
		n++;
	}
	return contract_row(kind) != NULL ? contract_row(kind)
	    : contract_row_at(kind % n);
}

static bool
at_rest(void)
{
	return list_empty(&units) && list_empty(&owed);
}

/* A turn of the loop is waited for only where a password is being hashed: there is
 * nothing else to wait for. */
static void
settle(void)
{
	for (unsigned i = 0; i < TURNS_MAX; i++) {
		uv_run(&loop, UV_RUN_NOWAIT);
		if (replies > 0 && at_rest()) {
			return;
		}
		if (at_rest()) {
			uv_run(&loop, UV_RUN_ONCE);
		}
		end_units();
		pay();
	}
	CHECK(!"the request is answered some time");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct rpc_in in = { .frame = { .id = 1, .seq = 3 } };
	const struct contract_row *row;
	struct frame *f = &in.frame;

	if (handler == NULL) {
		set_scene();
	}
	if (len < 4) {
		return 0;
	}
	row = row_of((unsigned)(data[0] << 8 | data[1]));
	db_says = data[2];
	presenced_len = data[3] < len ? data[3] : len;
	presenced_says = data;
	f->kind = (uint16_t)row->kind;
	memset(&f->user, 1, sizeof(f->user));
	memset(&f->session, 2, sizeof(f->session));
	memset(&f->token, 3, sizeof(f->token));
	memset(&f->chat, 4, sizeof(f->chat));
	f->body = data + 4;
	f->body_len = len - 4;
	replies = 0;
	handler(handler_arg, &in);
	settle();
	CHECK(replies == 1);
	CHECK(dispatch_pending(handler_arg) == 0);
	return 0;
}
