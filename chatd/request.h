/*
 * One request on its way through chatd: what came, what dispatch has checked,
 * and the one way to answer. A handler owns its request until it calls one of
 * the answering functions, which release it; it calls exactly one, once.
 *
 *	handle_x(r) -> load, decide, store (callbacks) -> publish -> answer
 *
 * Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_REQUEST_H
#define CHATD_REQUEST_H

#include <stdint.h>

#include "common/buf.h"
#include "common/contract.h"
#include "common/err.h"
#include "common/fields.h"
#include "common/rpc.h"

struct service;
struct db_result;

struct request {
	struct service *svc;            /* borrowed */
	struct rpc_in *in;              /* owned until answered */
	const struct frame *frame;      /* of `in`: user, session, token, ... */
	const struct contract_row *row; /* constant */
	struct json_object *json;       /* owned; NULL for calls */
	struct fields fields;           /* owned; by FIELD_* of the row */
	uint64_t started_us;
	struct buf body;                /* owned; where answers are built */
};

/* The value of a field by its index. */
static inline const struct field_value *
request_field(const struct request *r, unsigned field)
{
	return &r->fields.v[field];
}

/* ERR_OK with what stands in r->body. */
void request_answer(struct request *r);
/* The same with all of the envelope's fields; body and body_len are set here. */
void request_answer_out(struct request *r, struct rpc_out *out);
/* `err`, with the error frame (requests), JSON (HTTP) or nothing (calls) that
 * goes with it. `field` as in invalid_field, else NULL. */
void request_fail(struct request *r, enum err err, const char *field);
/* rate_limited: the same may be asked again after so many ms. */
void request_limit(struct request *r, int64_t wait_ms);
/* A database result that is not DB_OK, as the error it means. */
enum err request_db_err(const struct db_result *res);

#endif
