/*
 * Arguments: the words of a command, its options, and settings, in any order.
 *
 *   parleyctl [SETTINGS] COMMAND [SUBCOMMAND] ARGUMENTS [OPTIONS]
 *
 * Settings are those of every process (common/config.h): flags, PARLEY_...,
 * --config. The table of commands below is also the help and the completion.
 *
 * SPDX-License-Identifier: MIT
 */
#include <pwd.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "chatd/parleyctl/call.h"
#include "chatd/parleyctl/ctl.h"
#include "common/config.h"
#include "common/config_value.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/rpc_links.h"

#define WORDS_MAX 8
#define OPTIONS_MAX 16

struct ctl_settings ctl_settings;

static const struct config_row settings_rows[] = {
	{ "chatd", CONFIG_TEXT, &ctl_settings.chatd,
	    "ipc:///run/parley/chatd-1.sock", 0, 0, CONFIG_REQUIRED,
	    "addresses of chatds, comma-separated: one that answers is enough" },
	RPC_LINK_ROWS,
	{ "timeout", CONFIG_MS, &ctl_settings.timeout, "10s", 100, 600000, 0,
	    "longest wait for an answer" },
	{ "processes", CONFIG_TEXT, &ctl_settings.processes,
	    "gateway=127.0.0.1:9100,chatd=127.0.0.1:9110,"
	    "presenced=127.0.0.1:9103", 0, 0, 0,
	    "admin ports (admin_listen) of all processes, for status and "
	    "doctor: name=host:port, comma-separated" },
	{ "database_url", CONFIG_TEXT, &ctl_settings.database_url, NULL, 0, 0,
	    CONFIG_SECRET, "PostgreSQL, for migrate, retention and doctor: "
	    "chatd's setting of this name" },
	{ "migrate_url", CONFIG_TEXT, &ctl_settings.migrate_url, NULL, 0, 0,
	    CONFIG_SECRET, "the same as the role that owns the schema, for "
	    "migrate run; empty: database_url" },
	{ "media_dir", CONFIG_TEXT, &ctl_settings.media_dir, NULL, 0, 0, 0,
	    "the gateways' directory of uploads, for retention media" },
	{ "log_level", CONFIG_TEXT, &ctl_settings.log_level, "error", 0, 0, 0,
	    "what is told of the links: error, warn, info" },
	CONFIG_END,
};

/* ---- the tables ------------------------------------------------------------ */

struct option {
	const char *name;
	const char *value;   /* what it takes; NULL: nothing */
	const char *meaning;
};

static const struct option options[] = {
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
};

struct command {
	const char *words;    /* "user create" */
	const char *synopsis; /* its arguments */
	int min, max;         /* how many */
	const char *options;  /* names, separated by spaces */
	ctl_command_fn *fn;
	const char *meaning;
};

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

/* ---- telling --------------------------------------------------------------- */

enum ctl_exit
ctl_fail(enum ctl_exit status, const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("parleyctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return status;
}

void
ctl_note(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

bool
ctl_confirm(const char *word, const char *fmt, ...)
{
	char line[256];
	va_list ap;

	if (ctl_flag("yes")) {
		return true;
	}
	if (!isatty(STDIN_FILENO)) {
		(void)ctl_fail(CTL_UNCONFIRMED, "nothing was done: this needs "
		    "--yes where nobody can be asked");
		return false;
	}
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fprintf(stderr, "\nType \"%s\" to go on: ", word);
	if (fgets(line, sizeof(line), stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, word) == 0) {
			return true;
		}
	}
	(void)ctl_fail(CTL_UNCONFIRMED, "nothing was done");
	return false;
}

const char *
ctl_operator(void)
{
	const struct passwd *me = getpwuid(getuid());
	const char *sudo = getenv("SUDO_USER");
	static char text[160];
	char host[65] = "?";

	(void)gethostname(host, sizeof(host) - 1);
	if (sudo != NULL && *sudo != '\0') {
		snprintf(text, sizeof(text), "%.60s as %.30s@%s", sudo,
		    me != NULL ? me->pw_name : "?", host);
	} else {
		snprintf(text, sizeof(text), "%.60s@%s",
		    me != NULL ? me->pw_name : "?", host);
	}
	return text;
}

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

static void
print_commands(void)
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
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
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

static void
print_command(const struct command *c)
{
	printf("Usage: parleyctl %s %s\n\n%s.\n", c->words, c->synopsis,
	    c->meaning);
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (takes(c, options[i].name)) {
			printf("  --%s%s%s\n      %s\n", options[i].name,
			    options[i].value != NULL ? " " : "",
			    options[i].value != NULL ? options[i].value : "",
			    options[i].meaning);
		}
	}
}

/* The words as far as they are typed decide what may follow. */
static void
print_completion(void)
{
	printf("_parleyctl() {\n\tlocal cur=${COMP_WORDS[COMP_CWORD]} words\n"
	    "\twords=\"${COMP_WORDS[*]:1:COMP_CWORD-1}\"\n"
	    "\tcase \"$words\" in\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		printf("\t\"%s\"*) words=\"", commands[i].words);
		for (size_t o = 0; o < ARRAY_LEN(options); o++) {
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

/* ---- arguments ------------------------------------------------------------- */

struct line {
	const char *words[WORDS_MAX]; /* all that is no option */
	int count;
	char **settings;              /* for config_load; owned */
	int settings_count;
};

static const struct option *
find_option(const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
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

static enum ctl_exit
take_arguments(struct line *l, int argc, char **argv)
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

static bool
has_setting(const struct line *l, const char *flag)
{
	for (int i = 1; i < l->settings_count; i++) {
		if (strcmp(l->settings[i], flag) == 0) {
			return true;
		}
	}
	return false;
}

/* The command whose words begin the line; how many these are. */
static const struct command *
find_command(const struct line *l, int *used_r)
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

static enum ctl_exit
check_command(const struct command *c, int count)
{
	if (count < c->min || count > c->max) {
		return ctl_fail(CTL_USAGE, "usage: parleyctl %s %s", c->words,
		    c->synopsis);
	}
	for (int i = 0; i < given_count; i++) {
		if (!takes(c, given[i].option->name)) {
			return ctl_fail(CTL_USAGE, "%s takes no --%s: "
			    "parleyctl %s --help", c->words,
			    given[i].option->name, c->words);
		}
	}
	return CTL_OK;
}

/* ---- running --------------------------------------------------------------- */

static enum ctl_exit
start_log(void)
{
	static const char *const names[] = { "error", "warn", "info" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(names[i], ctl_settings.log_level) == 0) {
			return log_init("parleyctl", (enum log_level)i, NULL) ?
			    CTL_OK : CTL_FAILED;
		}
	}
	return ctl_fail(CTL_USAGE, "setting log_level=%s: none of error, "
	    "warn, info", ctl_settings.log_level);
}

static enum ctl_exit
run(struct line *l, const struct command *c, int used)
{
	static const struct config_row *const tables[] = { settings_rows,
		NULL };
	const struct ctl_args args = { l->words + used, l->count - used };
	enum ctl_exit status;

	switch (config_load("parleyctl", "administers a Parley installation",
	    PARLEY_VERSION, tables, l->settings_count, l->settings)) {
	case CONFIG_RUN:
		break;
	case CONFIG_DONE:
	case CONFIG_CHECKED:
		return CTL_OK;
	case CONFIG_FAILED:
		return CTL_USAGE;
	}
	if (c == NULL) {
		return ctl_fail(CTL_USAGE, "no such command: parleyctl --help");
	}
	status = check_command(c, args.count);
	if (status == CTL_OK) {
		status = start_log();
	}
	if (status == CTL_OK) {
		status = c->fn(&args);
		call_end();
	}
	if (fflush(stdout) != 0 && status == CTL_OK) {
		status = ctl_fail(CTL_FAILED, "cannot write the output");
	}
	return status;
}

static enum ctl_exit
dispatch(struct line *l)
{
	const struct command *c;
	int used = 0;

	c = find_command(l, &used);
	if (has_setting(l, "--help") && c != NULL) {
		print_command(c);
		return CTL_OK;
	}
	if (l->count == 0 && l->settings_count == 1) {
		print_commands();
		return CTL_USAGE;
	}
	if (l->count == 0 && has_setting(l, "--help")) {
		print_commands();
		return CTL_OK;
	}
	if (l->count == 1 && strcmp(l->words[0], "completion") == 0) {
		print_completion();
		return CTL_OK;
	}
	return run(l, c, used);
}

int
main(int argc, char **argv)
{
	struct line l = { .count = 0 };
	enum ctl_exit status;

	signal(SIGPIPE, SIG_IGN);
	if (sodium_init() < 0) {
		return ctl_fail(CTL_FAILED, "the system gives no random "
		    "numbers");
	}
	status = take_arguments(&l, argc, argv);
	if (status == CTL_OK) {
		status = dispatch(&l);
	}
	free(l.settings);
	uv_library_shutdown();
	config_free();
	log_fini();
	return (int)status;
}
