/*
 * The command line.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/parleyctl/args.h"

#include <string.h>

#include "common/config.h"
#include "common/config_value.h"
#include "common/mem.h"

const struct option options[] = {
	{ "json", NULL, "print JSON" },
	{ "yes", NULL, "do not ask for confirmation" },
	{ "name", "TEXT", "what others see (default: the username)" },
	{ "email", "ADDRESS", "email address" },
	{ "generate", NULL, "make a password and print it" },
	{ "keep-sessions", NULL, "leave the person logged in elsewhere" },
	{ "disabled", NULL, "disabled accounts alone" },
	{ "limit", "N", "at most so many (100)" },
	{ "output", "FILE", "write there (a new file, mode 0600)" },
	{ "conversations", NULL, "also what others wrote in the person's "
	    "chats" },
	{ "all", NULL, "all sessions" },
	{ "older-than", "TIME", "what is older: 365d, 12h" },
	{ "dry-run", NULL, "only say what would go" },
	{ "batch", "N", "messages of one transaction (500)" },
	{ "names", "FILE", "names of stored files, one a line, instead of "
	    "media_dir; nothing is removed (- is standard input)" },
	{ NULL, NULL, NULL },
};

/* ---- what was given -------------------------------------------------------- */

static struct {
	const struct option *option;
	const char *value;
} given[OPTIONS_MAX];
static int given_count;

const char *
ctl_option(const char *name)
{
	for (int i = 0; i < given_count; i++) {
		if (strcmp(given[i].option->name, name) == 0) {
			return given[i].value;
		}
	}
	return NULL;
}

bool
ctl_flag(const char *name)
{
	return ctl_option(name) != NULL;
}

bool
ctl_option_int(const char *name, int64_t def, int64_t min, int64_t max,
    int64_t *value_r)
{
	const struct config_row row = { name, CONFIG_INT, NULL, NULL, min, max,
		0, "" };
	const char *text = ctl_option(name);
	struct config_value value;
	char why[CONFIG_WHY_LEN];

	*value_r = def;
	if (text == NULL) {
		return true;
	}
	if (!config_value_parse(&row, text, &value, why)) {
		(void)ctl_fail(CTL_USAGE, "--%s=%s: %s", name, text, why);
		return false;
	}
	*value_r = value.number;
	return true;
}

bool
ctl_option_ms(const char *name, int64_t min, int64_t *value_r)
{
	const struct config_row row = { name, CONFIG_MS, NULL, NULL, min,
		INT64_C(100) * 365 * 86400000, 0, "" };
	const char *text = ctl_option(name);
	struct config_value value;
	char why[CONFIG_WHY_LEN];

	if (!config_value_parse(&row, text, &value, why)) {
		(void)ctl_fail(CTL_USAGE, "--%s=%s: %s", name, text, why);
		return false;
	}
	*value_r = value.number;
	return true;
}

const char *
args_option_at(int i)
{
	return i < given_count ? given[i].option->name : NULL;
}

/* ---- taking it apart ------------------------------------------------------- */

static const struct option *
find_option(const char *text, size_t len)
{
	for (size_t i = 0; options[i].name != NULL; i++) {
		if (strlen(options[i].name) == len &&
		    memcmp(options[i].name, text, len) == 0) {
			return &options[i];
		}
	}
	return NULL;
}

/* Whether the flag of a setting is followed by its value as a word. */
static bool
setting_takes_word(const char *flag)
{
	char name[64];
	size_t n = 0;

	if (strchr(flag, '=') != NULL || strcmp(flag, "--check-config") == 0 ||
	    strcmp(flag, "--print-config") == 0 ||
	    strcmp(flag, "--help") == 0 || strcmp(flag, "--version") == 0) {
		return false;
	}
	for (const char *p = flag + 2; *p != '\0' && n < sizeof(name) - 1;
	    p++) {
		name[n++] = *p == '-' ? '_' : *p;
	}
	name[n] = '\0';
	for (const struct config_row *r = settings_rows; r->key != NULL; r++) {
		if (strcmp(r->key, name) == 0) {
			return r->kind != CONFIG_BOOL;
		}
	}
	return strcmp(name, "config") == 0 ||
	    (n > 5 && strcmp(name + n - 5, "_file") == 0);
}

static enum ctl_exit
take_option(const struct option *o, const char *value)
{
	if (o->value == NULL && value != NULL) {
		return ctl_fail(CTL_USAGE, "--%s takes no value", o->name);
	}
	if (o->value != NULL && value == NULL) {
		return ctl_fail(CTL_USAGE, "--%s needs a value: --%s %s",
		    o->name, o->name, o->value);
	}
	if (given_count == OPTIONS_MAX) {
		return ctl_fail(CTL_USAGE, "too many options");
	}
	given[given_count].option = o;
	given[given_count++].value = value != NULL ? value : "";
	return CTL_OK;
}

enum ctl_exit
args_take(struct line *l, int argc, char **argv)
{
	l->settings = mem_zalloc(((size_t)argc + 1) * sizeof(*l->settings));
	l->settings[l->settings_count++] = argv[0];
	for (int i = 1; i < argc; i++) {
		const struct option *o;
		enum ctl_exit status;
		size_t len;

		if (strncmp(argv[i], "--", 2) != 0) {
			if (l->count == WORDS_MAX) {
				return ctl_fail(CTL_USAGE,
				    "too many arguments");
			}
			l->words[l->count++] = argv[i];
			continue;
		}
		len = strcspn(argv[i] + 2, "=");
		o = find_option(argv[i] + 2, len);
		if (o == NULL) {
			bool two = setting_takes_word(argv[i]) &&
			    i + 1 < argc;

			l->settings[l->settings_count++] = argv[i];
			if (two) {
				l->settings[l->settings_count++] = argv[++i];
			}
			continue;
		}
		if (argv[i][2 + len] == '=') {
			status = take_option(o, argv[i] + 3 + len);
		} else {
			status = take_option(o, o->value != NULL &&
			    i + 1 < argc ? argv[++i] : NULL);
		}
		if (status != CTL_OK) {
			return status;
		}
	}
	return CTL_OK;
}

bool
args_has_setting(const struct line *l, const char *flag)
{
	for (int i = 1; i < l->settings_count; i++) {
		if (strcmp(l->settings[i], flag) == 0) {
			return true;
		}
	}
	return false;
}
