/*
 * The schema's numbered migrations (chatd/sql/migrations, embedded at build
 * time), applied forward only, each in its transaction, under an advisory lock,
 * so that any number of chatds may start at once. Blocks, before the loop runs,
 * and as long as the server is away: a SIGTERM then ends the process.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_MIGRATE_H
#define CHATD_MIGRATE_H

#include <stdbool.h>

#include "common/attr.h"

/* The oldest programs, by their newest migration, that the schema serves. A
 * migration applied without saying so serves those that know it. */
#define MIGRATE_WORKS_WITH \
	"SELECT max(coalesce((to_jsonb(s) ->> 'works_with')::integer, version))" \
	" FROM schema_migrations s"

/* As a shell says of who was ended by SIGTERM. */
#define MIGRATE_STOPPED (128 + 15)

/* The newest migration this program knows. */
int migrate_newest(void);
/* Brings the database behind `url` to this program's version; one that is newer
 * is left as it is. False (and a log_error naming cause and remedy) when it
 * cannot, or when the database no longer serves this program. `stopped` is the
 * status of a process that is told to end meanwhile: MIGRATE_STOPPED where it was
 * started for this alone and a script must not go on behind it, 0 for a service. */
MUST_CHECK bool migrate_run(const char *url, int stopped);
/* Only checks that the version serves; a process told to end has status 0. */
MUST_CHECK bool migrate_check(const char *url);

#endif
