/*
 * The sources of settings, weakest first: defaults, the file, credentials, the
 * environment, flags, and behind them the files that `<key>_file` names. Each
 * sets the texts of a table's entries. For config.c alone.
 *
 * A take that fails has kept the reason for config_error().
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COMMON_CONFIG_SOURCE_H
#define COMMON_CONFIG_SOURCE_H

#include "common/attr.h"
#include "common/config_table.h"

/* Keeps the message, one line whatever is in it; always false, for
 * `return config_fail(...)`. */
bool config_fail(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* The last message. */
const char *config_error(void);

/* NULL: no setting of that name. */
struct config_entry *config_find(struct config_table *t, const char *key,
    size_t len);
/* `text` is copied; NULL: no value. */
void config_set_text(struct config_entry *e, const char *text,
    enum config_source source, int line);

void config_take_defaults(struct config_table *t);
/* The file t->path. */
MUST_CHECK bool config_take_file(struct config_table *t);
MUST_CHECK bool config_take_credentials(struct config_table *t);
void config_take_environment(struct config_table *t);
MUST_CHECK bool config_take_flags(struct config_table *t, int argc,
    char **argv);
/* Last: secrets whose file is named, where nothing stronger gives them. */
MUST_CHECK bool config_take_secret_files(struct config_table *t);

#endif
