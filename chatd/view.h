/*
 * Rows as the contract's JSON: one builder for each object, used by every frame
 * that holds it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_VIEW_H
#define CHATD_VIEW_H

#include "chatd/marks.h"
#include "chatd/model.h"
#include "chatd/store_chats.h"
#include "common/json_out.h"

/* Code points of a last_message's content. */
#define VIEW_LAST_CONTENT_MAX 200

/* Where default pictures are: call once at start. */
void view_init(const char *public_url);

/* ---- view_user.c ----------------------------------------------------------------- */

void view_text(struct json_out *j, const char *key, struct text t);
/* What the viewer calls them. Whose account is gone has no name left: empty. */
void view_display_name(struct json_out *j, const char *key,
    const struct person *p);
void view_avatar(struct json_out *j, struct text avatar_url);
const char *view_status(bool online);
/* The user of a session, to themselves. */
void view_own_user(struct json_out *j, const struct session_user *u);
/* `chat` nil: null. */
void view_person_info(struct json_out *j, const struct uuid *viewer,
    const struct person *p, bool online, const struct uuid *chat);
/* In a list of people: found ones, contacts. */
void view_person(struct json_out *j, const struct uuid *viewer,
    const struct person *p);
/* The key contact_info: null where the person is no contact. */
void view_contact_info(struct json_out *j, const struct uuid *viewer,
    const struct person *p);
/* Where the nickname's value stands in the buffer, if it is null. */
#define VIEW_NULL_LEN 4
size_t view_member(struct json_out *j, const struct member *m, bool online);
/* {"type":"user_status_changed",...} */
void view_status_changed(struct buf *b, const struct uuid *user, bool online,
    int64_t last_seen_at);

/* ---- view_message.c ---------------------------------------------------------------- */

/* In a list of messages. */
void view_message(struct json_out *j, const struct message *m,
    const struct uuid *viewer, enum message_state state);
/* {"type":"new_message",...}: its message has updated_at and front_msg_id as
 * well. request_id NULL: left out. */
void view_new_message(struct buf *b, const struct message *m,
    const struct uuid *viewer, enum message_state state, bool catch_up,
    const char *request_id);
/* In an item: the keys of a last_message, content cut. */
void view_last_message(struct json_out *j, const struct message *m,
    const struct uuid *viewer, enum message_state state);
/* {"type":"messages_delivered",...} */
void view_delivered(struct buf *b, const struct uuid *ids, size_t n);
/* {"type":"chat_read",...} */
void view_chat_read(struct buf *b, const struct uuid *chat,
    const struct uuid *reader);
/* {"type":"unread_changed",...} */
void view_unread_changed(struct buf *b, const struct uuid *chat,
    int64_t unread, const char *request_id);

/* ---- view_chat.c ------------------------------------------------------------------- */

/* What a chat_info's chat is made of. */
struct chat_view {
	const struct chat_item *item;
	const struct member *members;
	const bool *online;      /* of each member */
	size_t member_count;
	const struct message *messages; /* oldest first */
	size_t message_count;
	bool has_more;           /* there are older ones */
};

/* `online`: the other one of a private chat. */
void view_chat_item(struct json_out *j, const struct chat_item *c,
    const struct uuid *viewer, bool online);
void view_chat(struct json_out *j, const struct chat_view *c,
    const struct uuid *viewer);
/* {"type":"private_chat_created","chat":null,"chat_item":..}; for a group the
 * same as group_chat_created to who was in it from its beginning, else
 * chat_added. */
void view_chat_added(struct buf *b, const struct chat_item *c,
    const struct uuid *viewer, bool online);

/* ---- view_group.c ------------------------------------------------------------------ */

/* {"type":"group_chat_created","chat":null,...} */
void view_group_created(struct buf *b, const struct chat_item *c,
    const struct uuid *viewer);
/* {"type":"chat_added",...} */
void view_group_joined(struct buf *b, const struct chat_item *c,
    const struct uuid *viewer);

struct members_view {
	const struct uuid *chat;
	const struct member *members;
	const bool *online;       /* of each member */
	size_t member_count;
	const struct uuid *added; /* who of them is new */
	size_t added_count;
};

/* {"type":"chat_members_added",...}. `nickname_at`, where not NULL, gets what
 * view_member returns for each member. */
void view_members_added(struct buf *b, const struct members_view *v,
    uint32_t *nickname_at, const char *request_id);
/* {"type":"chat_member_removed",...} */
void view_member_removed(struct buf *b, const struct uuid *chat,
    const struct uuid *user, const char *request_id);
/* {"type":"admin_given_to_member",...} */
void view_admin_given(struct buf *b, const struct uuid *chat,
    const struct member *m, bool online, const struct uuid *giver,
    const char *request_id);
/* {"type":"group_name_change_result","status":"success",...}, or of the
 * description. */
void view_group_text(struct buf *b, bool is_name, const struct uuid *chat,
    struct text text, const struct uuid *changer, const char *request_id);
/* {"type":"group_avatar_updated",...} */
void view_group_avatar(struct buf *b, const struct uuid *chat,
    struct text avatar_url);

#endif
