/*
 * Operators about what is stored of somebody: admin_user_export, in pages, and
 * admin_user_erase, in steps, so that no transaction is long and whatever is cut
 * off goes on where it was. What is erased, what is left, and why:
 * docs/decisions/071.
 *
 *   erase   disabled, tokens ended, shell made -> in a group? named, to be left
 *             -> messages left? the next few -> the rest, the row itself
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdlib.h>
#include <string.h>

#include "chatd/admin.h"
#include "chatd/events.h"
#include "chatd/groups.h"
#include "chatd/handlers.h"
#include "chatd/service.h"

/* ---- export ---------------------------------------------------------------- */

/* Messages are up to 20 KB each. */
#define EXPORT_ROWS 200

static const struct {
	const char *name;
	enum sql statement;
} parts[] = {
	{ "profile", SQL_export_profile },
	{ "sessions", SQL_export_sessions },
	{ "contacts", SQL_export_contacts },
	{ "chats", SQL_export_chats },
	{ "messages", SQL_export_messages },
	{ "received", SQL_export_received },
};

static void
on_exported(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	struct text line, next = TEXT_NULL;
	struct json_out j;
	size_t n;

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	n = db_rows(res, 0);
	json_out_init(&j, &r->body);
	json_obj(&j);
	json_key_arr(&j, "lines");
	for (size_t i = 0; i < n; i++) {
		store_export_read(res, 0, i, &line, &next);
		json_raw(&j, line.p, line.len);
	}
	json_arr_end(&j);
	if (n == EXPORT_ROWS) {
		json_key_strn(&j, "next", next.p, next.len);
	} else {
		json_key_null(&j, "next");
	}
	json_obj_end(&j);
	request_answer(r);
}

void
handle_admin_user_export(struct request *r)
{
	const struct uuid *user = &request_field(r,
	    FIELD_admin_user_export_user_id)->uuid;
	const struct field_value *part = request_field(r,
	    FIELD_admin_user_export_part);
	const struct field_value *after = request_field(r,
	    FIELD_admin_user_export_after);
	struct db_unit *u;
	size_t i = 0;

	while (i < ARRAY_LEN(parts) &&
	    strcmp(parts[i].name, part->text) != 0) {
		i++;
	}
	if (i == ARRAY_LEN(parts)) {
		request_fail(r, ERR_INVALID_FIELD, "part");
		return;
	}
	if (i == 0) {
		admin_audit(r, FIELD_admin_user_export_by, "user_exported",
		    user, "");
	}
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_export_step(u, parts[i].statement, user, after->present ?
	    (struct text){ after->text, after->text_len } : TEXT_NULL,
	    EXPORT_ROWS);
	db_submit(u, on_exported, r);
}

/* ---- erase ----------------------------------------------------------------- */

/* Each message may lie in another block of 512, which is then made anew. */
#define ERASE_MESSAGES_AT_ONCE 100

static const struct uuid *
whom(const struct request *r)
{
	return &request_field(r, FIELD_admin_user_erase_user_id)->uuid;
}

static void
answer_step(struct request *r, const struct uuid *group, size_t erased,
    bool done)
{
	struct json_out j;

	json_out_init(&j, &r->body);
	json_obj(&j);
	json_key_uuid(&j, "leave", group);
	json_key_int(&j, "messages_erased", (int64_t)erased);
	json_key_bool(&j, "done", done);
	json_obj_end(&j);
	request_answer(r);
}

static void
on_erased(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	if (db_rows(res, ERASE_STILL_THERE) > 0) {
		answer_step(r, NULL, 0, false);
		return;
	}
	admin_audit(r, FIELD_admin_user_erase_by, "user_erased", whom(r), "");
	groups_purge(r->svc->groups);
	answer_step(r, NULL, 0, true);
}

static void
on_messages_erased(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	struct db_unit *u;
	size_t n;

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	n = db_affected(res, ERASE_MESSAGES);
	if (n > 0) {
		answer_step(r, NULL, n, false);
		return;
	}
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_erase_end_steps(u, whom(r));
	db_submit(u, on_erased, r);
}

static void
on_begun(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	struct event e = { .kind = EVENT_REVOKED, .trace = r->frame->trace };
	struct db_unit *u;

	if (err == ERR_OK && db_rows(res, ERASE_THERE) == 0) {
		err = ERR_NOT_FOUND;
	}
	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	if (db_affected(res, ERASE_TOKENS) > 0 || db_doubtful(res)) {
		admin_audit(r, FIELD_admin_user_erase_by, "erasing", whom(r),
		    "");
		events_to_user(r->svc->events, whom(r), &e);
	}
	if (db_rows(res, ERASE_GROUP) > 0) {
		struct db_row row = db_row(res, ERASE_GROUP, 0);
		struct uuid group = db_get_uuid(&row);

		answer_step(r, &group, 0, false);
		return;
	}
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_erase_messages_steps(u, whom(r), ERASE_MESSAGES_AT_ONCE);
	db_submit(u, on_messages_erased, r);
}

void
handle_admin_user_erase(struct request *r)
{
	struct db_unit *u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	struct uuid shell = uuid_v4();

	store_erase_begin_steps(u, whom(r), &shell);
	db_submit(u, on_begun, r);
}
