/*
 * What operators' calls share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/admin.h"

#include "chatd/events.h"
#include "chatd/service.h"
#include "chatd/view.h"
#include "common/log.h"

void
admin_audit(const struct request *r, unsigned by, const char *what,
    const struct uuid *user, const char *more)
{
	char id[UUID_TEXT_LEN + 1];

	log_info("admin", "done=%s user=%s by=\"%s\" req=%016llx%s", what,
	    uuid_format(user, id), request_field(r, by)->text,
	    (unsigned long long)r->frame->trace, more);
}

void
admin_put_user(struct json_out *j, const struct admin_user *u)
{
	json_obj(j);
	json_key_uuid(j, "id", &u->id);
	view_text(j, "username", u->username);
	view_text(j, "name", u->name);
	view_text(j, "email", u->email);
	view_text(j, "avatar_url", u->avatar_url);
	json_key_time(j, "created_at", u->created_at);
	json_key_time(j, "last_seen_at", u->last_seen_at);
	json_key_time(j, "disabled_at", u->disabled_at);
	json_key_bool(j, "being_erased", u->being_erased);
	json_key_int(j, "sessions", u->sessions);
	json_key_int(j, "chats", u->chats);
	json_obj_end(j);
}

static void
on_told(void *arg)
{
	request_answer(arg);
}

void
admin_answer_ended(struct request *r, const struct uuid *user,
    const struct uuid *token, size_t ended)
{
	struct event e = { .kind = EVENT_REVOKED, .trace = r->frame->trace };
	struct event_wait *w = event_wait_new(r->svc->events, on_told, r);
	struct json_out j;

	if (token != NULL) {
		e.token = *token;
	}
	json_out_init(&j, &r->body);
	json_obj(&j);
	json_key_int(&j, "sessions_ended", (int64_t)ended);
	json_obj_end(&j);
	event_wait_to_user(w, user, &e);
	event_wait_go(w);
}
