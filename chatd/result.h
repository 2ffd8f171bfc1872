/*
 * The contract's results: {"type":..,"status":"success|failure","data":{..}}. A
 * success is told to the asker and to the asker's other sessions, a failure to
 * the asker alone. Each ending function answers the request, which is gone then.
 *
 *	result_success(&j, r, "name_change_result");
 *	json_key_strn(&j, "new_name", name.p, name.len);
 *	result_success_end(&j, r);
 *
 * Main thread only.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_RESULT_H
#define CHATD_RESULT_H

#include "chatd/request.h"
#include "chatd/text.h"
#include "common/json_out.h"

#define RESULT_NOT_FOUND "not_found"

/* The text of a field; TEXT_NULL where it is absent or null. */
struct text request_text(const struct request *r, unsigned field);
/* The same without leading and trailing Unicode white space. */
struct text request_text_trimmed(const struct request *r, unsigned field);

/* The key request_id, where the request has one: the last of an answer. */
void request_put_id(struct json_out *j, const struct request *r);

/* Up to within `data`. */
void result_success(struct json_out *j, struct request *r, const char *type);
/* Publishes to the other sessions, then answers. */
void result_success_end(struct json_out *j, struct request *r);

/* "data":{"reason":"not_found"} */
void result_not_found(struct request *r, const char *type);
/* "data":{"reason":{"<key>":"<rule>"}} */
void result_rejected(struct request *r, const char *type, const char *key,
    const char *rule);

#endif
