/*
 * Settings: where their texts come from. Nothing here writes a target.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common/config_source.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/mem.h"

#define ERROR_LEN 1024
#define LINES_MAX 2000

/* The last error, one line without the process's name. */
static char error_text[ERROR_LEN];

bool
config_fail(const char *fmt, ...)
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

const char *
config_error(void)
{
	return error_text;
}

struct config_entry *
config_find(struct config_table *t, const char *key, size_t len)
{
	for (size_t i = 0; i < t->count; i++) {
		const char *name = t->entries[i].row->key;

		if (strlen(name) == len && memcmp(name, key, len) == 0) {
			return &t->entries[i];
		}
	}
	return NULL;
}

void
config_set_text(struct config_entry *e, const char *text,
    enum config_source source, int line)
{
	free(e->text);
	e->text = text != NULL ? mem_strdup(text) : NULL;
	e->source = source;
	e->line = line;
	e->by_name = false;
}

/* ---- sources ------------------------------------------------------------ */

void
config_take_defaults(struct config_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		struct config_entry *e = &t->entries[i];

		config_set_text(e, e->row->def,
		    e->row->def != NULL ? SOURCE_DEFAULT : SOURCE_NONE, 0);
	}
}

void
config_take_environment(struct config_table *t)
{
	char name[CONFIG_NAME_LEN];

	for (size_t i = 0; i < t->count; i++) {
		struct config_entry *e = &t->entries[i];
		const char *text = getenv(config_env_name(e->row->key, name));

		if (text != NULL) {
			config_set_text(e, text, SOURCE_ENV, 0);
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

/* Not repeated in the error, for the same reason. */
static bool
take_flag(struct config_entry *e, const char *text)
{
	char flag[CONFIG_NAME_LEN], env[CONFIG_NAME_LEN];

	if (config_value_is_secret(e->row, text)) {
		return config_fail("flag %s holds a secret, and everyone on this "
		    "machine can read a command line: give it as %s, by %s-file "
		    "or in the file of --config", config_flag_name(e->row->key,
		    flag), config_env_name(e->row->key, env), flag);
	}
	config_set_text(e, text, SOURCE_FLAG, 0);
	return true;
}

bool
config_take_flags(struct config_table *t, int argc, char **argv)
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
			return config_fail("argument %d is no flag: write --name=value"
			    " (see --help)", i);
		}
		e = find_flag(t, arg, &len);
		if (e == NULL) {
			return config_fail("unknown flag %.*s: see --help for all",
			    (int)len, arg);
		}
		if (arg[len] != '=' && e->row->kind != CONFIG_BOOL &&
		    i + 1 >= argc) {
			return config_fail("flag %s has no value: write %s=value", arg,
			    arg);
		}
		if (!take_flag(e, arg[len] == '=' ? arg + len + 1
		    : e->row->kind == CONFIG_BOOL ? "on" : argv[++i])) {
			return false;
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
		return config_fail("file %s:%d: no `=`: write `key = value`", t->path,
		    line);
	}
	*value++ = '\0';
	key = trim(key);
	len = strlen(key);
	e = config_find(t, key, len);
	if (e == NULL || strcmp(key, "config") == 0) {
		return config_fail("file %s:%d: unknown setting %s: see --help for "
		    "all", t->path, line, key);
	}
	if (e->source == SOURCE_FILE) {
		return config_fail("file %s:%d: %s is set in line %d already", t->path,
		    line, key, e->line);
	}
	config_set_text(e, trim(value), SOURCE_FILE, line);
	return true;
}

/* A secret in a file that everybody may read. */
static bool
is_exposed(const struct config_table *t, FILE *file)
{
	struct stat st;

	if (fstat(fileno(file), &st) != 0 || (st.st_mode & S_IROTH) == 0) {
		return false;
	}
	for (size_t i = 0; i < t->count; i++) {
		const struct config_entry *e = &t->entries[i];

		if (e->source == SOURCE_FILE &&
		    config_value_is_secret(e->row, e->text)) {
			return true;
		}
	}
	return false;
}

bool
config_take_file(struct config_table *t)
{
	FILE *file = fopen(t->path, "re");
	char *text = NULL;
	size_t size = 0;
	bool good = true;
	int line = 0;

	if (file == NULL) {
		return config_fail("setting config=%s: cannot read it: %s", t->path,
		    strerror(errno));
	}
	errno = 0;
	while (good && getline(&text, &size, file) >= 0) {
		good = ++line <= LINES_MAX
		    ? take_line(t, text, line)
		    : config_fail("file %s: over %d lines", t->path, LINES_MAX);
	}
	if (good && ferror(file)) {
		good = config_fail("setting config=%s: cannot read it: %s", t->path,
		    strerror(errno));
	}
	t->exposed = is_exposed(t, file);
	free(text);
	fclose(file);
	return good;
}

bool
config_take_credentials(struct config_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		struct config_entry *e = &t->entries[i];
		const char *why = NULL;
		char *text;

		if ((e->row->flags & CONFIG_SECRET) == 0) {
			continue;
		}
		text = config_credential_read(e->row->key, &why);
		if (why != NULL) {
			return config_fail("setting %s: cannot read the credential of "
			    "that name: %s", e->row->key, why);
		}
		if (text != NULL) {
			config_set_text(e, text, SOURCE_CREDENTIAL, 0);
			free(text);
		}
	}
	return true;
}

/* Secrets whose file is named, where nothing stronger gives them. */
bool
config_take_secret_files(struct config_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct config_entry *f = &t->entries[i];
		struct config_entry *e;
		const char *why;
		char *text;

		if (f->names == 0 || f->text == NULL || *f->text == '\0') {
			continue;
		}
		e = &t->entries[f->names - 1];
		if (e->source > f->source || e->by_name) {
			continue;
		}
		if (e->source == f->source) {
			return config_fail("settings %s and %s are both given: give "
			    "one of them", e->row->key, f->row->key);
		}
		text = config_secret_read(f->text, &why);
		if (text == NULL) {
			return config_fail("setting %s=%s: cannot read it: %s",
			    f->row->key, f->text, why);
		}
		config_set_text(e, text, f->source, f->line);
		e->by_name = true;
		free(text);
	}
	return true;
}
