/*
 * People in the database. Each `_step` adds one statement to a unit; the
 * `_read` beside it reads a row of its result.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_STORE_USERS_H
#define CHATD_STORE_USERS_H

#include "chatd/db.h"
#include "chatd/model.h"
#include "common/calls.h"

struct account {
	struct uuid id;
	struct text username;
	struct text name;
	struct text email;
	struct text avatar_url; /* TEXT_NULL: none */
};

/* Which of the two are taken; TEXT_NULL is not asked about. */
void store_account_taken_step(struct db_unit *u, struct text username,
    struct text email);
void store_account_taken_read(const struct db_result *r, unsigned step,
    bool *username_r, bool *email_r);
/* The names of the constraints that a taken one violates. */
#define STORE_USERNAME_KEY "users_username_key"
#define STORE_EMAIL_KEY "users_email_key"
void store_account_insert_step(struct db_unit *u, const struct account *a,
    const char *password_hash);
void store_account_credentials_step(struct db_unit *u, struct text username);
/* False: no such account. */
bool store_account_credentials_read(const struct db_result *r, unsigned step,
    struct uuid *id_r, struct text *hash_r);
void store_account_rehash_step(struct db_unit *u, const struct uuid *id,
    struct text old_hash, const char *new_hash);

/* Text of the key of a private chat of two, with its NUL. */
#define PRIVATE_KEY_LEN (2 * UUID_TEXT_LEN + 1)
char *store_private_key(const struct uuid *a, const struct uuid *b,
    char key[PRIVATE_KEY_LEN + 1]);

void store_person_step(struct db_unit *u, const struct uuid *viewer,
    const struct uuid *person);
/* *chat_r is nil where there is no private chat. */
void store_person_read(const struct db_result *r, unsigned step,
    struct person *person_r, struct uuid *chat_r);
void store_search_step(struct db_unit *u, const struct uuid *viewer,
    struct text input);
void store_search_read(const struct db_result *r, unsigned step, size_t row,
    struct person *person_r);

/* One user's new status, for one who may know. */
struct watched {
	struct uuid user;
	bool online;
	int64_t last_seen_at;
	uint64_t version;
	struct uuid watcher;
};

void store_presence_step(struct db_unit *u,
    const struct presence_change *changes, size_t n, int64_t group_max);
void store_presence_read(const struct db_result *r, unsigned step, size_t row,
    struct watched *w_r);

#endif
