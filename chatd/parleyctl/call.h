/*
 * A call to chatd, waited for. The first one makes the links, call_end() releases
 * them.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_PARLEYCTL_CALL_H
#define CHATD_PARLEYCTL_CALL_H

#include "chatd/parleyctl/ctl.h"
#include "common/buf.h"
#include "common/contract.h"
#include "common/err.h"
#include "common/json_out.h"

struct json_object;

/* A request under way: fields are written to `j`, an open object. */
struct call {
	struct buf body;   /* wiped and released by call_do */
	struct json_out j;
};

void call_begin(struct call *c);
/* begin, and the key `by`. */
void call_begin_by(struct call *c);
/* Sends it and waits; `as`: on whose behalf, or NULL. CTL_OK: *reply_r is the
 * answer, the caller's (json_object_put). Else what was wrong has been said. */
MUST_CHECK enum ctl_exit call_do(struct call *c, enum msg_kind kind,
    const struct uuid *as, struct json_object **reply_r);
void call_end(void);

/* The account that `who` (an id, a username, an address) names. */
MUST_CHECK enum ctl_exit call_find_user(const char *who,
    struct json_object **user_r, struct uuid *id_r);

/* Of a reply. Texts are borrowed; NULL where it is null or absent. */
const char *reply_text(struct json_object *o, const char *key);
int64_t reply_int(struct json_object *o, const char *key);
bool reply_bool(struct json_object *o, const char *key);
/* An array's, 0 and NULL where there is none. */
size_t reply_len(struct json_object *o, const char *key);
struct json_object *reply_at(struct json_object *o, const char *key, size_t i);

#endif
