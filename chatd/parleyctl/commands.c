/*
 * The commands, their help, and what bash completes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/parleyctl/commands.h"

#include <stdio.h>
#include <string.h>

static const struct command commands[] = {
	{ "user create", "USERNAME --email ADDRESS", 1, 1,
	    "name email generate json", cmd_user_create,
	    "makes an account; prints its id. The password is asked for, or "
	    "read from standard input" },
	{ "user list", "", 0, 0, "disabled limit json", cmd_user_list,
	    "accounts by username" },
	{ "user search", "TEXT", 1, 1, "disabled limit json", cmd_user_search,
	    "accounts with TEXT in username, name or address" },
	{ "user show", "USER", 1, 1, "json", cmd_user_show, "one account" },
	{ "user disable", "USER", 1, 1, "yes json", cmd_user_disable,
	    "no login any more; all sessions end, sockets close at once" },
	{ "user enable", "USER", 1, 1, "json", cmd_user_enable,
	    "takes that back" },
	{ "user password", "USER", 1, 1, "generate keep-sessions json",
	    cmd_user_password, "sets a new password and ends all sessions" },
	{ "user export", "USER", 1, 1, "output conversations", cmd_user_export,
	    "all that is stored of a person, as lines of JSON" },
	{ "user delete", "USER", 1, 1, "yes json", cmd_user_delete,
	    "erases a person and all they wrote, for good" },
	{ "session list", "USER", 1, 1, "json", cmd_session_list,
	    "where a person is logged in" },
	{ "session end", "USER [SESSION]", 1, 2, "all yes json",
	    cmd_session_end, "ends one session or all, sockets close at once" },
	{ "online", "[USER]", 0, 1, "json", cmd_online,
	    "what each gateway holds, or where a person is connected" },
	{ "status", "", 0, 0, "json", cmd_status,
	    "every process: ready, version, stores, queues" },
	{ "doctor", "", 0, 0, "json", cmd_doctor,
	    "looks for what is commonly set wrong" },
	{ "migrate status", "", 0, 0, "json", cmd_migrate_status,
	    "whether the schema is this release's" },
	{ "migrate run", "", 0, 0, "yes", cmd_migrate_run,
	    "brings the schema up to date" },
	{ "retention messages", "--older-than TIME", 0, 0,
	    "older-than dry-run batch yes json", cmd_retention_messages,
	    "removes old messages, little by little" },
	{ "retention media", "[--older-than TIME]", 0, 0,
	    "older-than dry-run names yes json", cmd_retention_media,
	    "removes uploads that nothing refers to (older than 7d)" },
};

/* ---- help, completion ------------------------------------------------------ */

static bool
takes(const struct command *c, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = strstr(c->options, name); p != NULL;
	    p = strstr(p + 1, name)) {
		if ((p == c->options || p[-1] == ' ') &&
		    (p[len] == ' ' || p[len] == '\0')) {
			return true;
		}
	}
	return false;
}

void
commands_print(void)
{
	printf("Usage: parleyctl [SETTINGS] COMMAND [ARGUMENTS] [OPTIONS]\n\n"
	    "Administers a Parley installation. USER is an id, a username or "
	    "an email address.\n\nCommands:\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		printf("  %s %s\n      %s\n", commands[i].words,
		    commands[i].synopsis, commands[i].meaning);
	}
	printf("  completion\n      prints the completion for bash: "
	    "source <(parleyctl completion)\n\nOptions:\n");
	for (size_t i = 0; options[i].name != NULL; i++) {
		printf("  --%s%s%s\n      %s\n", options[i].name,
		    options[i].value != NULL ? " " : "",
		    options[i].value != NULL ? options[i].value : "",
		    options[i].meaning);
	}
	printf("\nExit status: 0 done, 1 refused or failed, 2 wrong usage, 3 "
	    "not found, 4 not\npermitted, 5 something is away, 6 not all is "
	    "well, 7 not confirmed.\n\nSettings (parleyctl settings --help "
	    "shows them all):\n"
	    "  --config=FILE --chatd=ADDRESSES --processes=NAME=HOST:PORT,... "
	    "--timeout=10s\n  PARLEY_DATABASE_URL, PARLEY_MIGRATE_URL, "
	    "--media-dir=DIR ...\n");
}

void
command_print(const struct command *c)
{
	printf("Usage: parleyctl %s %s\n\n%s.\n", c->words, c->synopsis,
	    c->meaning);
	for (size_t i = 0; options[i].name != NULL; i++) {
		if (takes(c, options[i].name)) {
			printf("  --%s%s%s\n      %s\n", options[i].name,
			    options[i].value != NULL ? " " : "",
			    options[i].value != NULL ? options[i].value : "",
			    options[i].meaning);
		}
	}
}

/* The words as far as they are typed decide what may follow. */
void
completion_print(void)
{
	printf("_parleyctl() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} words\n"
	    "\twords=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\"\n"
	    "\tcase \"$words\" in\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		printf("\t\"%s\"*) words=\"", commands[i].words);
		for (size_t o = 0; options[o].name != NULL; o++) {
			if (takes(&commands[i], options[o].name)) {
				printf("--%s ", options[o].name);
			}
		}
		printf("--help\" ;;\n");
	}
	printf("\tuser*) words=\"create list search show disable enable "
	    "password export delete\" ;;\n"
	    "\tsession*) words=\"list end\" ;;\n"
	    "\tmigrate*) words=\"status run\" ;;\n"
	    "\tretention*) words=\"messages media\" ;;\n"
	    "\t*) words=\"user session online status doctor migrate retention "
	    "completion --help --version\" ;;\n"
	    "\tesac\n\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- "
	    "\"$cur\")\n}\ncomplete -F _parleyctl parleyctl\n");
}

/* ---- finding ---------------------------------------------------------------- */

const struct command *
command_find(const struct line *l, int *used_r)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const char *space = strchr(commands[i].words, ' ');
		size_t len = space != NULL
		    ? (size_t)(space - commands[i].words)
		    : strlen(commands[i].words);

		if (l->count > 0 && strlen(l->words[0]) == len &&
		    memcmp(l->words[0], commands[i].words, len) == 0 &&
		    (space == NULL || (l->count > 1 &&
		    strcmp(l->words[1], space + 1) == 0))) {
			*used_r = space != NULL ? 2 : 1;
			return &commands[i];
		}
	}
	return NULL;
}

enum ctl_exit
command_check(const struct command *c, int count)
{
	if (count < c->min || count > c->max) {
		return ctl_fail(CTL_USAGE, "usage: parleyctl %s %s", c->words,
		    c->synopsis);
	}
	for (int i = 0; args_option_at(i) != NULL; i++) {
		if (!takes(c, args_option_at(i))) {
			return ctl_fail(CTL_USAGE, "%s takes no --%s: "
			    "parleyctl %s --help", c->words,
			    args_option_at(i), c->words);
		}
	}
	return CTL_OK;
}
