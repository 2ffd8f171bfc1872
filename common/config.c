/*
 * Settings: gathers texts from default, file, environment and flags into one
 * table, checks every one, and only then writes the targets, so that a failed
 * load or reload has changed nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_table.h"
#include "common/config_value.h"
#include "common/log.h"
#include "common/mem.h"

#define ERROR_LEN 1024
#define LINES_MAX 2000

static char *config_path_target;

static const struct config_row own_rows[] = {
	{ "config", CONFIG_TEXT, &config_path_target, NULL, 0, 0, 0,
	    "file of settings, one `key = value` a line" },
	CONFIG_END,
};

static struct config_table table;
/* The last error, one line without the process's name. */
static char error_text[ERROR_LEN];

static bool fail(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Keeps the message; always false, for `return fail(...)`. */
static bool
fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(error_text, sizeof(error_text), fmt, ap);
	va_end(ap);
	for (char *p = error_text; *p != '\0'; p++) {
		if (iscntrl((unsigned char)*p)) {
			*p = '?'; /* one line, whatever the value was */
		}
	}
	return false;
}

/* ---- the table ---------------------------------------------------------- */

static void
add_rows(struct config_table *t, const struct config_row *rows)
{
	size_t n = 0;

	while (rows[n].key != NULL) {
		n++;
	}
	t->entries = mem_realloc(t->entries,
	    (t->count + n + 1) * sizeof(*t->entries));
	for (size_t i = 0; i < n; i++) {
		struct config_entry *e = &t->entries[t->count++];

		memset(e, 0, sizeof(*e));
		e->row = &rows[i];
	}
}

static struct config_entry *
find_entry(struct config_table *t, const char *key, size_t len)
{
	for (size_t i = 0; i < t->count; i++) {
		const char *name = t->entries[i].row->key;

		if (strlen(name) == len && memcmp(name, key, len) == 0) {
			return &t->entries[i];
		}
	}
	return NULL;
}

static void
set_text(struct config_entry *e, const char *text, enum config_source source,
    int line)
{
	free(e->text);
	e->text = text != NULL ? mem_strdup(text) : NULL;
	e->source = source;
	e->line = line;
}

static void
table_fini(struct config_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		free(t->entries[i].text);
	}
	free(t->entries);
	free(t->path);
	memset(t, 0, sizeof(*t));
}

/* ---- sources ------------------------------------------------------------ */

static void
take_defaults(struct config_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		struct config_entry *e = &t->entries[i];

		set_text(e, e->row->def,
		    e->row->def != NULL ? SOURCE_DEFAULT : SOURCE_NONE, 0);
	}
}

static void
take_environment(struct config_table *t)
{
	char name[CONFIG_NAME_LEN];

	for (size_t i = 0; i < t->count; i++) {
		struct config_entry *e = &t->entries[i];
		const char *text = getenv(config_env_name(e->row->key, name));

		if (text != NULL) {
			set_text(e, text, SOURCE_ENV, 0);
		}
	}
}

/* The entry a flag names; *len_r is the length of the name with its dashes. */
static struct config_entry *
find_flag(struct config_table *t, const char *arg, size_t *len_r)
{
	char name[CONFIG_NAME_LEN];

	*len_r = strcspn(arg, "=");
	for (size_t i = 0; i < t->count; i++) {
		config_flag_name(t->entries[i].row->key, name);
		if (strlen(name) == *len_r &&
		    memcmp(name, arg, *len_r) == 0) {
			return &t->entries[i];
		}
	}
	return NULL;
}

static bool
take_flags(struct config_table *t, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *arg = argv[i];
		struct config_entry *e;
		size_t len;

		if (strcmp(arg, "--check-config") == 0 ||
		    strcmp(arg, "--print-config") == 0) {
			continue;
		}
		if (strncmp(arg, "--", 2) != 0) {
			/* Not repeated: it may be a secret gone astray. */
			return fail("argument %d is no flag: write --name=value"
			    " (see --help)", i);
		}
		e = find_flag(t, arg, &len);
		if (e == NULL) {
			return fail("unknown flag %.*s: see --help for all",
			    (int)len, arg);
		}
		if (arg[len] == '=') {
			set_text(e, arg + len + 1, SOURCE_FLAG, 0);
		} else if (e->row->kind == CONFIG_BOOL) {
			set_text(e, "on", SOURCE_FLAG, 0);
		} else if (i + 1 < argc) {
			set_text(e, argv[++i], SOURCE_FLAG, 0);
		} else {
			return fail("flag %s has no value: write %s=value", arg,
			    arg);
		}
	}
	return true;
}

/* Cuts white space off both ends, in place. */
static char *
trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r\n");
	len = strlen(text);
	while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL) {
		text[--len] = '\0';
	}
	return text;
}

static bool
take_line(struct config_table *t, char *text, int line)
{
	struct config_entry *e;
	char *key = trim(text);
	char *value;
	size_t len;

	if (*key == '\0' || *key == '#') {
		return true;
	}
	value = strchr(key, '=');
	if (value == NULL) {
		return fail("file %s:%d: no `=`: write `key = value`", t->path,
		    line);
	}
	*value++ = '\0';
	key = trim(key);
	len = strlen(key);
	e = find_entry(t, key, len);
	if (e == NULL || strcmp(key, "config") == 0) {
		return fail("file %s:%d: unknown setting %s: see --help for "
		    "all", t->path, line, key);
	}
	if (e->source == SOURCE_FILE) {
		return fail("file %s:%d: %s is set in line %d already", t->path,
		    line, key, e->line);
	}
	set_text(e, trim(value), SOURCE_FILE, line);
	return true;
}

static bool
take_file(struct config_table *t)
{
	FILE *file = fopen(t->path, "re");
	char *text = NULL;
	size_t size = 0;
	bool good = true;
	int line = 0;

	if (file == NULL) {
		return fail("setting config=%s: cannot read it: %s", t->path,
		    strerror(errno));
	}
	errno = 0;
	while (good && getline(&text, &size, file) >= 0) {
		good = ++line <= LINES_MAX
		    ? take_line(t, text, line)
		    : fail("file %s: over %d lines", t->path, LINES_MAX);
	}
	if (good && ferror(file)) {
		good = fail("setting config=%s: cannot read it: %s", t->path,
		    strerror(errno));
	}
	free(text);
	fclose(file);
	return good;
}

/* ---- checking and applying ---------------------------------------------- */

static const char *
source_text(const struct config_table *t, const struct config_entry *e,
    char *text, size_t size)
{
	char env[CONFIG_NAME_LEN];

	switch (e->source) {
	case SOURCE_FLAG:
		return "flag";
	case SOURCE_ENV:
		snprintf(text, size, "environment %s",
		    config_env_name(e->row->key, env));
		return text;
	case SOURCE_FILE:
		snprintf(text, size, "file %s:%d", t->path, e->line);
		return text;
	case SOURCE_DEFAULT:
	case SOURCE_NONE:
		break;
	}
	return "default";
}

static bool
check_entry(const struct config_table *t, const struct config_entry *e)
{
	char why[CONFIG_WHY_LEN], source[512], env[CONFIG_NAME_LEN];
	char flag[CONFIG_NAME_LEN], *shown;
	struct config_value value;

	if (e->text == NULL || *e->text == '\0') {
		if ((e->row->flags & CONFIG_REQUIRED) != 0) {
			return fail("setting %s is required: give %s, %s, or a "
			    "line `%s = ...` in the file of --config",
			    e->row->key, config_env_name(e->row->key, env),
			    config_flag_name(e->row->key, flag), e->row->key);
		}
		if (e->text == NULL) {
			return true;
		}
	}
	if (config_value_parse(e->row, e->text, &value, why)) {
		return true;
	}
	shown = config_shown(e->row, e->text);
	fail("setting %s=%s (%s): %s", e->row->key, shown,
	    source_text(t, e, source, sizeof(source)), why);
	free(shown);
	return false;
}

static bool
check_all(const struct config_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		if (!check_entry(t, &t->entries[i])) {
			return false;
		}
	}
	return true;
}

/* The text was checked. No value leaves numbers and switches at zero. */
static void
apply(const struct config_entry *e)
{
	struct config_value value = { 0, false, { 0, 0, 0 } };
	char why[CONFIG_WHY_LEN];

	if (e->row->kind == CONFIG_TEXT) {
		char **target = e->row->target;

		free(*target);
		*target = e->text != NULL ? mem_strdup(e->text) : NULL;
		return;
	}
	if (e->text != NULL &&
	    !config_value_parse(e->row, e->text, &value, why)) {
		return;
	}
	if (e->row->kind == CONFIG_BOOL) {
		*(bool *)e->row->target = value.truth;
	} else if (e->row->kind == CONFIG_RATE) {
		*(struct rate *)e->row->target = value.rate;
	} else {
		*(int64_t *)e->row->target = value.number;
	}
}

/* The flag or the environment decides which file is read; a file does not name
 * another. */
static bool
find_file(struct config_table *t, int argc, char **argv)
{
	struct config_entry *e = find_entry(t, "config", strlen("config"));

	take_environment(t);
	if (!take_flags(t, argc, argv)) {
		return false;
	}
	if (e->text != NULL && *e->text != '\0') {
		t->path = mem_strdup(e->text);
	}
	return true;
}

static bool
load(struct config_table *t, int argc, char **argv)
{
	if (!find_file(t, argc, argv)) {
		return false;
	}
	take_defaults(t);
	if (t->path != NULL && !take_file(t)) {
		return false;
	}
	take_environment(t);
	return take_flags(t, argc, argv) && check_all(t);
}

/* ---- the face ----------------------------------------------------------- */

static bool
has_flag(int argc, char **argv, const char *flag)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], flag) == 0) {
			return true;
		}
	}
	return false;
}

enum config_action
config_load(const char *process, const char *summary, const char *version,
    const struct config_row *const *tables, int argc, char **argv)
{
	config_free();
	table.process = process;
	add_rows(&table, own_rows);
	for (size_t i = 0; tables[i] != NULL; i++) {
		add_rows(&table, tables[i]);
	}
	if (has_flag(argc, argv, "--help")) {
		config_print_help(&table, summary);
		return CONFIG_DONE;
	}
	if (has_flag(argc, argv, "--version")) {
		printf("%s %s\n", process, version);
		return CONFIG_DONE;
	}
	if (!load(&table, argc, argv)) {
		fprintf(stderr, "%s: %s\n", process, error_text);
		return CONFIG_FAILED;
	}
	for (size_t i = 0; i < table.count; i++) {
		apply(&table.entries[i]);
	}
	if (has_flag(argc, argv, "--print-config")) {
		config_print();
		return CONFIG_DONE;
	}
	return has_flag(argc, argv, "--check-config") ? CONFIG_CHECKED
	                                              : CONFIG_RUN;
}

static bool
same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Takes over what the file now says, where the file decides. */
static void
take_changes(const struct config_table *fresh)
{
	for (size_t i = 0; i < table.count; i++) {
		struct config_entry *e = &table.entries[i];
		const struct config_entry *now = &fresh->entries[i];

		if (e->source > SOURCE_FILE || same_text(e->text, now->text)) {
			continue;
		}
		if ((e->row->flags & CONFIG_RELOAD) == 0) {
			log_warn("setting_needs_restart", "key=%s",
			    e->row->key);
			continue;
		}
		set_text(e, now->text, now->source, now->line);
		apply(e);
		log_info("setting_changed", "key=%s", e->row->key);
	}
}

bool
config_reload(void)
{
	struct config_table fresh = { table.process, NULL, 0, NULL };
	bool good;

	if (table.path == NULL) {
		return true;
	}
	fresh.path = mem_strdup(table.path);
	fresh.entries = mem_zalloc(table.count * sizeof(*fresh.entries));
	fresh.count = table.count;
	for (size_t i = 0; i < table.count; i++) {
		fresh.entries[i].row = table.entries[i].row;
	}
	take_defaults(&fresh);
	good = take_file(&fresh);
	for (size_t i = 0; good && i < table.count; i++) {
		const struct config_entry *e = &table.entries[i];

		if (e->source > SOURCE_FILE) {
			set_text(&fresh.entries[i], e->text, e->source, 0);
		}
	}
	good = good && check_all(&fresh);
	if (good) {
		take_changes(&fresh);
	} else {
		log_error("reload_refused", "cause=\"%s\"", error_text);
	}
	table_fini(&fresh);
	return good;
}

void
config_print(void)
{
	config_print_table(&table);
}

void
config_free(void)
{
	for (size_t i = 0; i < table.count; i++) {
		if (table.entries[i].row->kind == CONFIG_TEXT) {
			char **target = table.entries[i].row->target;

			free(*target);
			*target = NULL;
		}
	}
	table_fini(&table);
}
