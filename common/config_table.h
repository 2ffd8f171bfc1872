/*
 * The loaded settings as config.c holds them and config_print.c shows them: each
 * row with the text in force and where it came from; what config_secret.c knows
 * of secrets. For these files alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_CONFIG_TABLE_H
#define COMMON_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/config.h"

/* In rising order of precedence. */
enum config_source {
	SOURCE_NONE,
	SOURCE_DEFAULT,
	SOURCE_FILE,
	SOURCE_CREDENTIAL, /* a file in $CREDENTIALS_DIRECTORY */
	SOURCE_ENV,
	SOURCE_FLAG,
};

struct config_entry {
	const struct config_row *row; /* borrowed */
	char *text;                   /* owned; NULL: no value */
	enum config_source source;
	int line;                     /* SOURCE_FILE: where in the file */
	bool by_name;                 /* it came from the file that its row
	                               * `<key>_file` names */
	size_t names;                 /* 0, or: this row names the file that
	                               * holds the value of entries[names - 1] */
};

struct config_table {
	const char *process;          /* borrowed */
	struct config_entry *entries; /* owned */
	size_t count;
	char *path;                   /* owned; the file; NULL: none */
	bool exposed;                 /* it holds a secret and everybody may
	                               * read it */
};

#define CONFIG_NAME_LEN 64

/* `redis_url` as `--redis-url` and as `PARLEY_REDIS_URL`. Both return `out`. */
char *config_flag_name(const char *key, char out[CONFIG_NAME_LEN]);
char *config_env_name(const char *key, char out[CONFIG_NAME_LEN]);

/* The value as it may be shown: secrets as stars, and in a URL the password.
 * The caller frees it. */
MUST_CHECK char *config_shown(const struct config_row *row, const char *text);

/* ---- secrets (config_secret.c) ------------------------------------------- */

/* The row `<key>_file` of a secret; the caller frees it (its target with it). */
struct config_row *config_file_row_new(const struct config_row *secret);
/* Whether this value of the row must not be seen: all of a secret's but URLs
 * in which nobody is named. */
bool config_value_is_secret(const struct config_row *row, const char *text);
/* What the file holds, without line breaks at its end; the caller frees it. NULL:
 * *why_r says in a few words why not. */
MUST_CHECK char *config_secret_read(const char *path, const char **why_r);
/* The same for the credential of that name; NULL with *why_r NULL: none. */
MUST_CHECK char *config_credential_read(const char *key, const char **why_r);

/* ---- showing (config_print.c) -------------------------------------------- */

void config_print_help(const struct config_table *t, const char *summary);
void config_print_table(const struct config_table *t);

#endif
