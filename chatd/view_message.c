/*
 * Messages as JSON. A message looks different to each viewer: its type, its
 * sender's name, and whether it carries its front_msg_id.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/view.h"
#include "common/json_in.h"

static const char *
state_name(enum message_state state)
{
	static const char *const names[] = {
		[STATE_SENT] = "sent",
		[STATE_DELIVERED] = "delivered",
		[STATE_READ] = "read",
	};

	return names[state];
}

/* An erased message holds its place alone (chatd/sql/admin.sql); what is shown is
 * for clients that do not look at deleted_at. */
static struct text
shown_content(const struct message *m)
{
	static const char erased[] = "Message deleted";

	return m->content.len > 0 ? m->content :
	    (struct text){ erased, sizeof(erased) - 1 };
}

static const char *
type_for(const struct message *m, const struct uuid *viewer)
{
	return uuid_eq(&m->sender_id, viewer) ? "outgoing" : "incoming";
}

/* The keys of a message wherever it stands. */
static void
put_message(struct json_out *j, const struct message *m,
    const struct uuid *viewer, enum message_state state)
{
	json_key_uuid(j, "id", &m->id);
	view_text(j, "content", shown_content(m));
	json_key_uuid(j, "user_id", &m->sender_id);
	json_key_uuid(j, "chat_id", &m->chat_id);
	json_key_str(j, "state", state_name(state));
	json_key_str(j, "format", format_name(m->format));
	view_text(j, "filename", m->filename);
	json_key_time(j, "deleted_at", m->deleted_at);
	json_key_time(j, "time", m->created_at);
	view_avatar(j, m->sender.avatar_url);
	json_key_str(j, "type", type_for(m, viewer));
	view_display_name(j, "sender_name", &m->sender);
	json_key_int(j, "seq", m->seq);
}

void
view_message(struct json_out *j, const struct message *m,
    const struct uuid *viewer, enum message_state state)
{
	json_obj(j);
	put_message(j, m, viewer, state);
	json_obj_end(j);
}

void
view_new_message(struct buf *b, const struct message *m,
    const struct uuid *viewer, enum message_state state, bool catch_up,
    const char *request_id)
{
	bool own = uuid_eq(&m->sender_id, viewer);
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_key_str(&j, "type", "new_message");
	json_key_obj(&j, "message");
	put_message(&j, m, viewer, state);
	json_key_time(&j, "updated_at", m->updated_at);
	json_key_uuid(&j, "front_msg_id", own ? &m->front_msg_id : NULL);
	json_obj_end(&j);
	if (catch_up) {
		json_key_bool(&j, "catch_up", true);
	}
	if (request_id != NULL) {
		json_key_str(&j, "request_id", request_id);
	}
	json_obj_end(&j);
}

void
view_last_message(struct json_out *j, const struct message *m,
    const struct uuid *viewer, enum message_state state)
{
	struct text content = shown_content(m);

	json_obj(j);
	json_key_uuid(j, "id", &m->id);
	json_key_str(j, "type", type_for(m, viewer));
	json_key_strn(j, "content", content.p, utf8_prefix(content.p,
	    content.len, VIEW_LAST_CONTENT_MAX));
	json_key_str(j, "state", state_name(state));
	json_key_time(j, "time", m->created_at);
	view_display_name(j, "sender_name", &m->sender);
	json_key_str(j, "format", format_name(m->format));
	view_text(j, "filename", m->filename);
	json_obj_end(j);
}

void
view_delivered(struct buf *b, const struct uuid *ids, size_t n)
{
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_key_str(&j, "type", "messages_delivered");
	json_key_arr(&j, "message_ids");
	for (size_t i = 0; i < n; i++) {
		json_uuid(&j, &ids[i]);
	}
	json_arr_end(&j);
	json_obj_end(&j);
}

void
view_chat_read(struct buf *b, const struct uuid *chat,
    const struct uuid *reader)
{
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_key_str(&j, "type", "chat_read");
	json_key_uuid(&j, "chat_id", chat);
	json_key_uuid(&j, "reader_user_id", reader);
	json_obj_end(&j);
}

void
view_unread_changed(struct buf *b, const struct uuid *chat,
    int64_t unread, const char *request_id)
{
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_key_str(&j, "type", "unread_changed");
	json_key_uuid(&j, "chat_id", chat);
	json_key_int(&j, "unread_messages", unread);
	if (request_id != NULL) {
		json_key_str(&j, "request_id", request_id);
	}
	json_obj_end(&j);
}
