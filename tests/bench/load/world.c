/*
 * Writes the people and chats of a load test with a few statements over
 * generate_series.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench/load/world.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/buf.h"

/* In the statements: w is the world as 8 hexadecimal digits. */
#define USER_ID(n) "(w || '-0001-7000-8000-' || lpad(to_hex(" n "), 12, '0'))"
#define PAIR_ID(n) "(w || '-0002-7000-8000-' || lpad(to_hex(" n "), 12, '0'))"
#define PAIRS_OF(n) "BETWEEN (" n " || '-0002-7000-8000-000000000000')::uuid " \
	"AND (" n " || '-0002-7000-8000-ffffffffffff')::uuid"
#define GROUP_ID "(w || '-0004-7000-8000-000000000000')"

static const char users_sql[] =
    "INSERT INTO users (id, username, name, email, password_hash) "
    "SELECT " USER_ID("i") "::uuid, 'b' || w || '_' || i, 'Bench ' || i, "
    "'b' || w || '_' || i || '@bench.test', '' "
    "FROM (SELECT $1::text AS w, generate_series(0, $2::int - 1) AS i) s";

static const char tokens_sql[] =
    "INSERT INTO tokens (id, hash, user_id, expires_at) "
    "SELECT gen_random_uuid(), sha256(convert_to(rpad('b' || w || '_' || "
    "lpad(to_hex(i), 8, '0'), 43, 'x'), 'UTF8')), " USER_ID("i") "::uuid, "
    "now() + interval '30 days' "
    "FROM (SELECT $1::text AS w, generate_series(0, $2::int - 1) AS i) s";

/* Every private chat as (id, a, b): chats_each 1 makes pairs, more a ring. */
#define EDGES \
    "SELECT DISTINCT ON (least(a, b), greatest(a, b)) w, id, " \
    "least(a, b) AS a, greatest(a, b) AS b FROM (" \
    "SELECT w, " PAIR_ID("i * 256::bigint + d") "::uuid AS id, i AS a, " \
    "CASE WHEN $3::int = 1 THEN (i + 1) % $2::int " \
    "ELSE (i + d) % $2::int END AS b " \
    "FROM (SELECT $1::text AS w, generate_series(0, $2::int - 1) AS i) u, " \
    "generate_series(CASE WHEN $3::int = 1 THEN 0 ELSE 1 END, $3::int / 2) d " \
    "WHERE CASE WHEN $3::int = 1 THEN i % 2 = 0 " \
    "ELSE i < $5::int OR (i + d) % $2::int < $5::int END) e " \
    "ORDER BY least(a, b), greatest(a, b), id"

static const char chats_sql[] =
    "INSERT INTO chats (id, kind, private_key, last_seq, announced_seq, "
    "last_message_at) "
    "SELECT id, 0, " USER_ID("a") " || ':' || " USER_ID("b") ", $4::bigint, "
    "$4::bigint, CASE WHEN $4::bigint > 0 THEN now() END FROM (" EDGES ") x "
    "ON CONFLICT DO NOTHING";

static const char members_sql[] =
    "INSERT INTO members (chat_id, user_id, delivered_seq, read_seq) "
    "SELECT c.id, u::uuid, c.last_seq, c.last_seq FROM chats c, "
    "unnest(string_to_array(c.private_key, ':')) u "
    "WHERE c.id " PAIRS_OF("$1::text");

/* In the order of time over all chats, their ids with them (UUIDv7): as use
 * leaves them, a chat's messages lie scattered over the table. */
static const char messages_sql[] =
    "INSERT INTO messages (chat_id, seq, id, sender_id, front_msg_id, format, "
    "content, created_at) "
    "SELECT chat_id, q, (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), "
    "12, '0') || '7' || substr(gen_random_uuid()::text, 16, 3) || '8' || "
    "substr(replace(gen_random_uuid()::text, '-', ''), 18))::uuid, "
    "users[1 + (q + get_byte(uuid_send(chat_id), 15)) % "
    "array_length(users, 1)], gen_random_uuid(), 0, "
    "'an earlier message of the usual length, which is what most people write "
    "of an evening, number ' || q, at FROM ("
    "SELECT chat_id, q, users, now() - make_interval(secs => $2::int - q) AS at "
    "FROM (SELECT chat_id, array_agg(user_id) AS users FROM members "
    "WHERE chat_id " PAIRS_OF("$1::text") " GROUP BY chat_id) m, "
    "generate_series(1, $2::int) q) s ORDER BY q";

static const char group_sql[] =
    "INSERT INTO chats (id, kind, name, created_by) "
    "SELECT " GROUP_ID "::uuid, 1, 'Bench', " USER_ID("0") "::uuid "
    "FROM (SELECT $1::text AS w) s";

static const char group_members_sql[] =
    "INSERT INTO members (chat_id, user_id, role) "
    "SELECT " GROUP_ID "::uuid, " USER_ID("i") "::uuid, (i = 0)::int "
    "FROM (SELECT $1::text AS w, generate_series(0, $2::int - 1) AS i) s";

char *
world_token(uint32_t world, uint32_t user, char token[WORLD_TOKEN_LEN + 1])
{
	snprintf(token, WORLD_TOKEN_LEN + 1, "b%08x_%08x%s", world, user,
	    "xxxxxxxxxxxxxxxxxxxxxxxxx");
	return token;
}

char *
world_private_chat(uint32_t world, uint32_t user, uint32_t step,
    char text[UUID_TEXT_LEN + 1])
{
	uint64_t first = step == 0 ? user & ~1u : user;

	snprintf(text, UUID_TEXT_LEN + 1, "%08x-0002-7000-8000-%012llx", world,
	    (unsigned long long)(first * 256 + step));
	return text;
}

char *
world_group_chat(uint32_t world, char text[UUID_TEXT_LEN + 1])
{
	snprintf(text, UUID_TEXT_LEN + 1, "%08x-0004-7000-8000-%012x", world,
	    0u);
	return text;
}

/* An id of the world: its number, what it names, and 48 bits of number. */
static struct uuid
numbered(uint32_t world, uint8_t what, uint64_t n)
{
	struct uuid id = { { (uint8_t)(world >> 24), (uint8_t)(world >> 16),
	    (uint8_t)(world >> 8), (uint8_t)world, 0, what, 0x70, 0, 0x80 } };

	for (int i = 0; i < 6; i++) {
		id.b[10 + i] = (uint8_t)(n >> (40 - 8 * i));
	}
	return id;
}

/* The number in it; false when it is no such id. */
static bool
number_of(uint32_t world, uint8_t what, const struct uuid *id, uint64_t *n_r)
{
	struct uuid again;
	uint64_t n = 0;

	for (int i = 10; i < 16; i++) {
		n = n << 8 | id->b[i];
	}
	again = numbered(world, what, n);
	*n_r = n;
	return uuid_eq(&again, id);
}

struct uuid
world_user(uint32_t world, uint32_t user)
{
	return numbered(world, 1, user);
}

bool
world_user_index(uint32_t world, const struct uuid *id, uint32_t *user_r)
{
	uint64_t n;
	bool known = number_of(world, 1, id, &n);

	*user_r = (uint32_t)n;
	return known;
}

bool
world_members(const struct world *w, const struct uuid *chat,
    struct uuid members[2])
{
	uint64_t n;
	uint32_t first, step;

	if (!number_of(w->number, 2, chat, &n)) {
		return false;
	}
	first = (uint32_t)(n / 256);
	step = (uint32_t)(n % 256);
	members[0] = world_user(w->number, first);
	members[1] = world_user(w->number, (first + (step == 0 ? 1 : step)) %
	    w->users);
	return true;
}

static void
run(PGconn *db, const char *sql, int n, const char *const *values)
{
	PGresult *r = PQexecParams(db, sql, n, NULL, values, NULL, NULL, 0);

	if (PQresultStatus(r) != PGRES_COMMAND_OK) {
		fprintf(stderr, "parley-load: the database refused: %s",
		    PQerrorMessage(db));
		exit(1);
	}
	PQclear(r);
}

static PGconn *
open_database(const char *conninfo)
{
	PGconn *db = PQconnectdb(conninfo);

	if (PQstatus(db) != CONNECTION_OK) {
		fprintf(stderr, "parley-load: no database: %s",
		    PQerrorMessage(db));
		exit(1);
	}
	return db;
}

void
world_create(const struct world *w, const char *conninfo)
{
	PGconn *db = open_database(conninfo);
	char number[16], users[16], each[16], history[16], group[16];
	char active[16];
	const char *all[] = { number, users, each, history, active };
	const char *past[] = { number, history };
	const char *grouped[] = { number, group };

	snprintf(number, sizeof(number), "%08x", w->number);
	snprintf(users, sizeof(users), "%u", w->users);
	snprintf(each, sizeof(each), "%u", w->chats_each);
	snprintf(history, sizeof(history), "%u", w->history);
	snprintf(group, sizeof(group), "%u", w->group);
	snprintf(active, sizeof(active), "%u", w->active);
	run(db, "BEGIN", 0, NULL);
	run(db, users_sql, 2, all);
	run(db, tokens_sql, 2, all);
	if (w->chats_each > 0) {
		run(db, chats_sql, 5, all);
		run(db, members_sql, 1, all);
	}
	if (w->chats_each > 0 && w->history > 0) {
		run(db, messages_sql, 2, past);
	}
	if (w->group > 0) {
		run(db, group_sql, 1, grouped);
		run(db, group_members_sql, 2, grouped);
	}
	run(db, "COMMIT", 0, NULL);
	run(db, "VACUUM (ANALYZE) users, tokens, chats, members, messages", 0,
	    NULL);
	PQfinish(db);
}
