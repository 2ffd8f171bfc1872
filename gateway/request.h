/*
 * What the gateway reads of a client's frame: its type, the chat it is about,
 * and what an error must name. All other fields are chatd's business. Pure.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef GATEWAY_REQUEST_H
#define GATEWAY_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/contract.h"
#include "common/err.h"
#include "common/uuid.h"

#define REQUEST_TEXT_MAX 64 /* code points of a type or request_id */

struct request {
	const struct contract_row *row; /* NULL: no such type */
	const char *type;    /* NULL: none, or no text, or too long */
	char *unknown;       /* owned: a type without row; may be NULL */
	char *request_id;    /* owned; NULL: none, or not a valid one */
	struct uuid chat;    /* nil: none, or malformed */
	struct uuid front_msg_id;
};

/* ERR_OK, ERR_INVALID_JSON or ERR_UNKNOWN_TYPE. *r is filled as far as the
 * frame allows and is to be released by request_fini in every case. */
MUST_CHECK enum err request_parse(const char *text, size_t len,
    struct request *r);
/* The same for any frame, and slower: request_parse turns to it for what is
 * unusual. */
MUST_CHECK enum err request_parse_whole(const char *text, size_t len,
    struct request *r);
void request_fini(struct request *r);

#endif
