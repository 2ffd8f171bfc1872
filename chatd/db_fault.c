/*
 * The codes are those of PostgreSQL's manual, appendix A. The first
 * prefix that fits counts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chatd/db_fault.h"

#include <stddef.h>
#include <string.h>

static const struct {
	const char *prefix;
	bool passes;
	bool ends_link;
	const char *remedy;
} faults[] = {
	{ "40001", true, false, "none needed: it is repeated" },
	{ "40P01", true, false, "none needed: it is repeated" },
	{ "55P03", true, false, "look in pg_locks for who holds a lock so long" },
	{ "57014", false, false, "look for what slows the database down" },
	{ "25006", false, true, "let database_url lead to the primary" },
	{ "26000", false, true, "let no pooler take a session's statements away" },
	{ "57P", false, true, "none needed: it is connected anew" },
	{ "08", false, true, "none needed: it is connected anew" },
	{ "53100", false, false, "free its disk" },
	{ "53200", false, false,
		"give PostgreSQL more memory, or raise "
		"max_locks_per_transaction" },
	{ "53300", false, false,
		"raise max_connections, or lower database_connections" },
	{ "42501", false, false, "grant chatd's role its rights (--migrate-only)" },
	{ "42P01", false, false, "run chatd --migrate-only" },
	{ "XX", false, false, "look into PostgreSQL's log: data may be damaged" },
	{ "58", false, false, "look into PostgreSQL's log and its disk" },
};

static size_t
find(const char *sqlstate)
{
	size_t i = 0;

	while (i < sizeof(faults) / sizeof(faults[0]) &&
	    strncmp(sqlstate, faults[i].prefix,
	    strlen(faults[i].prefix)) != 0) {
		i++;
	}
	return i;
}

bool
db_fault_passes(const char *sqlstate)
{
	size_t i = find(sqlstate);

	return i < sizeof(faults) / sizeof(faults[0]) && faults[i].passes;
}

bool
db_fault_ends_link(const char *sqlstate)
{
	size_t i = find(sqlstate);

	return i < sizeof(faults) / sizeof(faults[0]) && faults[i].ends_link;
}

const char *
db_fault_remedy(const char *sqlstate)
{
	size_t i = find(sqlstate);

	return i < sizeof(faults) / sizeof(faults[0]) ? faults[i].remedy :
	    "look into PostgreSQL's log";
}
