/*
 * Chats as JSON. A private chat wears the other one's name and picture, a notes
 * chat one's own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/view.h"

static const char *
kind_name(enum chat_kind kind)
{
	return kind == CHAT_GROUP ? "group" : "private";
}

static void
view_face(struct json_out *j, const struct chat_item *c)
{
	bool group = c->kind == CHAT_GROUP;

	json_key_uuid(j, "id", &c->id);
	json_key_str(j, "type", kind_name(c->kind));
	if (group) {
		view_text(j, "name", c->name);
	} else {
		view_display_name(j, "name", &c->other);
	}
	view_avatar(j, group ? c->avatar_url : c->other.avatar_url);
}

static void
view_chat_status(struct json_out *j, const struct chat_item *c, bool online)
{
	if (c->kind == CHAT_GROUP) {
		json_key_null(j, "status");
	} else {
		json_key_str(j, "status", view_status(online));
	}
}

void
view_chat_item(struct json_out *j, const struct chat_item *c,
    const struct uuid *viewer, bool online)
{
	json_obj(j);
	view_face(j, c);
	view_chat_status(j, c, online);
	json_key_uuid(j, "other_user_id",
	    c->kind == CHAT_GROUP ? NULL : &c->other.id);
	json_key_int(j, "unread_messages", chat_item_unread(c));
	if (c->has_last) {
		json_key(j, "last_message");
		view_last_message(j, &c->last, viewer, c->last_state);
	} else {
		json_key_null(j, "last_message");
	}
	json_obj_end(j);
}

/* Whether the other one of a private chat is online: they are a member. */
static bool
other_online(const struct chat_view *c)
{
	for (size_t i = 0; i < c->member_count; i++) {
		if (uuid_eq(&c->members[i].person.id, &c->item->other.id)) {
			return c->online[i];
		}
	}
	return false;
}

static void
view_messages(struct json_out *j, const struct chat_view *c,
    const struct uuid *viewer)
{
	struct marks marks;

	marks_init(&marks);
	for (size_t i = 0; i < c->member_count; i++) {
		const struct member *m = &c->members[i];

		marks_add(&marks, &m->person.id, m->delivered_seq,
		    m->read_seq);
	}
	json_key_arr(j, "messages");
	for (size_t i = 0; i < c->message_count; i++) {
		const struct message *m = &c->messages[i];

		view_message(j, m, viewer,
		    marks_state(&marks, &m->sender_id, m->seq));
	}
	json_arr_end(j);
}

void
view_chat(struct json_out *j, const struct chat_view *c,
    const struct uuid *viewer)
{
	const struct chat_item *item = c->item;

	json_obj(j);
	view_face(j, item);
	if (item->kind == CHAT_GROUP) {
		view_text(j, "description", item->description);
	}
	view_chat_status(j, item, other_online(c));
	view_messages(j, c, viewer);
	json_key_arr(j, "members");
	for (size_t i = 0; i < c->member_count; i++) {
		view_member(j, &c->members[i], c->online[i]);
	}
	json_arr_end(j);
	json_key_int(j, "unread_messages", chat_item_unread(item));
	json_key_int(j, "last_seq", item->last_seq);
	json_key_bool(j, "has_more", c->has_more);
	json_obj_end(j);
}

void
view_chat_added(struct buf *b, const struct chat_item *c,
    const struct uuid *viewer, bool online)
{
	struct json_out j;

	if (c->kind == CHAT_GROUP && c->founder) {
		view_group_created(b, c, viewer);
		return;
	}
	if (c->kind == CHAT_GROUP) {
		view_group_joined(b, c, viewer);
		return;
	}
	json_out_init(&j, b);
	json_obj(&j);
	json_key_str(&j, "type", "private_chat_created");
	json_key_null(&j, "chat");
	json_key(&j, "chat_item");
	view_chat_item(&j, c, viewer, online);
	json_obj_end(&j);
}
