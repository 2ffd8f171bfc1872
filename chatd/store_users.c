/*
 * People: accounts, search, presence.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/store_users.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

void
store_account_taken_step(struct db_unit *u, struct text username,
    struct text email)
{
	db_step(u, SQL_account_taken);
	db_put_text(u, username);
	db_put_text(u, email);
}

void
store_account_taken_read(const struct db_result *r, unsigned step,
    bool *username_r, bool *email_r)
{
	struct db_row row = db_row(r, step, 0);

	*username_r = db_get_bool(&row);
	*email_r = db_get_bool(&row);
}

void
store_account_insert_step(struct db_unit *u, const struct account *a,
    const char *password_hash)
{
	db_step(u, SQL_account_insert);
	db_put_uuid(u, &a->id);
	db_put_text(u, a->username);
	db_put_text(u, a->name);
	db_put_text(u, a->email);
	db_put_text(u, a->avatar_url);
	db_put_cstr(u, password_hash);
}

void
store_account_credentials_step(struct db_unit *u, struct text username)
{
	db_step(u, SQL_account_credentials);
	db_put_text(u, username);
}

bool
store_account_credentials_read(const struct db_result *r, unsigned step,
    struct uuid *id_r, struct text *hash_r)
{
	struct db_row row;

	if (db_rows(r, step) == 0) {
		return false;
	}
	row = db_row(r, step, 0);
	*id_r = db_get_uuid(&row);
	*hash_r = db_get_text(&row);
	return true;
}

void
store_account_rehash_step(struct db_unit *u, const struct uuid *id,
    struct text old_hash, const char *new_hash)
{
	db_step(u, SQL_account_rehash);
	db_put_uuid(u, id);
	db_put_text(u, old_hash);
	db_put_cstr(u, new_hash);
}

char *
store_private_key(const struct uuid *a, const struct uuid *b,
    char key[PRIVATE_KEY_LEN + 1])
{
	bool ordered = uuid_cmp(a, b) <= 0;

	uuid_format(ordered ? a : b, key);
	key[UUID_TEXT_LEN] = ':';
	uuid_format(ordered ? b : a, key + UUID_TEXT_LEN + 1);
	return key;
}

void
store_person_step(struct db_unit *u, const struct uuid *viewer,
    const struct uuid *person)
{
	char key[PRIVATE_KEY_LEN + 1];

	db_step(u, SQL_person);
	db_put_uuid(u, viewer);
	db_put_uuid(u, person);
	db_put_cstr(u, store_private_key(viewer, person, key));
}

static void
read_person(struct db_row *row, struct person *p)
{
	p->id = db_get_uuid(row);
	p->username = db_get_text(row);
	p->name = db_get_text(row);
	p->avatar_url = db_get_text(row);
	p->last_seen_at = db_get_time(row);
	p->is_contact = db_get_bool(row);
	p->nickname = db_get_text(row);
	p->added_at = db_get_time(row);
}

void
store_person_read(const struct db_result *r, unsigned step,
    struct person *person_r, struct uuid *chat_r)
{
	struct db_row row = db_row(r, step, 0);

	read_person(&row, person_r);
	*chat_r = db_get_uuid(&row);
}

void
store_search_step(struct db_unit *u, const struct uuid *viewer,
    struct text input)
{
	db_step(u, SQL_people_search);
	db_put_uuid(u, viewer);
	db_put_text(u, input);
}

void
store_search_read(const struct db_result *r, unsigned step, size_t i,
    struct person *person_r)
{
	struct db_row row = db_row(r, step, i);

	read_person(&row, person_r);
}

/* ---- presence ------------------------------------------------------------ */

static int
by_user(const void *a, const void *b)
{
	const struct presence_change *x = a, *y = b;
	int order = uuid_cmp(&x->user, &y->user);

	if (order != 0) {
		return order;
	}
	return x->version < y->version ? -1 : x->version > y->version;
}

/* In the order of the ids, so that two chatds do not lock crosswise; of several
 * changes of one user only the newest: an UPDATE takes any one of them. */
static size_t
sort_changes(struct presence_change *c, size_t n)
{
	size_t kept = 0;

	qsort(c, n, sizeof(*c), by_user);
	for (size_t i = 0; i < n; i++) {
		if (kept > 0 && uuid_eq(&c[kept - 1].user, &c[i].user)) {
			kept--;
		}
		c[kept++] = c[i];
	}
	return kept;
}

void
store_presence_step(struct db_unit *u,
    const struct presence_change *changes, size_t n, int64_t group_max)
{
	struct presence_change *c = mem_dup(changes, n * sizeof(*c));
	struct uuid *ids = mem_alloc(n * sizeof(*ids));
	int16_t *up = mem_alloc(n * sizeof(*up));
	int64_t *at = mem_alloc(n * sizeof(*at));
	int64_t *version = mem_alloc(n * sizeof(*version));

	n = sort_changes(c, n);
	for (size_t i = 0; i < n; i++) {
		ids[i] = c[i].user;
		up[i] = c[i].online ? 1 : 0;
		at[i] = c[i].at_ms;
		version[i] = (int64_t)c[i].version;
	}
	db_step(u, SQL_presence_apply);
	db_put_uuids(u, ids, n);
	db_put_i16s(u, up, n);
	db_put_times(u, at, n);
	db_put_i64s(u, version, n);
	db_put_i32(u, (int32_t)group_max);
	free(c);
	free(ids);
	free(up);
	free(at);
	free(version);
}

void
store_presence_read(const struct db_result *r, unsigned step, size_t i,
    struct watched *w_r)
{
	struct db_row row = db_row(r, step, i);

	w_r->user = db_get_uuid(&row);
	w_r->online = db_get_bool(&row);
	w_r->last_seen_at = db_get_time(&row);
	w_r->version = (uint64_t)db_get_int(&row);
	w_r->watcher = db_get_uuid(&row);
}
