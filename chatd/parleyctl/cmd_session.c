/*
 * Sessions: a login each, with the connections that gateways hold of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "chatd/parleyctl/call.h"
#include "chatd/parleyctl/show.h"

/* ---- list ------------------------------------------------------------------ */

/* How many connections of the session the gateways hold. */
static int64_t
connections_of(struct json_object *online, const char *session)
{
	int64_t n = 0;

	for (size_t g = 0; g < reply_len(online, "gateways"); g++) {
		struct json_object *gw = reply_at(online, "gateways", g);

		for (size_t i = 0; i < reply_len(gw, "list"); i++) {
			const char *of = reply_text(reply_at(gw, "list", i),
			    "session");

			n += of != NULL && strcmp(of, session) == 0;
		}
	}
	return n;
}

static enum ctl_exit
ask_online(const struct uuid *user, struct json_object **reply_r)
{
	struct call c;

	call_begin(&c);
	if (user != NULL) {
		json_key_uuid(&c.j, "user_id", user);
	}
	return call_do(&c, MSG_admin_online, user, reply_r);
}

static void
show_sessions(struct json_object *reply, struct json_object *online)
{
	struct table t;

	table_begin(&t, "SESSION", "SINCE", "UNTIL", "CONNECTIONS", NULL);
	for (size_t i = 0; i < reply_len(reply, "sessions"); i++) {
		struct json_object *s = reply_at(reply, "sessions", i);

		table_cell(&t, reply_text(s, "id"));
		table_cell_time(&t, reply_text(s, "created_at"));
		table_cell_time(&t, reply_text(s, "expires_at"));
		if (online != NULL) {
			table_cell_int(&t, connections_of(online,
			    reply_text(s, "id")));
		} else {
			table_cell(&t, "?");
		}
	}
	table_end(&t);
}

enum ctl_exit
cmd_session_list(const struct ctl_args *args)
{
	struct json_object *user, *reply, *online = NULL;
	enum ctl_exit status;
	struct uuid id;
	struct call c;

	status = call_find_user(args->words[0], &user, &id);
	if (status != CTL_OK) {
		return status;
	}
	json_object_put(user);
	call_begin(&c);
	json_key_uuid(&c.j, "user_id", &id);
	status = call_do(&c, MSG_admin_sessions, &id, &reply);
	if (status != CTL_OK) {
		return status;
	}
	if (ctl_flag("json")) {
		show_json(reply);
	} else {
		/* Redis away: the logins are known all the same. */
		if (ask_online(&id, &online) != CTL_OK) {
			ctl_note("who is connected is not known now");
		}
		show_sessions(reply, online);
	}
	json_object_put(reply);
	json_object_put(online);
	return CTL_OK;
}

/* ---- end ------------------------------------------------------------------- */

static enum ctl_exit
end_sessions(const struct uuid *user, const struct uuid *session)
{
	struct json_object *reply;
	enum ctl_exit status;
	struct call c;

	call_begin_by(&c);
	json_key_uuid(&c.j, "user_id", user);
	if (session != NULL) {
		json_key_uuid(&c.j, "session_id", session);
	}
	status = call_do(&c, MSG_admin_sessions_end, user, &reply);
	if (status != CTL_OK) {
		return status;
	}
	if (ctl_flag("json")) {
		show_json(reply);
	} else {
		printf("%lld sessions ended\n",
		    (long long)reply_int(reply, "sessions_ended"));
	}
	json_object_put(reply);
	return CTL_OK;
}

enum ctl_exit
cmd_session_end(const struct ctl_args *args)
{
	struct uuid id, session;
	struct json_object *user;
	enum ctl_exit status;
	bool all = ctl_flag("all"), sure;

	if (all == (args->count > 1)) {
		return ctl_fail(CTL_USAGE, "name a session (parleyctl session "
		    "list), or say --all");
	}
	if (!all && !uuid_parse(args->words[1], strlen(args->words[1]),
	    &session)) {
		return ctl_fail(CTL_USAGE, "a session is named by its id, as "
		    "parleyctl session list shows it");
	}
	status = call_find_user(args->words[0], &user, &id);
	if (status != CTL_OK) {
		return status;
	}
	sure = ctl_confirm("yes", "%s is logged out%s at once.",
	    reply_text(user, "username"), all ? " everywhere" : " there");
	json_object_put(user);
	if (!sure) {
		return CTL_UNCONFIRMED;
	}
	return end_sessions(&id, all ? NULL : &session);
}

/* ---- online ---------------------------------------------------------------- */

static void
put_gateway(struct table *t, struct json_object *gw)
{
	char place[400];

	snprintf(place, sizeof(place), "%s %s", reply_text(gw, "host"),
	    reply_text(gw, "listen"));
	table_cell(t, place);
}

static void
show_connections(struct json_object *reply)
{
	struct table t;

	table_begin(&t, "GATEWAY", "SINCE", "ADDRESS", "SESSION",
	    "CONNECTION", NULL);
	for (size_t g = 0; g < reply_len(reply, "gateways"); g++) {
		struct json_object *gw = reply_at(reply, "gateways", g);

		for (size_t i = 0; i < reply_len(gw, "list"); i++) {
			struct json_object *c = reply_at(gw, "list", i);

			put_gateway(&t, gw);
			table_cell_time(&t, reply_text(c, "since"));
			table_cell(&t, reply_text(c, "address"));
			table_cell(&t, reply_text(c, "session"));
			table_cell(&t, reply_text(c, "connection"));
		}
	}
	table_end(&t);
}

static void
show_gateways(struct json_object *reply)
{
	size_t n = reply_len(reply, "gateways");
	int64_t sessions = 0, connections = 0;
	struct table t;

	table_begin(&t, "GATEWAY", "VERSION", "USERS", "SESSIONS",
	    "CONNECTIONS", NULL);
	for (size_t g = 0; g < n; g++) {
		struct json_object *gw = reply_at(reply, "gateways", g);

		put_gateway(&t, gw);
		table_cell(&t, reply_text(gw, "version"));
		table_cell_int(&t, reply_int(gw, "users"));
		table_cell_int(&t, reply_int(gw, "sessions"));
		table_cell_int(&t, reply_int(gw, "connections"));
		sessions += reply_int(gw, "sessions");
		connections += reply_int(gw, "connections");
	}
	/* Somebody may be at several gateways: users do not add up. */
	table_cell(&t, "in all");
	table_cell(&t, NULL);
	table_cell(&t, NULL);
	table_cell_int(&t, sessions);
	table_cell_int(&t, connections);
	table_end(&t);
}

enum ctl_exit
cmd_online(const struct ctl_args *args)
{
	struct json_object *user, *reply;
	enum ctl_exit status = CTL_OK;
	bool one = args->count > 0;
	struct uuid id;

	if (one) {
		status = call_find_user(args->words[0], &user, &id);
		if (status != CTL_OK) {
			return status;
		}
		json_object_put(user);
	}
	status = ask_online(one ? &id : NULL, &reply);
	if (status != CTL_OK) {
		return status;
	}
	if (ctl_flag("json")) {
		show_json(reply);
	} else if (one) {
		show_connections(reply);
	} else {
		show_gateways(reply);
	}
	if (reply_int(reply, "missing") > 0) {
		ctl_note("%lld gateways did not answer in time",
		    (long long)reply_int(reply, "missing"));
		status = CTL_UNWELL;
	}
	json_object_put(reply);
	return status;
}
