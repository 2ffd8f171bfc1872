/*
 * Profiles.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/store_profile.h"

void
store_profile_username_step(struct db_unit *u, const struct uuid *user,
    struct text username)
{
	db_step(u, SQL_profile_username);
	db_put_uuid(u, user);
	db_put_text(u, username);
}

void
store_profile_name_step(struct db_unit *u, const struct uuid *user,
    struct text name)
{
	db_step(u, SQL_profile_name);
	db_put_uuid(u, user);
	db_put_text(u, name);
}

void
store_profile_avatar_step(struct db_unit *u, const struct uuid *user,
    struct text avatar_url)
{
	db_step(u, SQL_profile_avatar);
	db_put_uuid(u, user);
	db_put_text(u, avatar_url);
}

bool
store_profile_hit(const struct db_result *r, unsigned step)
{
	return db_affected(r, step) > 0;
}
