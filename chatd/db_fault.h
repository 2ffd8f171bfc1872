/*
 * What PostgreSQL's error codes (SQLSTATE) mean to whoever sent a transaction:
 * whether it passes by itself, whether the connection is of any more use, and what
 * an operator can do. Pure; private to the database layer.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_DB_FAULT_H
#define CHATD_DB_FAULT_H

#include <stdbool.h>

/* The transaction was rolled back for another's sake: the same again may well
 * succeed (serialization failure, deadlock, lock timeout). */
bool db_fault_passes(const char *sqlstate);
/* This session is of no more use: the server stops, or takes no writes since it
 * turned into a standby. */
bool db_fault_ends_link(const char *sqlstate);
/* What to do about it; never NULL. */
const char *db_fault_remedy(const char *sqlstate);

#endif
