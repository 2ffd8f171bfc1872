/*
 * A plain connection, made and used while nothing else runs: for migrations at
 * start. Blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_DB_CONNECT_H
#define CHATD_DB_CONNECT_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

/* NULL, and one line in `error` that names host and cause but no secret. */
MUST_CHECK PGconn *db_connect_plain(const char *url, char *error,
    size_t error_len);
/* Whether no server answers there, or one that is starting or stopping: what
 * passes by itself, as a wrong password or database does not. */
MUST_CHECK bool db_is_away(const char *url);
/* The first line of a libpq message, without its newline. */
void db_first_line(const char *message, char *line, size_t len);

#endif
