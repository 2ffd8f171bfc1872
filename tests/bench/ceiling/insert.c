/*
 * Bare durable inserts: rows like those of messages, in arrays, a commit a
 * batch, the next batch sent as soon as one is answered. No membership, no
 * order, no repeats, no receipts.
 *
 * SPDX-License-Identifier: MIT
 */
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/ceiling/ceiling.h"
#include "common/mem.h"

static const char table_sql[] =
    "DROP TABLE IF EXISTS bench_rows;"
    "CREATE TABLE bench_rows (chat_id uuid, seq bigint, id uuid PRIMARY KEY, "
    "sender_id uuid, front_msg_id uuid, content text, created_at timestamptz, "
    "UNIQUE (sender_id, front_msg_id));";

static const char insert_sql[] =
    "INSERT INTO bench_rows SELECT gen_random_uuid(), i, gen_random_uuid(), "
    "gen_random_uuid(), gen_random_uuid(), repeat('x', 100), now() "
    "FROM generate_series(1, $1::int) i";

static void
fail(PGconn *db)
{
	fprintf(stderr, "parley-ceiling: the database refused: %s",
	    PQerrorMessage(db));
	exit(1);
}

static PGconn *
open_link(const char *conninfo)
{
	PGconn *db = PQconnectdb(conninfo);
	PGresult *r;

	if (PQstatus(db) != CONNECTION_OK) {
		fail(db);
	}
	r = PQexec(db, "SET client_min_messages = error");
	PQclear(r);
	r = PQprepare(db, "insert", insert_sql, 1, NULL);
	PQclear(r);
	return db;
}

static void
send_batch(PGconn *db, const char *count)
{
	const char *values[] = { count };

	if (PQsendQueryPrepared(db, "insert", 1, values, NULL, NULL, 0) != 1) {
		fail(db);
	}
	PQflush(db);
}

/* Whether a batch was answered. */
static int
take_answer(PGconn *db)
{
	int answered = 0;
	PGresult *r;

	if (PQconsumeInput(db) != 1) {
		fail(db);
	}
	while (PQisBusy(db) == 0 && (r = PQgetResult(db)) != NULL) {
		if (PQresultStatus(r) != PGRES_COMMAND_OK) {
			fail(db);
		}
		answered = 1;
		PQclear(r);
	}
	return answered;
}

double
ceiling_insert(double seconds, const char *conninfo, uint32_t batch,
    uint32_t links)
{
	PGconn **dbs = mem_zalloc(links * sizeof(PGconn *));
	struct pollfd *fds = mem_zalloc(links * sizeof(*fds));
	PGconn *maker = PQconnectdb(conninfo);
	uint64_t rows = 0;
	double began, took;
	char count[16];

	if (PQstatus(maker) != CONNECTION_OK) {
		fail(maker);
	}
	PQclear(PQexec(maker, "SET client_min_messages = error"));
	PQclear(PQexec(maker, table_sql));
	snprintf(count, sizeof(count), "%u", batch);
	for (uint32_t i = 0; i < links; i++) {
		dbs[i] = open_link(conninfo);
		fds[i] = (struct pollfd){ PQsocket(dbs[i]), POLLIN, 0 };
		send_batch(dbs[i], count);
	}
	began = ceiling_now();
	do {
		poll(fds, links, 1000);
		for (uint32_t i = 0; i < links; i++) {
			if (fds[i].revents != 0 && take_answer(dbs[i])) {
				rows += batch;
				send_batch(dbs[i], count);
			}
		}
		took = ceiling_now() - began;
	} while (took < seconds);
	for (uint32_t i = 0; i < links; i++) {
		PQfinish(dbs[i]);
	}
	PQclear(PQexec(maker, "DROP TABLE bench_rows"));
	PQfinish(maker);
	free(dbs);
	free(fds);
	return (double)rows / took;
}
