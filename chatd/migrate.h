/*
 * The schema's numbered migrations (chatd/sql/migrations, embedded at build
 * time), applied forward only, each in its transaction, under an advisory lock,
 * so that any number of chatds may start at once. Blocks, before the loop runs,
 * and as long as the server is away: SIGTERM then ends the process with status 0.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_MIGRATE_H
#define CHATD_MIGRATE_H

#include <stdbool.h>

#include "common/attr.h"

/* Brings the database behind `url` to this program's version. False (and a
 * log_error naming cause and remedy) when it cannot, or when the database is
 * newer than this program. */
MUST_CHECK bool migrate_run(const char *url);
/* Only checks that the version is right. */
MUST_CHECK bool migrate_check(const char *url);

#endif
