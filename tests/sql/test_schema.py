"""The schema and the statements, on a real database.

SPDX-License-Identifier: MIT
"""

import re
import subprocess

import pytest
from support.process import clean_environment
from support.stack import ROOT, program


def run_chatd(postgres, database, *flags, owner=True):
    env = clean_environment(
        PARLEY_DATABASE_URL=postgres.conninfo(
            "parley_owner" if owner else "parley_chatd", database))
    done = subprocess.run([program("chatd"), "--admin-listen=", *flags],
                          env=env, stdin=subprocess.DEVNULL, timeout=60,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    return done.returncode, done.stdout


def one_error(output):
    lines = [x for x in output.splitlines() if " error " in x]
    assert len(lines) == 1, output
    return lines[0]


def test_an_empty_database_is_migrated_once(world):
    postgres = world.shared_postgres()
    database = postgres.make_database()
    status, output = run_chatd(postgres, database, "--migrate-only")
    assert status == 0 and "migrated version=1" in output
    status, output = run_chatd(postgres, database, "--migrate-only")
    assert status == 0 and "migrated" not in output


def test_two_chatds_migrate_at_the_same_time(world):
    postgres = world.shared_postgres()
    database = postgres.make_database()
    env = clean_environment(
        PARLEY_DATABASE_URL=postgres.conninfo("parley_owner", database))
    both = [subprocess.Popen(
        [program("chatd"), "--migrate-only"], env=env, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
    outputs = [p.communicate(timeout=60)[0] for p in both]
    assert [p.returncode for p in both] == [0, 0], outputs
    assert "".join(outputs).count("migrated version=1 ") == 1, outputs


def test_a_newer_database_is_refused(world):
    postgres = world.shared_postgres()
    database = postgres.make_database(template="parley_template")
    with postgres.connect(database) as link:
        link.execute("INSERT INTO schema_migrations VALUES (9999, 'future')")
    for flags in (["--migrate-only"], ["--migrate=off"]):
        status, output = run_chatd(postgres, database, *flags)
        assert status == 1
        line = one_error(output)
        assert "schema_is_newer" in line and "remedy=" in line


def test_an_unmigrated_database_is_refused_when_migrations_are_off(world):
    postgres = world.shared_postgres()
    status, output = run_chatd(postgres, postgres.make_database(),
                               "--migrate=off")
    assert status == 1 and "--migrate-only" in one_error(output)


def test_the_runtime_role_may_not_change_the_schema(world):
    postgres = world.shared_postgres()
    status, output = run_chatd(postgres, postgres.make_database(),
                               "--migrate-only", owner=False)
    assert status == 1 and "migrate_url" in one_error(output)
    assert postgres.password not in output


HOT = {"messages_insert", "messages_recipients",
       "messages_nicknames", "receipts_apply", "receipts_announce",
       "chats_lock", "chat_items", "chat_page", "chat_members",
       "tokens_check", "session_users", "chat_read_apply", "presence_apply",
       "history_chats", "history_newer", "typing_members",
       "catch_up_messages", "catch_up_changes", "catch_up_members",
       "groups_purge"}

# What the planner believes of the tables when the statements are planned.
STATISTICS = {
    "never looked at": [],
    "empty": ["ANALYZE"],
    "a few rows": [
        """INSERT INTO users (id, username, name, email, password_hash)
           SELECT gen_random_uuid(), 'u' || i, 'U', i || '@x.org', ''
           FROM generate_series(100, 199) i""",
        """INSERT INTO chats (id, kind, private_key)
           SELECT gen_random_uuid(), 0, i FROM generate_series(1, 50) i""",
        """INSERT INTO members (chat_id, user_id)
           SELECT c.id, u.id FROM (SELECT id, row_number() OVER () n
               FROM chats) c
           JOIN (SELECT id, row_number() OVER () n FROM users) u
               ON u.n = c.n OR u.n = c.n + 50""",
        """INSERT INTO messages (chat_id, seq, id, sender_id, front_msg_id,
               format, content, created_at)
           SELECT chat_id, q, gen_random_uuid(), user_id,
               gen_random_uuid(), 0, 'text', now()
           FROM (SELECT DISTINCT ON (chat_id) * FROM members) m,
               generate_series(1, 2) q""",
        "ANALYZE"],
}

# Messages found by a sender are found by his front_msg_id as well: reading by
# half of the key would be reading all that he ever wrote.
PAIRS = {"messages_send_key": ("sender_id", "front_msg_id")}

# A mark is for one member: found by the chat alone, each would cost the reading of
# all members of a group.
MEMBERS_BY_BOTH = {"receipts_apply": [
    r"Index Cond: \(\((chat|user)_id = i\.\1_id\) AND "
    r"\((chat|user)_id = i\.\2_id\)\)\n\s+Filter: \(delivered_seq"]}

# Nicknames are found by who gave them, who has 5,000 contacts at most: a person
# may be known to everybody.
NICKNAMES_BY_OWNER = {"chat_items"}


def hot_plans(link):
    """(name, generic plan) of each hot statement with chatd's settings."""
    settings = re.findall(r'"(SET [a-z_]+ = [^;]+);"',
                          (ROOT / "chatd" / "db_connect.c").read_text())
    assert len(settings) >= 8
    for setting in settings:
        link.execute(setting)
    for path in sorted((ROOT / "chatd" / "sql").glob("*.sql")):
        for name, body in re.findall(
                r"-- name: (\w+)\n(.*?)(?=-- name: |\Z)",
                path.read_text(), re.S):
            if name not in HOT:
                continue
            count = max(int(n) for n in re.findall(r"\$(\d+)", body))
            link.execute(f"PREPARE s_{name} AS {body}", prepare=False)
            nulls = ", ".join(["NULL"] * count)
            yield name, "\n".join(row[0] for row in link.execute(
                f"EXPLAIN EXECUTE s_{name}({nulls})").fetchall())


@pytest.mark.parametrize("believed", STATISTICS)
def test_every_hot_statement_finds_its_rows_by_whole_keys(world, believed):
    """One plan each serves for as long as a chatd runs, so it must not hang on
    what the statistics said when it was made."""
    postgres = world.shared_postgres()
    database = postgres.make_database(template="parley_template")
    postgres.execute(database, *STATISTICS[believed])
    seen = set()
    with postgres.connect(database) as link:
        for name, plan in hot_plans(link):
            seen.add(name)
            assert "Seq Scan" not in plan, f"{name}:\n{plan}"
            assert "Hash Join" not in plan, f"{name}:\n{plan}"
            if believed != "empty":
                assert not re.search(
                    r"Scan using \w+ on (messages|members)\b[^\n]*\n"
                    r"(?!\s+Index Cond)", plan), f"{name}:\n{plan}"
                for part in MEMBERS_BY_BOTH.get(name, ()):
                    assert re.search(part, plan), f"{name}:\n{plan}"
            for index, columns in PAIRS.items():
                for condition in re.findall(
                        index + r"\b[^\n]*\n\s+Index Cond: ([^\n]*)", plan):
                    for column in columns:
                        assert f"{column} =" in condition, f"{name}:\n{plan}"
            if name in NICKNAMES_BY_OWNER:
                found = re.findall(r"contacts_(?:pkey|user)\b[^\n]*\n"
                                   r"\s+Index Cond: ([^\n]*)", plan)
                assert found, f"{name}:\n{plan}"
                for condition in found:
                    assert "owner_id =" in condition, f"{name}:\n{plan}"
    assert seen == HOT


CHATS, MESSAGES = 20, 30
ROUND = [
    """INSERT INTO users (id, username, name, email, password_hash)
       SELECT gen_random_uuid(), 'u' || i, 'U', i || '@x.org', ''
       FROM generate_series(100, 101) i""",
    f"""INSERT INTO chats (id, kind, private_key, last_seq)
        SELECT gen_random_uuid(), 0, i, {MESSAGES}
        FROM generate_series(1, {CHATS}) i""",
    f"""INSERT INTO members (chat_id, user_id, delivered_seq)
        SELECT c.id, u.id, {MESSAGES} FROM chats c CROSS JOIN users u""",
    f"""INSERT INTO messages (chat_id, seq, id, sender_id, front_msg_id, format,
            content, created_at)
        SELECT c.id, q, gen_random_uuid(), u.id, gen_random_uuid(), 0, 'x', now()
        FROM chats c CROSS JOIN (SELECT id FROM users LIMIT 1) u
        CROSS JOIN generate_series(1, {MESSAGES}) q""",
]


def test_announcing_looks_at_each_message_and_not_at_each_pair(world):
    """Every chat of a round held against every message of it would be a
    product: what a join threw away is counted."""
    postgres = world.shared_postgres()
    database = postgres.make_database(template="parley_template")
    postgres.execute(database, *ROUND)
    with postgres.connect(database) as link:
        assert "receipts_announce" in dict(hot_plans(link))
        chats, = link.execute(
            "SELECT array_agg(id)::text FROM chats").fetchone()
        plan = "\n".join(row[0] for row in link.execute(
            "EXPLAIN (ANALYZE, TIMING OFF) EXECUTE "
            f"s_receipts_announce('{chats}', 5000)").fetchall())
    assert f"rows={CHATS * MESSAGES} " in plan, plan
    thrown = sum(int(n) for n in re.findall(
        r"Rows Removed by (?:Join )?Filter: (\d+)", plan))
    assert thrown < CHATS * MESSAGES, plan
