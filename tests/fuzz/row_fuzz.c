/*
 * Rows as PostgreSQL sends them, in its binary format, through the readers of
 * columns. What is read must be what a second reader makes of the same bytes; a
 * null reads as the null of its kind.
 *
 *   each column: kind (1 byte), its bytes as many as the kind has, or for a
 *   text a length (1) and so many
 *
 * SPDX-License-Identifier: MIT
 */
#include "fuzz/fuzz.h"

#include <endian.h>
#include <string.h>

#include "chatd/db_int.h"
#include "common/buf.h"

#define COLUMNS_MAX 64
/* 2000-01-01 in unix ms, where PostgreSQL's clock begins. */
#define EPOCH_MS INT64_C(946684800000)

enum column_kind {
	COLUMN_UUID,
	COLUMN_I16,
	COLUMN_I32,
	COLUMN_I64,
	COLUMN_BOOL,
	COLUMN_TIME,
	COLUMN_TEXT,
	COLUMN_KINDS,
};

struct column {
	enum column_kind kind;
	bool null;
	const uint8_t *p; /* borrowed from the input */
	size_t len;
};

static size_t
width_of(enum column_kind kind, struct rd *r)
{
	static const size_t widths[COLUMN_KINDS] = { 16, 2, 4, 8, 1, 8, 0 };

	return kind == COLUMN_TEXT ? rd_u8(r) : widths[kind];
}

static size_t
read_columns(struct rd *r, struct column columns[COLUMNS_MAX])
{
	size_t n = 0;

	while (n < COLUMNS_MAX && rd_left(r) > 0) {
		struct column *c = &columns[n];
		unsigned what = rd_u8(r);

		c->kind = (enum column_kind)(what % COLUMN_KINDS);
		c->null = what >= 128;
		c->len = c->null ? 0 : width_of(c->kind, r);
		c->p = rd_bytes(r, c->len);
		if (!rd_ok(r)) {
			break;
		}
		n++;
	}
	return n;
}

static PGresult *
make_result(const struct column *columns, size_t n)
{
	PGresult *res = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc descs[COLUMNS_MAX];
	char name[] = "c", nothing[] = "";

	CHECK(res != NULL);
	memset(descs, 0, sizeof(descs));
	for (size_t i = 0; i < n; i++) {
		descs[i].name = name;
		descs[i].format = 1;
	}
	CHECK(PQsetResultAttrs(res, (int)n, descs));
	for (size_t i = 0; i < n; i++) {
		const struct column *c = &columns[i];

		CHECK(PQsetvalue(res, 0, (int)i, c->null ? NULL : c->len > 0
		    ? (char *)(uintptr_t)c->p : nothing,
		    c->null ? -1 : (int)c->len));
	}
	return res;
}

static int64_t
second_int(const struct column *c)
{
	uint64_t v64;
	uint32_t v32;
	uint16_t v16;

	switch (c->len) {
	case 2:
		memcpy(&v16, c->p, sizeof(v16));
		return (int16_t)be16toh(v16);
	case 4:
		memcpy(&v32, c->p, sizeof(v32));
		return (int32_t)be32toh(v32);
	case 8:
		memcpy(&v64, c->p, sizeof(v64));
		return (int64_t)be64toh(v64);
	default:
		return 0;
	}
}

static void
check_column(struct db_row *row, const struct column *c)
{
	struct uuid id, nil = { { 0 } };
	struct text t;

	CHECK(db_null(row) == c->null);
	switch (c->kind) {
	case COLUMN_UUID:
		id = db_get_uuid(row);
		CHECK(memcmp(id.b, c->null ? nil.b : c->p, sizeof(id.b)) == 0);
		break;
	case COLUMN_BOOL:
		CHECK(db_get_bool(row) == (!c->null && c->p[0] != 0));
		break;
	case COLUMN_TIME:
		CHECK(db_get_time(row) == (c->null ? -1
		    : second_int(c) / 1000 + EPOCH_MS));
		break;
	case COLUMN_TEXT:
		t = db_get_text(row);
		CHECK((t.p == NULL) == c->null && t.len == c->len);
		CHECK(c->len == 0 || memcmp(t.p, c->p, c->len) == 0);
		break;
	default:
		CHECK(db_get_int(row) == second_int(c));
		break;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct column columns[COLUMNS_MAX];
	struct db_result result = { .refs = 1 };
	struct db_row row;
	struct rd r;
	size_t n;

	rd_init(&r, data, len);
	n = read_columns(&r, columns);
	if (n == 0) {
		return 0;
	}
	result.res[0] = make_result(columns, n);
	CHECK(db_rows(&result, 0) == 1);
	row = db_row(&result, 0, 0);
	for (size_t i = 0; i < n; i++) {
		check_column(&row, &columns[i]);
	}
	if (n > 1) {
		row = db_row(&result, 0, 0);
		db_skip(&row, 1);
		check_column(&row, &columns[1]);
	}
	PQclear(result.res[0]);
	return 0;
}
