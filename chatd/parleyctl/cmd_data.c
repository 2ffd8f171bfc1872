/*
 * What is stored of somebody: given out (user export), and erased (user delete).
 *
 * An export is lines of JSON, each with a `kind`: profile, session, contact, chat,
 * message, media. Media are named by their URLs, behind the message or profile
 * that names them. The file is the operator's own to read.
 *
 * SPDX-License-Identifier: MIT
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "chatd/parleyctl/call.h"
#include "chatd/parleyctl/show.h"

/* ---- export ---------------------------------------------------------------- */

static void
put_line(FILE *out, struct json_object *o)
{
	fputs(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
	    JSON_C_TO_STRING_NOSLASHESCAPE), out);
	fputc('\n', out);
}

static void
put_media(FILE *out, const char *url, const char *of, const char *id)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "kind", json_object_new_string("media"));
	json_object_object_add(o, "url", json_object_new_string(url));
	json_object_object_add(o, of, json_object_new_string(id));
	put_line(out, o);
	json_object_put(o);
}

static void
put_with_media(FILE *out, struct json_object *line)
{
	const char *kind = reply_text(line, "kind");
	const char *format = reply_text(line, "format");
	const char *avatar = reply_text(line, "avatar_url");

	put_line(out, line);
	if (kind != NULL && strcmp(kind, "profile") == 0 && avatar != NULL) {
		put_media(out, avatar, "profile_id", reply_text(line, "id"));
	} else if (format != NULL && strcmp(format, "text") != 0) {
		put_media(out, reply_text(line, "content"), "message_id",
		    reply_text(line, "id"));
	}
}

static enum ctl_exit
export_page(FILE *out, const struct uuid *id, const char *part,
    char after[128])
{
	struct json_object *reply;
	enum ctl_exit status;
	const char *next;
	struct call c;

	call_begin_by(&c);
	json_key_uuid(&c.j, "user_id", id);
	json_key_str(&c.j, "part", part);
	json_key_str(&c.j, "after", *after != '\0' ? after : NULL);
	status = call_do(&c, MSG_admin_user_export, id, &reply);
	if (status != CTL_OK) {
		return status;
	}
	for (size_t i = 0; i < reply_len(reply, "lines"); i++) {
		put_with_media(out, reply_at(reply, "lines", i));
	}
	next = reply_text(reply, "next");
	snprintf(after, 128, "%s", next != NULL ? next : "");
	json_object_put(reply);
	return CTL_OK;
}

static enum ctl_exit
export_to(FILE *out, const struct uuid *id)
{
	static const char *const parts[] = { "profile", "sessions",
		"contacts", "chats", "messages", "received" };
	enum ctl_exit status = CTL_OK;

	for (size_t i = 0; status == CTL_OK && i < ARRAY_LEN(parts); i++) {
		char after[128] = "";

		if (strcmp(parts[i], "received") == 0 &&
		    !ctl_flag("conversations")) {
			continue;
		}
		do {
			status = export_page(out, id, parts[i], after);
		} while (status == CTL_OK && *after != '\0');
	}
	return status;
}

static enum ctl_exit
export_to_file(const char *path, const struct uuid *id)
{
	/* Never over something that is there, and for nobody else's eyes. */
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
	enum ctl_exit status;

	if (out == NULL) {
		return ctl_fail(CTL_FAILED, "cannot write %s: %s", path,
		    strerror(errno));
	}
	status = export_to(out, id);
	if (ferror(out) | (fclose(out) != 0)) {
		status = ctl_fail(CTL_FAILED, "cannot write %s: %s", path,
		    strerror(errno));
	}
	if (status != CTL_OK) {
		unlink(path);
	}
	return status;
}

enum ctl_exit
cmd_user_export(const struct ctl_args *args)
{
	const char *path = ctl_option("output");
	struct json_object *user;
	enum ctl_exit status;
	struct uuid id;

	status = call_find_user(args->words[0], &user, &id);
	if (status != CTL_OK) {
		return status;
	}
	json_object_put(user);
	if (path != NULL) {
		return export_to_file(path, &id);
	}
	status = export_to(stdout, &id);
	if (status == CTL_OK && fflush(stdout) != 0) {
		status = ctl_fail(CTL_FAILED, "cannot write: %s",
		    strerror(errno));
	}
	return status;
}

/* ---- delete ---------------------------------------------------------------- */

static enum ctl_exit
leave_group(const struct uuid *id, const char *group)
{
	struct json_object *reply;
	enum ctl_exit status;
	struct call c;

	call_begin_by(&c);
	json_key_str(&c.j, "chat_id", group);
	status = call_do(&c, MSG_admin_user_leave, id, &reply);
	json_object_put(reply);
	return status;
}

struct erased {
	int64_t messages;
	int64_t groups;
	bool done;
};

static enum ctl_exit
erase_step(const struct uuid *id, struct erased *e)
{
	struct json_object *reply;
	enum ctl_exit status;
	const char *group;
	struct call c;

	call_begin_by(&c);
	json_key_uuid(&c.j, "user_id", id);
	status = call_do(&c, MSG_admin_user_erase, id, &reply);
	if (status != CTL_OK) {
		return status;
	}
	e->done = reply_bool(reply, "done");
	e->messages += reply_int(reply, "messages_erased");
	group = reply_text(reply, "leave");
	if (group != NULL) {
		status = leave_group(id, group);
		e->groups++;
	}
	json_object_put(reply);
	return status;
}

static void
show_erased(const struct erased *e)
{
	struct json_object *o;

	if (!ctl_flag("json")) {
		printf("erased: the account, %lld messages, membership in "
		    "%lld groups\n", (long long)e->messages,
		    (long long)e->groups);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "erased", json_object_new_boolean(1));
	json_object_object_add(o, "messages",
	    json_object_new_int64(e->messages));
	json_object_object_add(o, "groups", json_object_new_int64(e->groups));
	show_json(o);
	json_object_put(o);
}

enum ctl_exit
cmd_user_delete(const struct ctl_args *args)
{
	struct erased e = { 0 };
	struct json_object *user;
	enum ctl_exit status;
	const char *name;
	struct uuid id;
	bool sure;

	status = call_find_user(args->words[0], &user, &id);
	if (status != CTL_OK) {
		return status;
	}
	name = reply_text(user, "username");
	sure = ctl_confirm(name, "%s (%s), all that this person has written, "
	    "and all that is stored of them will be gone for good. There is "
	    "no way back.", name, reply_text(user, "id"));
	json_object_put(user);
	if (!sure) {
		return CTL_UNCONFIRMED;
	}
	while (status == CTL_OK && !e.done) {
		status = erase_step(&id, &e);
	}
	if (status == CTL_OK) {
		show_erased(&e);
		ctl_note("pictures and files that nobody refers to any more "
		    "are removed by parleyctl retention media");
	} else {
		ctl_note("not finished: the account is disabled; the same "
		    "command goes on where this one stopped");
	}
	return status;
}
