/*
 * The database as migrate, retention and doctor reach it: one plain connection,
 * one statement at a time, waited for.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef CHATD_PARLEYCTL_SQL_H
#define CHATD_PARLEYCTL_SQL_H

#include <libpq-fe.h>

#include "chatd/parleyctl/ctl.h"

#define SQL_PARAMS_MAX 6

/* database_url. NULL: *status_r says why not, and it has been told. The caller
 * PQfinishes it. */
MUST_CHECK PGconn *sql_open(enum ctl_exit *status_r);
/* Texts; rows, or none for a command. NULL: refused; what was wrong stays at
 * the connection for sql_fail. The caller PQclears it. */
MUST_CHECK PGresult *sql_ask(PGconn *conn, const char *statement, int n,
    const char *const *values);
MUST_CHECK bool sql_do(PGconn *conn, const char *statement);
/* Whether what went wrong last passes when it is tried again: a lock not given
 * in time, a deadlock, a conflict. */
bool sql_may_repeat(const PGconn *conn);
/* Tells what went wrong last. */
enum ctl_exit sql_fail(PGconn *conn, const char *what);
/* The first column of the first row; `def` where there is none. */
int64_t sql_number(const PGresult *res, int column, int64_t def);

#endif
