/*
 * What groups tell.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/view.h"

static void
begin(struct json_out *j, struct buf *b, const char *type)
{
	json_out_init(j, b);
	json_obj(j);
	json_key_str(j, "type", type);
}

static void
end(struct json_out *j, const char *request_id)
{
	if (request_id != NULL) {
		json_key_str(j, "request_id", request_id);
	}
	json_obj_end(j);
}

void
view_group_created(struct buf *b, const struct chat_item *c,
    const struct uuid *viewer)
{
	struct json_out j;

	begin(&j, b, "group_chat_created");
	json_key_null(&j, "chat");
	json_key(&j, "chat_item");
	view_chat_item(&j, c, viewer, false);
	end(&j, NULL);
}

void
view_group_joined(struct buf *b, const struct chat_item *c,
    const struct uuid *viewer)
{
	struct json_out j;

	begin(&j, b, "chat_added");
	json_key(&j, "chat_item");
	view_chat_item(&j, c, viewer, false);
	end(&j, NULL);
}

void
view_members_added(struct buf *b, const struct members_view *v,
    uint32_t *nickname_at, const char *request_id)
{
	struct json_out j;

	begin(&j, b, "chat_members_added");
	json_key_uuid(&j, "chat_id", v->chat);
	json_key_arr(&j, "members");
	for (size_t i = 0; i < v->member_count; i++) {
		size_t at = view_member(&j, &v->members[i], v->online[i]);

		if (nickname_at != NULL) {
			nickname_at[i] = (uint32_t)at;
		}
	}
	json_arr_end(&j);
	json_key_arr(&j, "added_user_ids");
	for (size_t i = 0; i < v->added_count; i++) {
		json_uuid(&j, &v->added[i]);
	}
	json_arr_end(&j);
	end(&j, request_id);
}

void
view_member_removed(struct buf *b, const struct uuid *chat,
    const struct uuid *user, const char *request_id)
{
	struct json_out j;

	begin(&j, b, "chat_member_removed");
	json_key_uuid(&j, "chat_id", chat);
	json_key_uuid(&j, "user_id", user);
	end(&j, request_id);
}

void
view_admin_given(struct buf *b, const struct uuid *chat,
    const struct member *m, bool online, const struct uuid *giver,
    const char *request_id)
{
	struct json_out j;

	begin(&j, b, "admin_given_to_member");
	json_key_uuid(&j, "chat_id", chat);
	json_key(&j, "member");
	view_member(&j, m, online);
	json_key_uuid(&j, "giving_user_id", giver);
	end(&j, request_id);
}

void
view_group_text(struct buf *b, bool is_name, const struct uuid *chat,
    struct text text, const struct uuid *changer, const char *request_id)
{
	struct json_out j;

	begin(&j, b, is_name ? "group_name_change_result" :
	    "group_description_change_result");
	json_key_str(&j, "status", "success");
	json_key_uuid(&j, "chat_id", chat);
	view_text(&j, is_name ? "new_name" : "new_description", text);
	json_key_uuid(&j, "changer_user_id", changer);
	end(&j, request_id);
}

void
view_group_avatar(struct buf *b, const struct uuid *chat,
    struct text avatar_url)
{
	struct json_out j;

	begin(&j, b, "group_avatar_updated");
	json_key_uuid(&j, "chat_id", chat);
	view_avatar(&j, avatar_url);
	end(&j, NULL);
}
