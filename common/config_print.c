/*
 * What of the settings is shown to people: --help, --print-config, and names
 * and masked values for error lines.
 *
 * SPDX-License-Identifier: MIT
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/config_table.h"
#include "common/config_value.h"
#include "common/mem.h"

#define MASK "********"

char *
config_flag_name(const char *key, char out[CONFIG_NAME_LEN])
{
	snprintf(out, CONFIG_NAME_LEN, "--%s", key);
	for (char *p = out; *p != '\0'; p++) {
		if (*p == '_') {
			*p = '-';
		}
	}
	return out;
}

char *
config_env_name(const char *key, char out[CONFIG_NAME_LEN])
{
	snprintf(out, CONFIG_NAME_LEN, "PARLEY_%s", key);
	for (char *p = out; *p != '\0'; p++) {
		*p = (char)toupper((unsigned char)*p);
	}
	return out;
}

char *
config_shown(const struct config_row *row, const char *text)
{
	const char *host, *at, *colon;

	if ((row->flags & CONFIG_SECRET) != 0) {
		return mem_strdup(MASK);
	}
	/* scheme://user:password@host */
	host = strstr(text, "://");
	at = host != NULL ? strrchr(host, '@') : NULL;
	colon = at != NULL
	    ? memchr(host + 3, ':', (size_t)(at - host) - 3) : NULL;
	if (colon == NULL) {
		return mem_strdup(text);
	}
	return mem_sprintf("%.*s" MASK "%s", (int)(colon + 1 - text), text, at);
}

static const char *
kind_word(enum config_kind kind)
{
	static const char *const words[] = {
		[CONFIG_TEXT] = "TEXT",
		[CONFIG_INT] = "NUMBER",
		[CONFIG_MS] = "TIME",
		[CONFIG_BYTES] = "SIZE",
		[CONFIG_BOOL] = "on|off",
		[CONFIG_RATE] = "RATE",
	};

	return words[kind];
}

static void
print_row(const struct config_row *row)
{
	char flag[CONFIG_NAME_LEN], env[CONFIG_NAME_LEN];
	char min[32], max[32], left[2 * CONFIG_NAME_LEN];

	snprintf(left, sizeof(left), "%s=%s", config_flag_name(row->key, flag),
	    kind_word(row->kind));
	printf("  %-30s %s\n", left, config_env_name(row->key, env));
	printf("      %s\n", row->meaning);
	if (row->def != NULL && *row->def != '\0') {
		printf("      default: %s", row->def);
	} else {
		printf("      %s", (row->flags & CONFIG_REQUIRED) != 0
		    ? "required" : "default: none");
	}
	if (row->min != 0 || row->max != 0) {
		printf("; range: %s to %s",
		    config_number_format(row->kind, row->min, min, sizeof(min)),
		    config_number_format(row->kind, row->max, max,
		    sizeof(max)));
	}
	printf("%s%s\n", (row->flags & CONFIG_SECRET) != 0
	    ? "; secret: give it by environment or file" : "",
	    (row->flags & CONFIG_RELOAD) != 0
	    ? "; SIGHUP takes a change in the file" : "");
}

void
config_print_help(const struct config_table *t, const char *summary)
{
	printf("%s: %s\n\n"
	    "usage: %s [--setting=value ...]\n"
	    "       %s --check-config | --print-config | --version | --help\n\n"
	    "A setting is a flag, an environment variable, or a line\n"
	    "`key = value` in the file that --config names; the key is the\n"
	    "flag without its dashes in front, with _ for -. Flags win over\n"
	    "the environment, the environment over the file. A secret is no\n"
	    "flag; it may also be a file of its name in the directory of\n"
	    "CREDENTIALS_DIRECTORY.\n"
	    "TIME: 250ms, 5s, 2m, 1h, 30d. SIZE: 512, 64k, 20M, 1G.\n"
	    "RATE: 50/s burst 500, 10/5m, 20M/s, off.\n\n",
	    t->process, summary, t->process, t->process);
	for (size_t i = 0; i < t->count; i++) {
		print_row(t->entries[i].row);
	}
}

void
config_print_table(const struct config_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct config_entry *e = &t->entries[i];
		char *shown;

		if (t->path != NULL && strcmp(e->row->key, "config") == 0) {
			printf("# read from %s\n", t->path);
		} else if (strcmp(e->row->key, "config") == 0) {
			continue;
		} else if (e->text == NULL) {
			printf("# %s =\n", e->row->key);
		} else {
			shown = config_shown(e->row, e->text);
			printf("%s%s = %s\n", e->by_name ? "# " : "",
			    e->row->key, shown);
			free(shown);
		}
	}
}
