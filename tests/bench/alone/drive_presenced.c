/*
 * Gateways in front of a presenced: each has its share of the sessions and one
 * call in flight, in which it tells that a batch of them came; when all have
 * come they go again, batch by batch. Or it asks who is online, as chatds do.
 * Users are numbers: presenced looks none of them up.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/alone/alone.h"
#include "common/calls.h"
#include "common/mem.h"

struct gate {
	struct uuid id;
	uint32_t first;  /* of its sessions */
	uint32_t count;
	uint32_t next;   /* from 0: whose turn it is */
	bool going;      /* they go */
	uint32_t asked;  /* of them in the call that is in flight */
	uint64_t sent_ns;
};

static struct rpc_client *presenced;
static struct gate *gates;
static enum msg_kind kind;
static struct buf body; /* of the request being made */

static struct uuid
numbered(uint8_t what, uint32_t n)
{
	struct uuid id = { { 0xbe, what, 0, 0, 0, 0, 0x70, 0, 0x80 } };

	for (int i = 0; i < 4; i++) {
		id.b[12 + i] = (uint8_t)(n >> (24 - 8 * i));
	}
	return id;
}

static void
put_changes(struct gate *g)
{
	const struct session_head head = { .gateway = g->id };

	put_session_head(&body, &head);
	buf_put_u32(&body, g->asked);
	for (uint32_t i = 0; i < g->asked; i++) {
		const struct session_change change = {
			.op = g->going ? SESSION_DOWN : SESSION_UP,
			.user = numbered(1, g->first + g->next + i),
			.session = numbered(2, g->first + g->next + i),
		};

		put_session_change(&body, &change);
	}
}

static void
put_users(struct gate *g)
{
	buf_put_u32(&body, g->asked);
	for (uint32_t i = 0; i < g->asked; i++) {
		const struct uuid user = numbered(1, g->first + g->next + i);

		buf_put_uuid(&body, &user);
	}
}

static void ask(struct gate *g);

static void
on_answer(void *arg, enum err status, const struct frame *reply)
{
	struct gate *g = arg;

	(void)reply;
	/* An unknown gateway's heartbeat is answered so. */
	if (kind == CALL_heartbeat && status == ERR_NOT_FOUND) {
		status = ERR_OK;
	}
	drive_answered(g->sent_ns, status, g->asked);
	g->next += g->asked;
	if (g->next == g->count) {
		g->next = 0;
		g->going = !g->going;
	}
	if (sending) {
		ask(g);
	}
}

static void
ask(struct gate *g)
{
	const struct session_head head = { .gateway = g->id };
	struct rpc_request req = { .kind = kind, .route = g->id };
	uint32_t left = g->count - g->next;

	buf_reset(&body);
	g->asked = left < setup.batch ? left : setup.batch;
	switch (kind) {
	case CALL_sessions_changed:
		put_changes(g);
		break;
	case CALL_who_is_online:
		put_users(g);
		break;
	default:
		g->asked = 1;
		put_session_head(&body, &head);
		break;
	}
	req.body = body.data;
	req.body_len = body.len;
	g->sent_ns = now_ns();
	rpc_call(presenced, &req, on_answer, g);
}

static void
begin(void)
{
	for (uint32_t i = 0; i < options.window; i++) {
		ask(&gates[i]);
	}
}

static void
prepare(struct rpc_client *peer)
{
	uint32_t share = options.connections / options.window;

	presenced = peer;
	for (uint32_t i = 0; i < options.window; i++) {
		gates[i].id = uuid_v4();
		gates[i].first = i * share;
		gates[i].count = share;
	}
	drive_begin();
}

int
drive_presenced(uv_loop_t *loop)
{
	static const struct drive d = { "gateway-presenced", "presenced",
		prepare, begin };
	int status;

	if (strcmp(options.request, "heartbeat") == 0) {
		kind = CALL_heartbeat;
	} else if (strcmp(options.request, "who_is_online") == 0) {
		kind = CALL_who_is_online;
	} else {
		kind = CALL_sessions_changed;
	}
	if (options.connections < options.window) {
		fprintf(stderr, "parley-stand-in: fewer --connections than "
		    "gateways (--window)\n");
		return 2;
	}
	gates = mem_zalloc(options.window * sizeof(*gates));
	buf_init(&body);
	status = drive_run(loop, &d);
	buf_fini(&body);
	free(gates);
	return status;
}
