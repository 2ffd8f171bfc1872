/*
 * The loaded settings as config.c holds them and config_print.c shows them: each
 * row with the text in force and where it came from. For these two files alone.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_CONFIG_TABLE_H
#define COMMON_CONFIG_TABLE_H

#include <stddef.h>

#include "common/config.h"

/* In rising order of precedence. */
enum config_source {
	SOURCE_NONE,
	SOURCE_DEFAULT,
	SOURCE_FILE,
	SOURCE_ENV,
	SOURCE_FLAG,
};

struct config_entry {
	const struct config_row *row; /* borrowed */
	char *text;                   /* owned; NULL: no value */
	enum config_source source;
	int line;                     /* SOURCE_FILE: where in the file */
};

struct config_table {
	const char *process;          /* borrowed */
	struct config_entry *entries; /* owned */
	size_t count;
	char *path;                   /* owned; the file; NULL: none */
};

#define CONFIG_NAME_LEN 64

/* `redis_url` as `--redis-url` and as `PARLEY_REDIS_URL`. Both return `out`. */
char *config_flag_name(const char *key, char out[CONFIG_NAME_LEN]);
char *config_env_name(const char *key, char out[CONFIG_NAME_LEN]);

/* The value as it may be shown: secrets as stars, and in a URL the password.
 * The caller frees it. */
MUST_CHECK char *config_shown(const struct config_row *row, const char *text);

void config_print_help(const struct config_table *t, const char *summary);
void config_print_table(const struct config_table *t);

#endif
