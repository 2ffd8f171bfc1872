/*
 * The command line, taken apart: the words of a command, options, and settings,
 * which config_load reads. Words, options and settings may stand in any order.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_PARLEYCTL_ARGS_H
#define CHATD_PARLEYCTL_ARGS_H

#include "chatd/parleyctl/ctl.h"
#include "common/config.h"

#define WORDS_MAX 8
#define OPTIONS_MAX 16

struct option {
	const char *name;
	const char *value;   /* what it takes; NULL: nothing */
	const char *meaning;
};

/* All there are, ended by one without a name. */
extern const struct option options[];

struct line {
	const char *words[WORDS_MAX]; /* all that is no option */
	int count;
	char **settings;              /* for config_load; owned */
	int settings_count;
};

/* ctl_option() and the like know the options afterwards. */
MUST_CHECK enum ctl_exit args_take(struct line *l, int argc, char **argv);
/* Whether the flag, one of settings, was given. */
bool args_has_setting(const struct line *l, const char *flag);
/* The i-th option that was given; NULL past the end. */
const char *args_option_at(int i);

/* The table of settings, of main.c. */
extern const struct config_row settings_rows[];

#endif
