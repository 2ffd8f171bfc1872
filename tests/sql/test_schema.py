"""The schema and the statements, on a real database.

SPDX-License-Identifier: MIT
"""

import subprocess

from support.process import clean_environment
from support.stack import program


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


def test_every_statement_uses_an_index(world):
    """The hot ones, on an empty database that nobody has analysed."""
    import re
    from support.stack import ROOT
    postgres = world.shared_postgres()
    database = postgres.make_database(template="parley_template")
    settings = re.findall(r'"(SET [a-z_]+ = [^;]+);"',
                          (ROOT / "chatd" / "db_connect.c").read_text())
    assert len(settings) >= 8
    hot = {"messages_insert", "messages_stored", "messages_recipients",
           "messages_nicknames", "receipts_apply", "receipts_announce",
           "chats_lock", "chat_items", "chat_page", "chat_members",
           "token_check", "session_user", "chat_read_apply", "presence_apply"}
    seen = set()
    with postgres.connect(database) as link:
        for setting in settings:
            link.execute(setting)
        for path in sorted((ROOT / "chatd" / "sql").glob("*.sql")):
            for name, body in re.findall(r"-- name: (\w+)\n(.*?)(?=-- name: |\Z)",
                                         path.read_text(), re.S):
                if name not in hot:
                    continue
                seen.add(name)
                count = max([int(n) for n in re.findall(r"\$(\d+)", body)])
                link.execute(f"PREPARE s_{name} AS {body}", prepare=False)
                nulls = ", ".join(["NULL"] * count)
                plan = "\n".join(row[0] for row in link.execute(
                    f"EXPLAIN EXECUTE s_{name}({nulls})").fetchall())
                assert "Seq Scan" not in plan, f"{name}:\n{plan}"
                assert "Hash Join" not in plan, f"{name}:\n{plan}"
    assert seen == hot
