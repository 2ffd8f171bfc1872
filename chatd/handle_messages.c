/*
 * Messages: send_message, chat_messages_read, report_delivered.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>

#include "chatd/events.h"
#include "chatd/handlers.h"
#include "chatd/media_url.h"
#include "chatd/receipts.h"
#include "chatd/service.h"
#include "chatd/store_messages.h"
#include "chatd/view.h"
#include "chatd/writer.h"
#include "common/json_in.h"
#include "common/mem.h"

/* ---- send_message -------------------------------------------------------- */

/* The chat may be named at the top, in msg, or in both alike. */
static bool
pick_chat(const struct request *r, struct uuid *chat_r)
{
	const struct field_value *top = request_field(r,
	    FIELD_send_message_chat_id);
	const struct field_value *msg = request_field(r,
	    FIELD_send_message_msg_chat_id);

	if (!top->present && !msg->present) {
		return false;
	}
	*chat_r = top->present ? top->uuid : msg->uuid;
	return !top->present || !msg->present ||
	    uuid_eq(&top->uuid, &msg->uuid);
}

void
handle_send_message(struct request *r)
{
	const struct field_value *content = request_field(r,
	    FIELD_send_message_content);
	const struct field_value *format = request_field(r,
	    FIELD_send_message_format);
	const struct field_value *filename = request_field(r,
	    FIELD_send_message_filename);
	struct send_row row = { .sender_id = r->frame->user,
		.front_msg_id = request_field(r,
		    FIELD_send_message_front_msg_id)->uuid,
		.format = format->present ? format->format : FORMAT_TEXT,
		.content = { content->text, content->text_len },
		.filename = TEXT_NULL };

	if (!pick_chat(r, &row.chat_id)) {
		request_fail(r, ERR_INVALID_FIELD, "chat_id");
		return;
	}
	if (utf8_blank(row.content.p, row.content.len) ||
	    (row.format != FORMAT_TEXT &&
	    !media_url_allowed(r->svc->origins, row.content))) {
		request_fail(r, ERR_INVALID_FIELD, "msg.content");
		return;
	}
	if (filename->present) {
		row.filename = (struct text){ filename->text,
			filename->text_len };
	}
	writer_send(r->svc->writer, r, &row);
}

/* ---- chat_messages_read -------------------------------------------------- */

static void
tell_others(struct request *r, const struct uuid *chat,
    const struct db_result *res, const struct read_moved *moved)
{
	struct buf json = BUF_INIT;
	struct buf bytes = BUF_INIT;
	struct event e = { .kind = EVENT_RECEIPT, .trace = r->frame->trace,
		.chat = *chat, .seq = (uint64_t)moved->upto };

	view_chat_read(&json, chat, &r->frame->user);
	e.json = (const char *)json.data;
	e.json_len = json.len;
	put_event(&bytes, &e);
	for (size_t i = 0; i < db_rows(res, STORE_READ_OTHERS); i++) {
		struct uuid other = store_other_read(res, i);

		events_bytes_to_user(r->svc->events, &other, &bytes);
	}
	buf_fini(&json);
	buf_fini(&bytes);
}

static void
tell_own_sessions(struct request *r, const struct uuid *chat)
{
	struct buf json = BUF_INIT;
	struct event e = { .kind = EVENT_FRAME, .trace = r->frame->trace,
		.chat = *chat, .skip_session = r->frame->session };

	view_unread_changed(&json, chat, 0, NULL);
	e.json = (const char *)json.data;
	e.json_len = json.len;
	events_to_user(r->svc->events, &r->frame->user, &e);
	buf_fini(&json);
}

static void
on_read(void *arg, struct db_result *res)
{
	struct request *r = arg;
	struct uuid chat = request_field(r,
	    FIELD_chat_messages_read_chat_id)->uuid;
	enum err err = request_db_err(res);
	struct read_moved moved;

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	if (!store_read_moved(res, &moved)) {
		request_fail(r, ERR_CHAT_FORBIDDEN, NULL);
		return;
	}
	receipts_publish(r->svc->receipts, res, STORE_READ_ANNOUNCED,
	    r->frame->trace);
	/* Telling twice after a lost answer is better than not at all. */
	if (moved.unread_after < moved.unread_before || db_doubtful(res)) {
		tell_own_sessions(r, &chat);
		tell_others(r, &chat, res, &moved);
	}
	view_unread_changed(&r->body, &chat, 0, r->fields.request_id);
	request_answer(r);
}

void
handle_chat_messages_read(struct request *r)
{
	struct uuid chat = request_field(r,
	    FIELD_chat_messages_read_chat_id)->uuid;
	uint64_t upto = r->frame->seq;
	struct db_unit *u;

	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_read_steps(u, &chat, &r->frame->user,
	    upto < INT64_MAX ? (int64_t)upto : INT64_MAX);
	db_submit(u, on_read, r);
}

/* ---- report_delivered ---------------------------------------------------- */

#define MARKS_MAX 1000

void
handle_report_delivered(struct request *r)
{
	struct delivered_mark marks[MARKS_MAX];
	struct rd rd;
	uint32_t n;

	rd_init(&rd, r->frame->body, r->frame->body_len);
	n = rd_u32(&rd);
	if (n > MARKS_MAX) {
		request_fail(r, ERR_TOO_LARGE, NULL);
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		get_delivered_mark(&rd, &marks[i]);
	}
	if (!rd_done(&rd)) {
		request_fail(r, ERR_PROTOCOL, NULL);
		return;
	}
	receipts_add(r->svc->receipts, r, &r->frame->chat, marks, n);
}
