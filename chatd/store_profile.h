/*
 * What people change about themselves, in the database. Each is one statement;
 * store_profile_hit tells whether the account was there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_STORE_PROFILE_H
#define CHATD_STORE_PROFILE_H

#include "chatd/db.h"

/* DB_FAILED with the constraint STORE_USERNAME_KEY: someone else has it. */
void store_profile_username_step(struct db_unit *u, const struct uuid *user,
    struct text username);
void store_profile_name_step(struct db_unit *u, const struct uuid *user,
    struct text name);
void store_profile_avatar_step(struct db_unit *u, const struct uuid *user,
    struct text avatar_url);
bool store_profile_hit(const struct db_result *r, unsigned step);

#endif
