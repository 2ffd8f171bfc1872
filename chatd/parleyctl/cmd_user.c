/*
 * Accounts: create, list, search, show, disable, enable, password.
 *
 * SPDX-License-Identifier: MIT
 */
#include <json-c/json.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chatd/parleyctl/call.h"
#include "chatd/parleyctl/secret.h"
#include "chatd/parleyctl/show.h"
#include "common/json_in.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX 1000000
#define PAGE 500

/* ---- create, password ------------------------------------------------------ */

/* What was done, and a password that was made: the one time it is shown. */
static void
show_done(struct json_object *reply, const char *made, const char *done)
{
	if (ctl_flag("json")) {
		if (made != NULL) {
			json_object_object_add(reply, "password",
			    json_object_new_string(made));
		}
		show_json(reply);
		return;
	}
	printf("%s\n", done);
	if (made != NULL) {
		printf("%s\n", made);
	}
}

static bool
is_text(const char *what, const char *text)
{
	if (text == NULL || utf8_valid(text, strlen(text))) {
		return true;
	}
	(void)ctl_fail(CTL_USAGE, "%s is no UTF-8 text", what);
	return false;
}

enum ctl_exit
cmd_user_create(const struct ctl_args *args)
{
	const char *name = ctl_option("name"), *email = ctl_option("email");
	struct json_object *reply;
	char secret[SECRET_MAX];
	enum ctl_exit status;
	struct call c;

	if (!is_text("the username", args->words[0]) ||
	    !is_text("--name", name) || !is_text("--email", email)) {
		return CTL_USAGE;
	}
	status = secret_get(secret);
	if (status != CTL_OK) {
		return status;
	}
	if (!is_text("the password", secret)) {
		sodium_memzero(secret, sizeof(secret));
		return CTL_USAGE;
	}
	call_begin_by(&c);
	json_key_str(&c.j, "username", args->words[0]);
	json_key_str(&c.j, "name", name != NULL ? name : args->words[0]);
	json_key_str(&c.j, "email", email);
	json_key_str(&c.j, "password", secret);
	status = call_do(&c, MSG_admin_user_create, NULL, &reply);
	if (status == CTL_OK) {
		show_done(reply, ctl_flag("generate") ? secret : NULL,
		    reply_text(reply, "id"));
		json_object_put(reply);
	}
	sodium_memzero(secret, sizeof(secret));
	return status;
}

static enum ctl_exit
set_password(const struct uuid *id, const char *secret)
{
	struct json_object *reply;
	enum ctl_exit status;
	char done[80];
	struct call c;

	call_begin_by(&c);
	json_key_uuid(&c.j, "user_id", id);
	json_key_str(&c.j, "password", secret);
	json_key_bool(&c.j, "keep_sessions", ctl_flag("keep-sessions"));
	status = call_do(&c, MSG_admin_user_password, id, &reply);
	if (status != CTL_OK) {
		return status;
	}
	snprintf(done, sizeof(done), "password set, %lld sessions ended",
	    (long long)reply_int(reply, "sessions_ended"));
	show_done(reply, ctl_flag("generate") ? secret : NULL, done);
	json_object_put(reply);
	return CTL_OK;
}

enum ctl_exit
cmd_user_password(const struct ctl_args *args)
{
	struct json_object *user;
	char secret[SECRET_MAX];
	enum ctl_exit status;
	struct uuid id;

	status = call_find_user(args->words[0], &user, &id);
	if (status != CTL_OK) {
		return status;
	}
	json_object_put(user);
	status = secret_get(secret);
	if (status != CTL_OK) {
		return status;
	}
	status = is_text("the password", secret) ? set_password(&id, secret)
	    : CTL_USAGE;
	sodium_memzero(secret, sizeof(secret));
	return status;
}

/* ---- list, search, show ---------------------------------------------------- */

static void
add_row(struct table *t, struct json_object *user)
{
	table_cell(t, reply_text(user, "username"));
	table_cell(t, reply_text(user, "name"));
	table_cell(t, reply_text(user, "email"));
	table_cell(t, reply_bool(user, "being_erased") ? "being erased" :
	    reply_text(user, "disabled_at") != NULL ? "disabled" : "enabled");
	table_cell_int(t, reply_int(user, "sessions"));
	table_cell_time(t, reply_text(user, "last_seen_at"));
	table_cell(t, reply_text(user, "id"));
}

static enum ctl_exit
ask_page(const char *match, const char *after, int64_t limit,
    struct json_object **reply_r)
{
	struct call c;

	call_begin(&c);
	json_key_str(&c.j, "match", match);
	json_key_str(&c.j, "after", after);
	json_key_bool(&c.j, "disabled", ctl_flag("disabled"));
	json_key_int(&c.j, "limit", limit);
	return call_do(&c, MSG_admin_user_list, NULL, reply_r);
}

/* Page by page, so that a long list is no long transaction. */
static enum ctl_exit
list(const char *match)
{
	char after[128] = "";
	enum ctl_exit status = CTL_OK;
	struct table t;
	int64_t left;

	if (!ctl_option_int("limit", LIMIT_DEFAULT, 1, LIMIT_MAX, &left)) {
		return CTL_USAGE;
	}
	if (!is_text("the text", match)) {
		return CTL_USAGE;
	}
	table_begin(&t, "USERNAME", "NAME", "EMAIL", "STATE", "SESSIONS",
	    "LAST SEEN", "ID", NULL);
	while (left > 0) {
		struct json_object *reply;
		const char *next;
		size_t n;

		status = ask_page(match, after, left < PAGE ? left : PAGE,
		    &reply);
		if (status != CTL_OK) {
			break;
		}
		n = reply_len(reply, "users");
		for (size_t i = 0; i < n; i++) {
			struct json_object *user = reply_at(reply, "users", i);

			if (ctl_flag("json")) {
				show_json(user);
			} else {
				add_row(&t, user);
			}
		}
		left -= (int64_t)n;
		next = reply_text(reply, "next");
		snprintf(after, sizeof(after), "%s", next != NULL ? next : "");
		json_object_put(reply);
		if (*after == '\0') {
			break;
		}
	}
	if (ctl_flag("json")) {
		table_free(&t);
	} else {
		table_end(&t);
	}
	if (status == CTL_OK && *after != '\0') {
		ctl_note("there are more: --limit");
	}
	return status;
}

enum ctl_exit
cmd_user_list(const struct ctl_args *args UNUSED)
{
	return list(NULL);
}

enum ctl_exit
cmd_user_search(const struct ctl_args *args)
{
	return list(args->words[0]);
}

enum ctl_exit
cmd_user_show(const struct ctl_args *args)
{
	static const char *const keys[] = { "id", "username", "name", "email",
		"avatar_url", "created_at", "last_seen_at", "disabled_at" };
	struct json_object *user;
	enum ctl_exit status;
	struct uuid id;
	char number[24];

	status = call_find_user(args->words[0], &user, &id);
	if (status != CTL_OK) {
		return status;
	}
	if (ctl_flag("json")) {
		show_json(user);
	} else {
		for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
			show_pair(keys[i], reply_text(user, keys[i]));
		}
		snprintf(number, sizeof(number), "%lld",
		    (long long)reply_int(user, "sessions"));
		show_pair("sessions", number);
		snprintf(number, sizeof(number), "%lld",
		    (long long)reply_int(user, "chats"));
		show_pair("chats", number);
		if (reply_bool(user, "being_erased")) {
			show_pair("state", "being erased: parleyctl user "
			    "delete goes on with it");
		}
	}
	json_object_put(user);
	return CTL_OK;
}

/* ---- disable, enable ------------------------------------------------------- */

static enum ctl_exit
change(const char *who, enum msg_kind kind)
{
	struct json_object *user, *reply;
	enum ctl_exit status;
	struct uuid id;
	struct call c;
	bool sure;

	status = call_find_user(who, &user, &id);
	if (status != CTL_OK) {
		return status;
	}
	sure = kind != MSG_admin_user_disable || ctl_confirm("yes",
	    "%s can no longer log in, and is cut off at once.",
	    reply_text(user, "username"));
	json_object_put(user);
	if (!sure) {
		return CTL_UNCONFIRMED;
	}
	call_begin_by(&c);
	json_key_uuid(&c.j, "user_id", &id);
	status = call_do(&c, kind, &id, &reply);
	if (status == CTL_OK && ctl_flag("json")) {
		show_json(reply);
	} else if (status == CTL_OK && kind == MSG_admin_user_disable) {
		printf("disabled, %lld sessions ended\n",
		    (long long)reply_int(reply, "sessions_ended"));
	} else if (status == CTL_OK) {
		puts("enabled");
	}
	json_object_put(reply);
	return status;
}

enum ctl_exit
cmd_user_disable(const struct ctl_args *args)
{
	return change(args->words[0], MSG_admin_user_disable);
}

enum ctl_exit
cmd_user_enable(const struct ctl_args *args)
{
	return change(args->words[0], MSG_admin_user_enable);
}
