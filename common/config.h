/*
 * Settings: one table a process. Every row can be given as flag
 * (`--redis-url=X` or `--redis-url X`), as environment variable
 * (`PARLEY_REDIS_URL`) and as key in the file named by `--config`
 * (`redis_url = X`, one a line, `#` comments). Flags win over the environment,
 * the environment over the file, the file over the default. Unknown flags and
 * file keys, and values out of range, refuse to start. A secret (a row marked
 * CONFIG_SECRET) is masked wherever settings are printed, and refused as a flag;
 * it may stand in a file that `redis_url_file` names, or in one called
 * `redis_url` in $CREDENTIALS_DIRECTORY (stronger than the config file, weaker
 * than the environment). Values are never written to the log.
 *
 * Main thread. String targets are owned by the table (config_free releases
 * them) and start as NULL.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

enum config_kind {
	CONFIG_TEXT,     /* char * */
	CONFIG_INT,      /* int64_t; min..max */
	CONFIG_MS,       /* int64_t; "250ms", "5s", "2m", "1h", "30d", or plain
	                  * milliseconds; min..max in ms */
	CONFIG_BYTES,    /* int64_t; "64k", "20M", "1G" or plain bytes */
	CONFIG_BOOL,     /* bool; on/off, yes/no, true/false, 1/0 */
	CONFIG_RATE,     /* struct rate; "50/s burst 500", "10/5m", "off";
	                  * count and burst within min..max */
};

enum config_flags {
	CONFIG_REQUIRED = 1, /* no value: refuses to start */
	CONFIG_SECRET = 2,   /* TEXT that is masked and no flag, see above */
	CONFIG_RELOAD = 4,   /* SIGHUP takes a changed value of the file */
};

struct config_row {
	const char *key;     /* snake_case */
	enum config_kind kind;
	void *target;        /* borrowed; written by config_load */
	const char *def;     /* default as text; NULL: none */
	int64_t min;         /* numbers only; min == max == 0: no bounds */
	int64_t max;
	unsigned flags;
	const char *meaning; /* one line, for --help */
};

#define CONFIG_END { NULL, CONFIG_TEXT, NULL, NULL, 0, 0, 0, NULL }

enum config_action {
	CONFIG_RUN,     /* settings are good: start */
	CONFIG_DONE,    /* --help, --version, --print-config answered: exit 0 */
	CONFIG_CHECKED, /* --check-config and all is well: exit 0 */
	CONFIG_FAILED,  /* a one-line error was printed to stderr: exit 2 */
};

/* Loads all rows of `tables` (a NULL-terminated array of CONFIG_END-terminated
 * tables) from argv, environment and file. Prints what --help, --version,
 * --print-config and errors ask for. */
MUST_CHECK enum config_action config_load(const char *process,
    const char *summary, const char *version,
    const struct config_row *const *tables, int argc, char **argv);

/* Reads the file again and applies changed CONFIG_RELOAD rows. False (and a log
 * line) when the file is bad; then nothing changed. */
MUST_CHECK bool config_reload(void);

/* What is odd about the settings in force, one line for the log; NULL: nothing.
 * Borrowed until the next call. */
const char *config_warning(void);

/* Writes the value of each row, secrets masked, as config file lines to
 * stdout. */
void config_print(void);

void config_free(void);

#endif
