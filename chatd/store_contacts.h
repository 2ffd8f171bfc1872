/*
 * Contacts in the database. Each `_step` adds one statement to a unit; the
 * `_read` beside it reads a row of its result.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_STORE_CONTACTS_H
#define CHATD_STORE_CONTACTS_H

#include "chatd/db.h"
#include "chatd/model.h"

/* More contacts than that nobody has; a list is sent whole. */
#define STORE_CONTACTS_MAX 5000

void store_contacts_step(struct db_unit *u, const struct uuid *owner);
void store_contact_read(const struct db_result *r, unsigned step, size_t row,
    struct person *person_r);

enum contact_added {
	CONTACT_ADDED,
	CONTACT_KNOWN,    /* already a contact */
	CONTACT_NOBODY,   /* no such person */
	CONTACT_NO_OWNER, /* the owner's account is gone */
	CONTACT_TOO_MANY,
	CONTACT_UNKNOWN,  /* the database said something else */
};

void store_contact_add_steps(struct db_unit *u, const struct uuid *owner,
    const struct uuid *person);
/* Of a result that is DB_OK or DB_FAILED; the person where ADDED or KNOWN. */
enum contact_added store_contact_add_read(const struct db_result *r,
    struct person *person_r);

void store_contact_delete_step(struct db_unit *u, const struct uuid *owner,
    const struct uuid *person);
/* Whether there was such a contact. */
bool store_contact_deleted(const struct db_result *r, unsigned step);
void store_contact_rename_step(struct db_unit *u, const struct uuid *owner,
    const struct uuid *person, struct text nickname);
/* Whether there is such a contact. */
bool store_contact_renamed(const struct db_result *r, unsigned step);

#endif
