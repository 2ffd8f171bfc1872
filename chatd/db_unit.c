/*
 * A unit's parameters, in PostgreSQL's binary formats, and its results read
 * from them. Types are those that the statements' casts say; nothing is
 * converted to text on the way.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "chatd/db_int.h"
#include "common/clock.h"
#include "common/mem.h"

/* Type numbers of the arrays' elements, fixed in PostgreSQL's catalog. */
enum pg_type {
	PG_BYTEA = 17,
	PG_INT8 = 20,
	PG_INT4 = 23,
	PG_INT2 = 21,
	PG_TEXT = 25,
	PG_TIMESTAMPTZ = 1184,
	PG_UUID = 2950,
};

/* Unix time of PostgreSQL's epoch, 2000-01-01. */
#define PG_EPOCH_MS INT64_C(946684800000)
#define DEFAULT_DEADLINE_MS 5000

struct db_unit *
db_unit_new(struct db *db, unsigned flags, uint64_t deadline_ms)
{
	struct db_unit *u = mem_zalloc(sizeof(*u));

	list_init(&u->link);
	u->db = db;
	u->flags = flags;
	u->deadline_ms = deadline_ms != 0 ? deadline_ms :
	    clock_mono_ms() + DEFAULT_DEADLINE_MS;
	buf_init(&u->bytes);
	u->result = mem_zalloc(sizeof(*u->result));
	u->result->refs = 1;
	return u;
}

void
db_unit_forget(struct db_unit *u)
{
	struct db_result *r = u->result;

	for (unsigned i = 0; i < DB_STEPS_MAX; i++) {
		PQclear(r->res[i]);
		r->res[i] = NULL;
	}
	r->outcome = DB_OK;
	r->sqlstate[0] = '\0';
	r->constraint[0] = '\0';
}

void
db_unit_free(struct db_unit **up)
{
	struct db_unit *u = *up;

	*up = NULL;
	buf_fini(&u->bytes);
	db_result_unref(&u->result);
	free(u);
}

void
db_step(struct db_unit *u, enum sql statement)
{
	assert(u->step_count < DB_STEPS_MAX);
	u->steps[u->step_count++] = (struct db_step_data){
		.statement = statement,
		.first = u->param_count,
	};
}

/* Opens a parameter; its bytes follow, and put_end closes it. */
static struct db_param *
put_begin(struct db_unit *u)
{
	assert(u->step_count > 0 && u->param_count < DB_PARAMS_MAX);
	struct db_param *p = &u->params[u->param_count++];

	u->steps[u->step_count - 1].count++;
	p->at = u->bytes.len;
	p->len = 0;
	return p;
}

static void
put_end(struct db_unit *u, struct db_param *p)
{
	p->len = (int)(u->bytes.len - p->at);
}

void
db_put_null(struct db_unit *u)
{
	put_begin(u)->len = -1;
}

void
db_put_bytes(struct db_unit *u, const void *data, size_t len)
{
	struct db_param *p = put_begin(u);

	buf_put(&u->bytes, data, len);
	put_end(u, p);
}

void
db_put_uuid(struct db_unit *u, const struct uuid *id)
{
	if (id == NULL) {
		db_put_null(u);
	} else {
		db_put_bytes(u, id->b, sizeof(id->b));
	}
}

void
db_put_i64(struct db_unit *u, int64_t v)
{
	struct db_param *p = put_begin(u);

	buf_put_u64(&u->bytes, (uint64_t)v);
	put_end(u, p);
}

void
db_put_i32(struct db_unit *u, int32_t v)
{
	struct db_param *p = put_begin(u);

	buf_put_u32(&u->bytes, (uint32_t)v);
	put_end(u, p);
}

void
db_put_text(struct db_unit *u, struct text t)
{
	if (t.p == NULL) {
		db_put_null(u);
	} else {
		db_put_bytes(u, t.p, t.len);
	}
}

void
db_put_cstr(struct db_unit *u, const char *text)
{
	db_put_text(u, (struct text){ text, text != NULL ? strlen(text) : 0 });
}

/* The head of an array of one dimension (none when it is empty). */
static struct db_param *
put_array(struct db_unit *u, enum pg_type type, size_t n)
{
	struct db_param *p = put_begin(u);

	buf_put_u32(&u->bytes, n > 0 ? 1 : 0); /* dimensions */
	buf_put_u32(&u->bytes, 1);             /* may hold nulls */
	buf_put_u32(&u->bytes, type);
	if (n > 0) {
		buf_put_u32(&u->bytes, (uint32_t)n);
		buf_put_u32(&u->bytes, 1); /* lower bound */
	}
	return p;
}

void
db_put_uuids(struct db_unit *u, const struct uuid *ids, size_t n)
{
	struct db_param *p = put_array(u, PG_UUID, n);

	for (size_t i = 0; i < n; i++) {
		buf_put_u32(&u->bytes, sizeof(ids[i].b));
		buf_put(&u->bytes, ids[i].b, sizeof(ids[i].b));
	}
	put_end(u, p);
}

void
db_put_i64s(struct db_unit *u, const int64_t *v, size_t n)
{
	struct db_param *p = put_array(u, PG_INT8, n);

	for (size_t i = 0; i < n; i++) {
		buf_put_u32(&u->bytes, 8);
		buf_put_u64(&u->bytes, (uint64_t)v[i]);
	}
	put_end(u, p);
}

void
db_put_i32s(struct db_unit *u, const int32_t *v, size_t n)
{
	struct db_param *p = put_array(u, PG_INT4, n);

	for (size_t i = 0; i < n; i++) {
		buf_put_u32(&u->bytes, 4);
		buf_put_u32(&u->bytes, (uint32_t)v[i]);
	}
	put_end(u, p);
}

void
db_put_i16s(struct db_unit *u, const int16_t *v, size_t n)
{
	struct db_param *p = put_array(u, PG_INT2, n);

	for (size_t i = 0; i < n; i++) {
		buf_put_u32(&u->bytes, 2);
		buf_put_u16(&u->bytes, (uint16_t)v[i]);
	}
	put_end(u, p);
}

void
db_put_times(struct db_unit *u, const int64_t *unix_ms, size_t n)
{
	struct db_param *p = put_array(u, PG_TIMESTAMPTZ, n);

	for (size_t i = 0; i < n; i++) {
		buf_put_u32(&u->bytes, 8);
		buf_put_u64(&u->bytes,
		    (uint64_t)((unix_ms[i] - PG_EPOCH_MS) * 1000));
	}
	put_end(u, p);
}

void
db_put_texts(struct db_unit *u, const struct text *t, size_t n)
{
	struct db_param *p = put_array(u, PG_TEXT, n);

	for (size_t i = 0; i < n; i++) {
		if (t[i].p == NULL) {
			buf_put_u32(&u->bytes, UINT32_MAX);
			continue;
		}
		buf_put_u32(&u->bytes, (uint32_t)t[i].len);
		buf_put(&u->bytes, t[i].p, t[i].len);
	}
	put_end(u, p);
}

void
db_put_hashes(struct db_unit *u, const uint8_t *hashes, size_t len, size_t n)
{
	struct db_param *p = put_array(u, PG_BYTEA, n);

	for (size_t i = 0; i < n; i++) {
		buf_put_u32(&u->bytes, (uint32_t)len);
		buf_put(&u->bytes, hashes + i * len, len);
	}
	put_end(u, p);
}

/* ---- results ------------------------------------------------------------- */

enum db_outcome
db_outcome(const struct db_result *r)
{
	return r->outcome;
}

const char *
db_sqlstate(const struct db_result *r)
{
	return r->sqlstate;
}

const char *
db_constraint(const struct db_result *r)
{
	return r->constraint;
}

bool
db_doubtful(const struct db_result *r)
{
	return r->doubtful;
}

struct db_result *
db_result_ref(struct db_result *r)
{
	r->refs++;
	return r;
}

void
db_result_unref(struct db_result **rp)
{
	struct db_result *r = *rp;

	*rp = NULL;
	if (r == NULL || --r->refs > 0) {
		return;
	}
	for (unsigned i = 0; i < DB_STEPS_MAX; i++) {
		PQclear(r->res[i]);
	}
	free(r);
}

size_t
db_rows(const struct db_result *r, unsigned step)
{
	return (size_t)PQntuples(r->res[step]);
}

size_t
db_affected(const struct db_result *r, unsigned step)
{
	return strtoul(PQcmdTuples(r->res[step]), NULL, 10);
}

struct db_row
db_row(const struct db_result *r, unsigned step, size_t row)
{
	return (struct db_row){ r->res[step], (int)row, 0 };
}

bool
db_null(const struct db_row *row)
{
	return PQgetisnull(row->res, row->row, row->col) != 0;
}

void
db_skip(struct db_row *row, int columns)
{
	row->col += columns;
}

/* The next column's bytes in *len_r; NULL for null. */
static const uint8_t *
next(struct db_row *row, size_t *len_r)
{
	int col = row->col++;

	assert(col < PQnfields(row->res));
	if (PQgetisnull(row->res, row->row, col)) {
		*len_r = 0;
		return NULL;
	}
	*len_r = (size_t)PQgetlength(row->res, row->row, col);
	return (const uint8_t *)PQgetvalue(row->res, row->row, col);
}

struct uuid
db_get_uuid(struct db_row *row)
{
	struct uuid id = { { 0 } };
	size_t len;
	const uint8_t *p = next(row, &len);

	if (p != NULL) {
		assert(len == sizeof(id.b));
		memcpy(id.b, p, sizeof(id.b));
	}
	return id;
}

int64_t
db_get_int(struct db_row *row)
{
	size_t len;
	const uint8_t *p = next(row, &len);
	uint64_t v = 0;

	if (p == NULL) {
		return 0;
	}
	assert(len == 2 || len == 4 || len == 8);
	if ((p[0] & 0x80) != 0) {
		v = UINT64_MAX;
	}
	for (size_t i = 0; i < len; i++) {
		v = v << 8 | p[i];
	}
	return (int64_t)v;
}

bool
db_get_bool(struct db_row *row)
{
	size_t len;
	const uint8_t *p = next(row, &len);

	assert(p == NULL || len == 1);
	return p != NULL && p[0] != 0;
}

int64_t
db_get_time(struct db_row *row)
{
	if (db_null(row)) {
		row->col++;
		return -1;
	}
	return db_get_int(row) / 1000 + PG_EPOCH_MS;
}

struct text
db_get_text(struct db_row *row)
{
	size_t len;
	const uint8_t *p = next(row, &len);

	return (struct text){ (const char *)p, len };
}
