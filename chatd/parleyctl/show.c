/*
 * Tables and JSON on standard output.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/parleyctl/show.h"

#include <json-c/json.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json_in.h"
#include "common/mem.h"

#define GAP 2

/* Control characters, C1 ones too (in UTF-8: 0xC2 0x80 to 0x9F), as '?'. */
static char *
harmless(const char *text)
{
	char *copy = mem_strdup(text), *to = copy;

	for (const unsigned char *p = (const unsigned char *)text; *p != '\0';
	    p++) {
		if (*p < 0x20 || *p == 0x7f) {
			*to++ = '?';
		} else if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) {
			*to++ = '?';
			p++;
		} else {
			*to++ = (char)*p;
		}
	}
	*to = '\0';
	return copy;
}

static void
add(struct table *t, char *take_text)
{
	t->cells = mem_realloc(t->cells, (t->count + 1) * sizeof(*t->cells));
	t->cells[t->count++] = take_text;
}

void
table_begin(struct table *t, ...)
{
	const char *title;
	va_list ap;

	memset(t, 0, sizeof(*t));
	va_start(ap, t);
	while ((title = va_arg(ap, const char *)) != NULL) {
		add(t, mem_strdup(title));
		t->columns++;
	}
	va_end(ap);
}

void
table_cell(struct table *t, const char *text)
{
	add(t, harmless(text != NULL && *text != '\0' ? text : "-"));
}

void
table_cell_int(struct table *t, int64_t v)
{
	add(t, mem_sprintf("%lld", (long long)v));
}

static char *
plain_time(const char *time)
{
	char *text = mem_strdup(time);

	if (strlen(text) >= 19 && text[10] == 'T') {
		text[10] = ' ';
		text[19] = '\0';
	}
	return text;
}

void
table_cell_time(struct table *t, const char *time)
{
	char *text;

	if (time == NULL) {
		table_cell(t, NULL);
		return;
	}
	text = plain_time(time);
	table_cell(t, text);
	free(text);
}

static size_t
width(const char *text)
{
	return utf8_count(text, strlen(text));
}

void
table_end(struct table *t)
{
	size_t widest[TABLE_COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < t->count; i++) {
		size_t w = width(t->cells[i]);

		if (w > widest[i % t->columns]) {
			widest[i % t->columns] = w;
		}
	}
	for (size_t i = 0; i < t->count; i++) {
		size_t column = i % t->columns;
		bool last = column == t->columns - 1;

		printf("%s%*s", t->cells[i], last ? 0 :
		    (int)(widest[column] - width(t->cells[i]) + GAP), "");
		if (last) {
			putchar('\n');
		}
	}
	table_free(t);
}

void
table_free(struct table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->cells[i]);
	}
	free(t->cells);
	memset(t, 0, sizeof(*t));
}

void
show_json(struct json_object *o)
{
	puts(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
	    JSON_C_TO_STRING_NOSLASHESCAPE));
}

void
show_pair(const char *key, const char *value)
{
	char *text = harmless(value != NULL && *value != '\0' ? value : "-");

	printf("%-12s %s\n", key, text);
	free(text);
}
