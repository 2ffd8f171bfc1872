/*
 * Groups in the database. Each `_step` adds one statement to a unit; the `_read`
 * beside it reads a row of its result. What changes a group begins with
 * store_group_begin, whose two steps tell what the asker may.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_STORE_GROUPS_H
#define CHATD_STORE_GROUPS_H

#include "chatd/db.h"
#include "chatd/model.h"
#include "common/err.h"

/* ---- who may -------------------------------------------------------------- */

enum group_right {
	GROUP_ABSENT,   /* no such chat */
	GROUP_PRIVATE,  /* a private chat, of whomever */
	GROUP_STRANGER, /* a group of which the asker is no member */
	GROUP_MEMBER,
	GROUP_ADMIN,
};

enum group_step {
	GROUP_LOCK,
	GROUP_RIGHTS,
	GROUP_STEPS, /* the first step of whoever adds more */
};

void store_group_begin(struct db_unit *u, const struct uuid *chat,
    const struct uuid *asker);
enum group_right store_group_right(const struct db_result *r);

/* ---- creating ------------------------------------------------------------- */

struct new_group {
	struct uuid id;
	struct uuid creator;
	const char *request_id;     /* NULL: none */
	struct text name;
	struct text description;    /* TEXT_NULL: none */
	struct text avatar_url;     /* TEXT_NULL: none */
	const struct uuid *members; /* each once, with the creator */
	size_t member_count;
};

/* Two steps; store_group_created reads the second. */
void store_group_create_steps(struct db_unit *u, const struct new_group *g);
/* False: one of the members does not exist. The group's id is another one when
 * the request was fulfilled before. */
bool store_group_created(const struct db_result *r, struct uuid *id_r);

/* ---- changing ------------------------------------------------------------- */

/* TEXT_NULL: stays. A row for store_group_version. */
void store_group_change_step(struct db_unit *u, const struct uuid *chat,
    const struct uuid *asker, struct text name, struct text description,
    struct text avatar_url);

/* The number of the change that the step has made; 0: none. */
uint32_t store_group_version(const struct db_result *r, unsigned step);

/* A row for store_group_version where `user` is a member. */
void store_group_give_admin_step(struct db_unit *u, const struct uuid *chat,
    const struct uuid *asker, const struct uuid *user);

/* A row for store_member_read, without a nickname. */
void store_group_member_step(struct db_unit *u, const struct uuid *chat,
    const struct uuid *user);

/* One member, and what he calls the person asked about. */
struct group_called {
	struct uuid user;
	struct text nickname; /* TEXT_NULL: nothing */
	int64_t read_seq;
};

/* `person` NULL: only who is in it. */
void store_group_called_step(struct db_unit *u, const struct uuid *chat,
    const struct uuid *person);
void store_group_called_read(const struct db_result *r, unsigned step,
    size_t row, struct group_called *c_r);

/* ---- joining -------------------------------------------------------------- */

struct group_joined {
	struct uuid user;
	int64_t joined_seq;
};

/* `ids`: each once. */
void store_group_add_step(struct db_unit *u, const struct uuid *chat,
    const struct uuid *asker, const struct uuid *ids, size_t n, int64_t max);
/* ERR_NOT_FOUND: one of them does not exist. ERR_TOO_LARGE: more than fit. Else
 * how many are new, and the number of the change (the last one, if nobody is). */
MUST_CHECK enum err store_group_add_read(const struct db_result *r,
    unsigned step, size_t *joined_r, uint32_t *version_r);
void store_group_joined_read(const struct db_result *r, unsigned step,
    size_t row, struct group_joined *j_r);

/* Nicknames within the group, by owner and user; read with
 * store_group_nickname_read. */
void store_group_nicknames_step(struct db_unit *u, const struct uuid *chat);
void store_group_nickname_read(const struct db_result *r, unsigned step,
    size_t row, struct uuid *owner_r, struct uuid *user_r,
    struct text *nickname_r);

/* ---- leaving -------------------------------------------------------------- */

/* Behind store_group_begin: takes `user` out, finds what thereby becomes
 * delivered and who is left, and removes a group that nobody is left in. */
void store_group_remove_steps(struct db_unit *u, const struct uuid *chat,
    const struct uuid *asker, const struct uuid *user);
enum group_remove_step {
	GROUP_REMOVED = GROUP_STEPS,
	GROUP_ANNOUNCED, /* rows of store_announced_row */
	GROUP_ALONE,     /* the same, of one who is left alone */
	GROUP_LEFT,      /* rows of store_group_called_read */
	GROUP_BURIED,    /* affects a row when the group is no more */
};
struct group_removed {
	int64_t last_seq; /* of the chat */
	int64_t read_seq; /* how far he had read */
	struct uuid heir; /* is admin now; nil: nobody became one */
	uint32_t version; /* of the change; the heir's is the next one */
};
/* False: nothing was done. */
bool store_group_removed(const struct db_result *r, struct group_removed *g_r);

/* At most `limit` messages of emptied groups (affected rows of the first step),
 * then forgets the groups that have none left. */
void store_groups_purge_steps(struct db_unit *u, int64_t limit);

#endif
