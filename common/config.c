/*
 * Settings: gathers texts from default, file, environment and flags into one
 * table, checks every one, and only then writes the targets, so that a failed
 * load or reload has changed nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_source.h"
#include "common/config_table.h"
#include "common/config_value.h"
#include "common/log.h"
#include "common/mem.h"

#define ERROR_LEN 1024

static char *config_path_target;

static const struct config_row own_rows[] = {
	{ "config", CONFIG_TEXT, &config_path_target, NULL, 0, 0, 0,
	    "file of settings, one `key = value` a line" },
	CONFIG_END,
};

static struct config_table table;

/* ---- the table ---------------------------------------------------------- */

static struct config_entry *
add_row(struct config_table *t, const struct config_row *row)
{
	struct config_entry *e;

	t->entries = mem_realloc(t->entries,
	    (t->count + 1) * sizeof(*t->entries));
	e = &t->entries[t->count++];
	memset(e, 0, sizeof(*e));
	e->row = row;
	return e;
}

/* Behind each secret the row that names a file with it. */
static void
add_rows(struct config_table *t, const struct config_row *rows)
{
	for (; rows->key != NULL; rows++) {
		struct config_entry *file;
		size_t place;

		add_row(t, rows);
		if ((rows->flags & CONFIG_SECRET) != 0) {
			place = t->count;
			file = add_row(t, config_file_row_new(rows));
			file->names = place;
		}
	}
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
	case SOURCE_CREDENTIAL:
		return "credential";
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
			return config_fail("setting %s is required: give %s, %s%s, or a "
			    "line `%s = ...` in the file of --config",
			    e->row->key, config_env_name(e->row->key, env),
			    config_flag_name(e->row->key, flag),
			    (e->row->flags & CONFIG_SECRET) != 0 ? "-file"
			    : "", e->row->key);
		}
		if (e->text == NULL) {
			return true;
		}
	}
	if (config_value_parse(e->row, e->text, &value, why)) {
		return true;
	}
	shown = config_shown(e->row, e->text);
	config_fail("setting %s=%s (%s): %s", e->row->key, shown,
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
	struct config_entry *e = config_find(t, "config", strlen("config"));

	config_take_environment(t);
	if (!config_take_flags(t, argc, argv)) {
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
	config_take_defaults(t);
	if (t->path != NULL && !config_take_file(t)) {
		return false;
	}
	if (!config_take_credentials(t)) {
		return false;
	}
	config_take_environment(t);
	return config_take_flags(t, argc, argv) && config_take_secret_files(t) &&
	    check_all(t);
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
		fprintf(stderr, "%s: %s\n", process, config_error());
		return CONFIG_FAILED;
	}
	for (size_t i = 0; i < table.count; i++) {
		apply(&table.entries[i]);
	}
	if (has_flag(argc, argv, "--print-config")) {
		config_print();
		return CONFIG_DONE;
	}
	if (table.exposed && has_flag(argc, argv, "--check-config")) {
		fprintf(stderr, "%s: warning: %s\n", process,
		    config_warning());
	}
	return has_flag(argc, argv, "--check-config") ? CONFIG_CHECKED
	                                              : CONFIG_RUN;
}

const char *
config_warning(void)
{
	static char text[ERROR_LEN];

	if (!table.exposed) {
		return NULL;
	}
	snprintf(text, sizeof(text), "file %s holds a secret and everybody may "
	    "read it: chmod o-r it", table.path);
	return text;
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
		config_set_text(e, now->text, now->source, now->line);
		apply(e);
		log_info("setting_changed", "key=%s", e->row->key);
	}
}

bool
config_reload(void)
{
	struct config_table fresh = { .process = table.process };
	bool good;

	if (table.path == NULL) {
		return true;
	}
	fresh.path = mem_strdup(table.path);
	fresh.entries = mem_zalloc(table.count * sizeof(*fresh.entries));
	fresh.count = table.count;
	for (size_t i = 0; i < table.count; i++) {
		fresh.entries[i].row = table.entries[i].row;
		fresh.entries[i].names = table.entries[i].names;
	}
	config_take_defaults(&fresh);
	good = config_take_file(&fresh);
	for (size_t i = 0; good && i < table.count; i++) {
		const struct config_entry *e = &table.entries[i];

		if (e->source > SOURCE_FILE) {
			config_set_text(&fresh.entries[i], e->text, e->source, 0);
			fresh.entries[i].by_name = e->by_name;
		}
	}
	good = good && config_take_secret_files(&fresh) && check_all(&fresh);
	if (good) {
		take_changes(&fresh);
	} else {
		log_error("reload_refused", "cause=\"%s\"", config_error());
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
		if (table.entries[i].names != 0) {
			free((void *)(uintptr_t)table.entries[i].row);
		}
	}
	table_fini(&table);
}
