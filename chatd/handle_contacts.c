/*
 * The contact list: get_contacts, add_contact, delete_contact, change_nickname.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/account_rules.h"
#include "chatd/handlers.h"
#include "chatd/result.h"
#include "chatd/service.h"
#include "chatd/store_contacts.h"
#include "chatd/view.h"

#define ADDITION "contact_addition"
#define DELETION "contact_deletion"
#define NICKNAME_RESULT "nickname_change_result"

#define RULE_NOBODY "does not exist"
#define RULE_SELF "can't be yourself"

/* ---- get_contacts --------------------------------------------------------- */

static void
on_contacts(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	struct json_out j;

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
		return;
	}
	json_out_init(&j, &r->body);
	json_obj(&j);
	json_key_str(&j, "type", "contacts");
	json_key_arr(&j, "contacts");
	for (size_t i = 0; i < db_rows(res, 0); i++) {
		struct person p;

		store_contact_read(res, 0, i, &p);
		view_person(&j, &r->frame->user, &p);
	}
	json_arr_end(&j);
	request_put_id(&j, r);
	json_obj_end(&j);
	request_answer(r);
}

void
handle_get_contacts(struct request *r)
{
	struct db_unit *u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);

	store_contacts_step(u, &r->frame->user);
	db_submit(u, on_contacts, r);
}

/* ---- add_contact ---------------------------------------------------------- */

static void
answer_added(struct request *r, const struct person *p)
{
	struct json_out j;

	result_success(&j, r, ADDITION);
	json_key(&j, "contact");
	view_person(&j, &r->frame->user, p);
	view_contact_info(&j, &r->frame->user, p);
	result_success_end(&j, r);
}

static void
on_added(void *arg, struct db_result *res)
{
	struct request *r = arg;
	struct person p;

	if (db_outcome(res) == DB_UNAVAILABLE) {
		request_fail(r, ERR_UNAVAILABLE, NULL);
		return;
	}
	switch (store_contact_add_read(res, &p)) {
	case CONTACT_ADDED:
		answer_added(r, &p);
		break;
	case CONTACT_KNOWN:
		result_rejected(r, ADDITION, "user_id", RULE_TAKEN);
		break;
	case CONTACT_NOBODY:
		result_rejected(r, ADDITION, "contact_id", RULE_NOBODY);
		break;
	case CONTACT_NO_OWNER:
		result_rejected(r, ADDITION, "user_id", RULE_NOBODY);
		break;
	case CONTACT_TOO_MANY:
		request_fail(r, ERR_TOO_LARGE, NULL);
		break;
	case CONTACT_UNKNOWN:
		request_fail(r, ERR_UNAVAILABLE, NULL);
		break;
	}
}

void
handle_add_contact(struct request *r)
{
	const struct field_value *person = request_field(r,
	    FIELD_add_contact_user_id);
	struct db_unit *u;

	if (!person->present) {
		result_rejected(r, ADDITION, "contact_id", RULE_BLANK);
		return;
	}
	if (uuid_eq(&person->uuid, &r->frame->user)) {
		result_rejected(r, ADDITION, "contact_id", RULE_SELF);
		return;
	}
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_contact_add_steps(u, &r->frame->user, &person->uuid);
	db_submit(u, on_added, r);
}

/* ---- delete_contact ------------------------------------------------------- */

static void
on_deleted(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	struct json_out j;

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
	} else if (!store_contact_deleted(res, 0)) {
		result_not_found(r, DELETION);
	} else {
		result_success(&j, r, DELETION);
		json_key_uuid(&j, "user_id",
		    &request_field(r, FIELD_delete_contact_user_id)->uuid);
		result_success_end(&j, r);
	}
}

void
handle_delete_contact(struct request *r)
{
	struct db_unit *u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);

	store_contact_delete_step(u, &r->frame->user,
	    &request_field(r, FIELD_delete_contact_user_id)->uuid);
	db_submit(u, on_deleted, r);
}

/* ---- change_nickname ------------------------------------------------------ */

static void
on_renamed(void *arg, struct db_result *res)
{
	struct request *r = arg;
	enum err err = request_db_err(res);
	struct text nickname = request_text_trimmed(r,
	    FIELD_change_nickname_new_nickname);
	struct json_out j;

	if (err != ERR_OK) {
		request_fail(r, err, NULL);
	} else if (!store_contact_renamed(res, 0)) {
		result_not_found(r, NICKNAME_RESULT);
	} else {
		result_success(&j, r, NICKNAME_RESULT);
		json_key_uuid(&j, "contact_id",
		    &request_field(r, FIELD_change_nickname_user_id)->uuid);
		view_text(&j, "new_name", nickname);
		view_text(&j, "new_nickname", nickname);
		result_success_end(&j, r);
	}
}

void
handle_change_nickname(struct request *r)
{
	struct text nickname = request_text_trimmed(r,
	    FIELD_change_nickname_new_nickname);
	const char *rule = rule_name(nickname);
	struct db_unit *u;

	if (rule != NULL) {
		result_rejected(r, NICKNAME_RESULT, "name", rule);
		return;
	}
	u = db_unit_new(r->svc->db, 0, r->in->deadline_ms);
	store_contact_rename_step(u, &r->frame->user,
	    &request_field(r, FIELD_change_nickname_user_id)->uuid, nickname);
	db_submit(u, on_renamed, r);
}
