/*
 * Output: a table for people, aligned, in which nothing that users have typed can
 * do anything to a terminal; and JSON for programs.
 *
 *	struct table t;
 *	table_begin(&t, "NAME", "SESSIONS", NULL);
 *	table_cell(&t, name); table_cell_int(&t, n);
 *	table_end(&t);
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_PARLEYCTL_SHOW_H
#define CHATD_PARLEYCTL_SHOW_H

#include <stddef.h>
#include <stdint.h>

struct json_object;

#define TABLE_COLUMNS_MAX 12

struct table {
	char **cells;   /* owned */
	size_t count;
	size_t columns;
};

/* The titles, ended by NULL. */
void table_begin(struct table *t, ...);
/* NULL and "": a dash. The text is copied. */
void table_cell(struct table *t, const char *text);
void table_cell_int(struct table *t, int64_t v);
/* 2026-02-07T22:55:00.123Z as 2026-02-07 22:55:00. */
void table_cell_time(struct table *t, const char *time);
/* Prints and releases. */
void table_end(struct table *t);
/* Releases alone. */
void table_free(struct table *t);

/* One line of JSON on standard output. */
void show_json(struct json_object *o);
/* "key: value" lines; each value as in a table. */
void show_pair(const char *key, const char *value);

#endif
