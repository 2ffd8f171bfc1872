/*
 * The contract's `error` and `chat_forbidden` frames.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/error_frame.h"

#include "common/json_out.h"
#include "common/uuid.h"

/* Reasons from ERR_CHAT_FORBIDDEN on are between our processes. One that comes
 * here is a fault behind the gateway, for which the contract has one word. */
static const char *
wire_reason(enum err e)
{
	return err_reason(e >= ERR_CHAT_FORBIDDEN ? ERR_UNAVAILABLE : e);
}

static void
key_id(struct json_out *j, const char *key, const struct uuid *id)
{
	json_key_uuid(j, key, id != NULL && uuid_is_nil(id) ? NULL : id);
}

void
error_frame_put(struct buf *b, const struct error_frame *e)
{
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_key_str(&j, "type", "error");
	json_key_str(&j, "request", e->request);
	json_key_str(&j, "reason", wire_reason(e->reason));
	json_key_str(&j, "field", e->field);
	key_id(&j, "chat_id", e->chat_id);
	key_id(&j, "front_msg_id", e->front_msg_id);
	if (e->request_id != NULL) {
		json_key_str(&j, "request_id", e->request_id);
	}
	if (e->retry_after_ms > 0) {
		json_key_int(&j, "retry_after_ms", e->retry_after_ms);
	}
	json_obj_end(&j);
}

void
chat_forbidden_put(struct buf *b, const struct uuid *chat_id,
    const struct uuid *front_msg_id, const char *request_id)
{
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_key_str(&j, "type", "chat_forbidden");
	json_key_uuid(&j, "chat_id", chat_id);
	if (front_msg_id != NULL) {
		json_key_uuid(&j, "front_msg_id", front_msg_id);
	}
	if (request_id != NULL) {
		json_key_str(&j, "request_id", request_id);
	}
	json_obj_end(&j);
}
