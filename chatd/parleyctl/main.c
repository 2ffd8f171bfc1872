/*
 * parleyctl: settings, and on to the command.
 *
 *   parleyctl [SETTINGS] COMMAND [SUBCOMMAND] ARGUMENTS [OPTIONS]
 *
 * Settings are those of every process (common/config.h): flags, PARLEY_...,
 * --config.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "chatd/parleyctl/call.h"
#include "chatd/parleyctl/commands.h"
#include "common/config.h"
#include "common/log.h"
#include "common/rpc_links.h"

struct ctl_settings ctl_settings;

const struct config_row settings_rows[] = {
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

/* ---- running --------------------------------------------------------------- */

/* Closing the links should take no time at all. */
#define END_SECONDS 3

static volatile sig_atomic_t end_status;

/* Signal handler. */
static void
on_end_stuck(int number UNUSED)
{
	_exit(end_status);
}

/* All is done and said; NNG's threads have been seen not to let go. */
static void
end_links(enum ctl_exit status)
{
	fflush(stdout);
	end_status = (sig_atomic_t)status;
	signal(SIGALRM, on_end_stuck);
	alarm(END_SECONDS);
	call_end();
	alarm(0);
}

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
	status = command_check(c, args.count);
	if (status == CTL_OK) {
		status = start_log();
	}
	if (status == CTL_OK) {
		status = c->fn(&args);
	}
	if ((fflush(stdout) != 0 || ferror(stdout)) && status == CTL_OK) {
		status = ctl_fail(CTL_FAILED, "cannot write the output");
	}
	end_links(status);
	return status;
}

static enum ctl_exit
dispatch(struct line *l)
{
	const struct command *c;
	int used = 0;

	c = command_find(l, &used);
	if (args_has_setting(l, "--help") && c != NULL) {
		command_print(c);
		return CTL_OK;
	}
	if (l->count == 0 && l->settings_count == 1) {
		commands_print();
		return CTL_USAGE;
	}
	if (l->count == 0 && args_has_setting(l, "--help")) {
		commands_print();
		return CTL_OK;
	}
	if (l->count == 1 && strcmp(l->words[0], "completion") == 0) {
		completion_print();
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
	status = args_take(&l, argc, argv);
	if (status == CTL_OK) {
		status = dispatch(&l);
	}
	free(l.settings);
	uv_library_shutdown();
	config_free();
	log_fini();
	return (int)status;
}
