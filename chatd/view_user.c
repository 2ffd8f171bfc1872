/*
 * People as JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>

#include "chatd/view.h"

#define DEFAULT_AVATAR "/default-avatar.svg"

static char default_avatar[1024];

void
view_init(const char *public_url)
{
	size_t n = strlen(public_url);

	while (n > 0 && public_url[n - 1] == '/') {
		n--;
	}
	snprintf(default_avatar, sizeof(default_avatar), "%.*s%s", (int)n,
	    public_url, DEFAULT_AVATAR);
}

void
view_text(struct json_out *j, const char *key, struct text t)
{
	if (t.p == NULL) {
		json_key_null(j, key);
	} else {
		json_key_strn(j, key, t.p, t.len);
	}
}

void
view_display_name(struct json_out *j, const char *key, const struct person *p)
{
	struct text name = person_display(p);

	json_key_strn(j, key, name.p != NULL ? name.p : "", name.len);
}

/* Never null. */
void
view_avatar(struct json_out *j, struct text avatar_url)
{
	if (avatar_url.len > 0) {
		view_text(j, "avatar_url", avatar_url);
	} else {
		json_key_str(j, "avatar_url", default_avatar);
	}
}

const char *
view_status(bool online)
{
	return online ? "Online" : "Offline";
}

void
view_own_user(struct json_out *j, const struct session_user *u)
{
	json_obj(j);
	json_key_uuid(j, "id", &u->person.id);
	view_text(j, "username", u->person.username);
	view_text(j, "name", u->person.name);
	view_text(j, "email", u->email);
	view_avatar(j, u->person.avatar_url);
	json_key_time(j, "last_seen_at", u->person.last_seen_at);
	json_obj_end(j);
}

void
view_contact_info(struct json_out *j, const struct uuid *viewer,
    const struct person *p)
{
	if (!p->is_contact) {
		json_key_null(j, "contact_info");
		return;
	}
	json_key_obj(j, "contact_info");
	json_key_uuid(j, "owner_user_id", viewer);
	view_text(j, "nickname", p->nickname);
	json_key_time(j, "added_at", p->added_at);
	json_obj_end(j);
}

void
view_person_info(struct json_out *j, const struct uuid *viewer,
    const struct person *p, bool online, const struct uuid *chat)
{
	json_obj(j);
	json_key_uuid(j, "id", &p->id);
	view_text(j, "username", p->username);
	view_text(j, "name", p->name);
	view_avatar(j, p->avatar_url);
	json_key_str(j, "status", view_status(online));
	json_key_time(j, "last_seen_at", p->last_seen_at);
	json_key_uuid(j, "private_chat_id", uuid_is_nil(chat) ? NULL : chat);
	view_contact_info(j, viewer, p);
	json_obj_end(j);
}

void
view_person(struct json_out *j, const struct uuid *viewer,
    const struct person *p)
{
	json_obj(j);
	json_key_uuid(j, "id", &p->id);
	view_text(j, "username", p->username);
	view_text(j, "name", p->name);
	view_avatar(j, p->avatar_url);
	json_key_time(j, "last_seen_at", p->last_seen_at);
	view_contact_info(j, viewer, p);
	json_obj_end(j);
}

size_t
view_member(struct json_out *j, const struct member *m, bool online)
{
	size_t nickname_at;

	json_obj(j);
	json_key_uuid(j, "user_id", &m->person.id);
	view_text(j, "username", m->person.username);
	view_text(j, "name", m->person.name);
	view_avatar(j, m->person.avatar_url);
	json_key_time(j, "last_read_at", m->last_read_at);
	json_key_time(j, "last_seen_at", m->person.last_seen_at);
	view_text(j, "nickname", m->person.nickname);
	nickname_at = j->b->len - VIEW_NULL_LEN;
	json_key_str(j, "role", m->role == ROLE_ADMIN ? "admin" : "member");
	json_key_str(j, "status", view_status(online));
	json_obj_end(j);
	return nickname_at;
}

void
view_status_changed(struct buf *b, const struct uuid *user, bool online,
    int64_t last_seen_at)
{
	struct json_out j;

	json_out_init(&j, b);
	json_obj(&j);
	json_key_str(&j, "type", "user_status_changed");
	json_key_uuid(&j, "user_id", user);
	json_key_bool(&j, "is_online", online);
	json_key_time(&j, "last_seen_at", last_seen_at);
	json_obj_end(&j);
}
