/*
 * Tokens and sessions: check_token, check_held_tokens, logout.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "chatd/events.h"
#include "chatd/handlers.h"
#include "chatd/openings.h"
#include "chatd/service.h"
#include "chatd/settings.h"
#include "chatd/store_tokens.h"
#include "common/calls.h"
#include "common/mem.h"

#define HELD_MAX 5000

/* ---- check_token --------------------------------------------------------- */

static void
answer_token(struct request *r, const struct db_result *res, size_t place,
    size_t *row)
{
	struct rpc_out out = { .status = ERR_OK };
	int64_t expires_at = 0;

	out.status = store_token_check_read(res, 0, place, row,
	    &out.token, &out.user, &expires_at);
	if (out.status != ERR_OK) {
		request_fail(r, out.status, NULL);
		return;
	}
	out.seq = (uint64_t)expires_at;
	request_answer_out(r, &out);
}

static void
answer_tokens(struct request *const *r, size_t n, struct db_result *res)
{
	size_t row = 0;

	for (size_t i = 0; i < n; i++) {
		answer_token(r[i], res, i, &row);
	}
}

static void
ask_tokens(struct db_unit *u, struct request *const *r, size_t n)
{
	uint8_t hashes[GATHER_MAX][TOKEN_HASH_LEN];

	for (size_t i = 0; i < n; i++) {
		memcpy(hashes[i], r[i]->frame->body, TOKEN_HASH_LEN);
	}
	store_tokens_check_step(u, hashes, n);
	if (settings.logout_grace > 0) {
		store_tokens_revive_step(u, hashes, n);
	}
}

const struct gather_conf openings_tokens = {
	.label = "check_token",
	.batch_max = GATHER_MAX,
	.batches_max = 2,
	.ask = ask_tokens,
	.answer = answer_tokens,
};

void
handle_check_token(struct request *r)
{
	if (r->frame->body_len != TOKEN_HASH_LEN) {
		request_fail(r, ERR_PROTOCOL, NULL);
		return;
	}
	gather_add(r->svc->token_checks, r);
}

/* ---- check_held_tokens --------------------------------------------------- */

static void
on_held(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	size_t n;

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	n = db_rows(res, 0);
	buf_put_u32(&r->body, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		int64_t expires_at = store_tokens_held_read(res, 0, i);

		buf_put_u64(&r->body,
		    expires_at > 0 ? (uint64_t)expires_at : 0);
	}
	request_answer(r);
}

void
handle_check_held_tokens(struct request *r)
{
	struct rd rd;
	struct uuid *ids;
	struct db_unit *u;
	uint32_t n;

	rd_init(&rd, r->frame->body, r->frame->body_len);
	n = rd_u32(&rd);
	if (!rd_ok(&rd) || n > HELD_MAX ||
	    rd_left(&rd) != (size_t)n * sizeof(struct uuid)) {
		request_fail(r, n > HELD_MAX ? ERR_TOO_LARGE : ERR_PROTOCOL,
		    NULL);
		return;
	}
	ids = mem_alloc((n + 1) * sizeof(*ids));
	for (uint32_t i = 0; i < n; i++) {
		ids[i] = rd_uuid(&rd);
	}
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_tokens_held_step(u, ids, n);
	free(ids);
	db_submit(u, on_held, r);
}

/* ---- logout -------------------------------------------------------------- */

/* Other sockets of the token close at once; with a grace they do so when the
 * gateways look whether their tokens still hold. */
static void
on_ended(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	struct event e = { .kind = EVENT_TOKEN_ENDED,
		.trace = r->frame->trace, .token = r->frame->token,
		.skip_session = r->frame->session };
	struct rpc_out out = { .status = ERR_OK,
		.seq = (uint64_t)settings.logout_grace };

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	if (settings.logout_grace == 0) {
		events_to_user(r->svc->events, &r->frame->user, &e);
	}
	request_answer_out(r, &out);
}

void
handle_logout(struct request *r)
{
	struct db_unit *u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);

	store_token_end_step(u, &r->frame->token, &r->frame->user,
	    settings.logout_grace);
	db_submit(u, on_ended, r);
}
