/*
 * The table of commands, which is also the help and the completion.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_PARLEYCTL_COMMANDS_H
#define CHATD_PARLEYCTL_COMMANDS_H

#include "chatd/parleyctl/args.h"

struct command {
	const char *words;    /* "user create" */
	const char *synopsis; /* its arguments */
	int min, max;         /* how many */
	const char *options;  /* names, separated by spaces */
	ctl_command_fn *fn;
	const char *meaning;
};

/* The command whose words begin the line; *used_r: how many these are. */
const struct command *command_find(const struct line *l, int *used_r);
/* Whether it takes so many words and the options that were given. */
MUST_CHECK enum ctl_exit command_check(const struct command *c, int count);

void commands_print(void);
void command_print(const struct command *c);
void completion_print(void);

#endif
