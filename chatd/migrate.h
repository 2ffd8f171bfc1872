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

/* The oldest programs, by their newest migration, that the schema serves. A
 * migration applied without saying so serves those that know it. */
#define MIGRATE_WORKS_WITH \
	"SELECT max(coalesce((to_jsonb(s) ->> 'works_with')::integer, version))" \
	" FROM schema_migrations s"

/* The newest migration this program knows. */
int migrate_newest(void);
/* Brings the database behind `url` to this program's version; one that is newer
 * is left as it is. False (and a log_error naming cause and remedy) when it
 * cannot, or when the database no longer serves this program. */
MUST_CHECK bool migrate_run(const char *url);
/* Only checks that the version serves. */
MUST_CHECK bool migrate_check(const char *url);

#endif
