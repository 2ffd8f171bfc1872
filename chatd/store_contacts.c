/*
 * Contacts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/store_contacts.h"

#include <string.h>

#include "chatd/store_users.h"

void
store_contacts_step(struct db_unit *u, const struct uuid *owner)
{
	db_step(u, SQL_contacts);
	db_put_uuid(u, owner);
	db_put_i64(u, STORE_CONTACTS_MAX);
}

void
store_contact_read(const struct db_result *r, unsigned step, size_t i,
    struct person *person_r)
{
	store_search_read(r, step, i, person_r);
}

/* ---- adding --------------------------------------------------------------- */

enum add_step {
	ADD_LOCK,
	ADD_INSERT,
	ADD_PERSON,
};

void
store_contact_add_steps(struct db_unit *u, const struct uuid *owner,
    const struct uuid *person)
{
	db_step(u, SQL_contact_owner_lock);
	db_put_uuid(u, owner);
	db_step(u, SQL_contact_insert);
	db_put_uuid(u, owner);
	db_put_uuid(u, person);
	db_put_i64(u, STORE_CONTACTS_MAX);
	store_person_step(u, owner, person);
}

/* An account that went between the look and the insert. */
static enum contact_added
refused(const struct db_result *r)
{
	if (strcmp(db_constraint(r), "contacts_owner_id_fkey") == 0) {
		return CONTACT_NO_OWNER;
	}
	if (strcmp(db_constraint(r), "contacts_user_id_fkey") == 0) {
		return CONTACT_NOBODY;
	}
	return CONTACT_UNKNOWN;
}

enum contact_added
store_contact_add_read(const struct db_result *r, struct person *person_r)
{
	struct uuid chat;

	if (db_outcome(r) != DB_OK) {
		return refused(r);
	}
	if (db_rows(r, ADD_LOCK) == 0) {
		return CONTACT_NO_OWNER;
	}
	if (db_rows(r, ADD_PERSON) == 0) {
		return CONTACT_NOBODY;
	}
	store_person_read(r, ADD_PERSON, person_r, &chat);
	if (!person_r->is_contact) {
		return CONTACT_TOO_MANY;
	}
	/* An earlier attempt whose answer was lost has added it. */
	return db_affected(r, ADD_INSERT) > 0 || db_doubtful(r) ?
	    CONTACT_ADDED : CONTACT_KNOWN;
}

/* ---- changing ------------------------------------------------------------- */

void
store_contact_delete_step(struct db_unit *u, const struct uuid *owner,
    const struct uuid *person)
{
	db_step(u, SQL_contact_delete);
	db_put_uuid(u, owner);
	db_put_uuid(u, person);
}

/* It may also have been an earlier attempt, whose answer was lost. */
bool
store_contact_deleted(const struct db_result *r, unsigned step)
{
	return db_affected(r, step) > 0 || db_doubtful(r);
}

void
store_contact_rename_step(struct db_unit *u, const struct uuid *owner,
    const struct uuid *person, struct text nickname)
{
	db_step(u, SQL_contact_rename);
	db_put_uuid(u, owner);
	db_put_uuid(u, person);
	db_put_text(u, nickname);
}

bool
store_contact_renamed(const struct db_result *r, unsigned step)
{
	return db_affected(r, step) > 0;
}
