"""Migrations are applied while chatds of the release before serve, and those may
be started again on the newer schema (docs/upgrading.md). Here are the rules each
of them keeps; tests/upgrade/ tries the real thing.

SPDX-License-Identifier: MIT
"""

import os
import re
import signal
import subprocess

import psycopg
import pytest
from support.process import clean_environment, poll
from support.stack import ROOT, program

MIGRATIONS = sorted((ROOT / "chatd" / "sql" / "migrations").glob("*.sql"))
NEWEST = len(MIGRATIONS)


def number(path):
    return int(path.name[:4])


def works_with(path):
    found = re.search(r"^-- works with: (\d+)$", path.read_text(), re.M)
    return int(found[1]) if found else number(path)


def database_at(postgres, version):
    """A database that the release of this migration has left."""
    database = postgres.make_database()
    with postgres.connect(database, "parley_owner") as link:
        link.execute("SET client_min_messages = warning")
        link.execute("CREATE TABLE schema_migrations (version integer PRIMARY "
                     "KEY, name text NOT NULL, applied_at timestamptz NOT NULL "
                     "DEFAULT now())")
        for path in MIGRATIONS[:version]:
            link.execute(path.read_text(), prepare=False)
            link.execute("INSERT INTO schema_migrations VALUES (%s, %s)",
                         (number(path), path.stem))
        link.execute("GRANT SELECT ON schema_migrations TO parley_chatd")
    return database


def run_migrations(postgres, database):
    return subprocess.Popen(
        [program("chatd"), "--migrate-only"], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=clean_environment(PARLEY_DATABASE_URL=postgres.conninfo(
            "parley_owner", database)))


def waits_for_lock(postgres):
    with postgres.connect("postgres") as link:
        return link.execute(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND "
            "mode = 'AccessExclusiveLock'").fetchone()[0] > 0


def test_a_migration_that_must_wait_holds_up_nobody(world):
    """Who waits for a table to itself has all others wait behind it: it lets go
    again and again until it gets it."""
    postgres = world.shared_postgres()
    database = database_at(postgres, 6)
    with postgres.connect(database) as dump, \
            postgres.connect(database) as chatd:
        dump.execute("BEGIN")
        dump.execute("SELECT count(*) FROM messages")
        child = run_migrations(postgres, database)
        try:
            poll(lambda: waits_for_lock(postgres), "waiting migration")
            chatd.execute("SET statement_timeout = '20s'")
            chatd.execute("DELETE FROM messages")
            assert child.poll() is None
        finally:
            dump.execute("COMMIT")
            output = child.communicate(timeout=60)[0]
    assert child.returncode == 0, output
    assert "migration_waits version=7" in output and "remedy=" in output
    assert "migrated version=7" in output


def test_a_migration_that_waits_ends_when_told(world):
    postgres = world.shared_postgres()
    database = database_at(postgres, 6)
    with postgres.connect(database) as dump:
        dump.execute("BEGIN")
        dump.execute("SELECT count(*) FROM messages")
        child = run_migrations(postgres, database)
        try:
            poll(lambda: waits_for_lock(postgres), "waiting migration")
        finally:
            os.kill(child.pid, signal.SIGTERM)
        output = child.communicate(timeout=60)[0]
    # As a shell says of who was ended by SIGTERM.
    assert child.returncode == 128 + signal.SIGTERM, output
    with postgres.connect(database) as link:
        assert link.execute("SELECT max(version) FROM schema_migrations"
                            ).fetchone()[0] == 6


@pytest.mark.parametrize("serves", [NEWEST, NEWEST + 1, None])
def test_a_newer_schema_serves_whom_it_says(world, serves):
    """None: a release before it said so."""
    postgres = world.shared_postgres()
    database = postgres.make_database(template="parley_template")
    with postgres.connect(database) as link:
        link.execute("INSERT INTO schema_migrations (version, name, works_with)"
                     " VALUES (%s, 'later', %s)", (NEWEST + 2, serves))
    child = run_migrations(postgres, database)
    output = child.communicate(timeout=60)[0]
    assert "schema_is_newer" in output and "remedy=" in output
    assert (child.returncode, " error " in output) == \
        ((0, False) if serves == NEWEST else (1, True)), output


def test_which_programs_a_migration_serves_is_kept(world):
    postgres = world.shared_postgres()
    with postgres.connect(postgres.make_database(
            template="parley_template")) as link:
        rows = dict(link.execute(
            "SELECT version, works_with FROM schema_migrations").fetchall())
    assert rows == {number(p): works_with(p) for p in MIGRATIONS}


@pytest.mark.parametrize("text, complaint", [
    ("-- Says nothing.\nSELECT 1;\n", "works with: N"),
    ("-- works with: 9\nSELECT 1;\n", "not yet there")])
def test_a_migration_that_does_not_say_whom_it_serves_is_not_built(
        tmp_path, text, complaint):
    path = tmp_path / "0008_later.sql"
    path.write_text(text)
    done = subprocess.run(
        ["cmake", "-DSQL_MODE=migrations", f"-DSQL_OUT={tmp_path}/out",
         f"-DSQL_FILES={path}", "-P", ROOT / "cmake" / "SqlTables.cmake"],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert complaint in " ".join(done.stderr.split())


# ---- what holds others up, or breaks them ------------------------------------

# Those before are as they are; they were never applied beneath others.
FIRST_WITH_RULES = 8
NAME = r"(?:IF (?:NOT )?EXISTS )?(?:ONLY )?\"?(\w+)\"?"
ALTER = re.compile("ALTER TABLE " + NAME + " (.*)", re.I)
FORBIDDEN = [       # statements, by the table they concern
    (r"CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY).*? ON " + NAME,
     "an index of a table that exists is built CONCURRENTLY"),
    (r"(?:VACUUM FULL|CLUSTER|LOCK TABLE|REINDEX TABLE) " + NAME,
     "it keeps others from the table"),
]
FORBIDDEN_ACTIONS = [       # of ALTER TABLE
    (r"RENAME\b", "nothing is renamed"),
    (r"ALTER (?:COLUMN )?\w+ (?:SET DATA )?TYPE\b", "a type is not changed"),
    (r"ALTER (?:COLUMN )?\w+ SET NOT NULL", "older programs may write null"),
    (r"ADD (?!CONSTRAINT)(?=.*NOT NULL)(?!.*\bDEFAULT\b)",
     "older programs do not give it a value"),
    (r"ADD (?!CONSTRAINT).*\bDEFAULT (?:gen_random_uuid|random|nextval|"
     r"clock_timestamp)\b", "the table is written anew"),
    (r"ADD CONSTRAINT \w+ (?:CHECK|FOREIGN)(?!.*NOT VALID)",
     "it is added NOT VALID"),
]


def statements_in(text):
    bare = re.sub(r"--[^\n]*", "", text)
    bare = re.sub(r"\$(\w*)\$.*?\$\1\$", "''", bare, flags=re.S)
    return [" ".join(s.split()) for s in bare.split(";") if s.strip()]


def actions_of(words):
    """What stands between the commas that are in no parentheses."""
    depth, actions = 0, [""]
    for letter in words:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            actions.append("")
        else:
            actions[-1] += letter
    return [a.strip() for a in actions]


def faults_of(text):
    made = set(re.findall("CREATE TABLE " + NAME, text, re.I))
    faults = []
    for statement in statements_in(text):
        found = [(hit[1], why) for pattern, why in FORBIDDEN
                 if (hit := re.match(pattern, statement, re.I))]
        altered = ALTER.match(statement)
        if altered:
            found += [(altered[1], why) for action in actions_of(altered[2])
                      for pattern, why in FORBIDDEN_ACTIONS
                      if re.match(pattern, action, re.I)]
        faults += [f"{why}: {statement}" for table, why in found
                   if table not in made]
    alone = "\n-- outside a transaction\n" in "\n" + text
    if alone != ("CONCURRENTLY" in text.upper()):
        faults.append("CONCURRENTLY goes with -- outside a transaction")
    return faults


@pytest.mark.parametrize("text, fault", [
    ("ALTER TABLE users ADD COLUMN a text, ADD b integer NOT NULL DEFAULT 1;",
     None),
    ("ALTER TABLE users ADD COLUMN a integer DEFAULT 1 NOT NULL;", None),
    ("ALTER TABLE users ADD COLUMN a integer NOT NULL;", "do not give it"),
    ("ALTER TABLE users ADD a numeric(3, 1) NOT NULL, ADD b text DEFAULT '';",
     "do not give it"),
    ("ALTER TABLE users ADD a uuid NOT NULL DEFAULT gen_random_uuid();",
     "written anew"),
    ("ALTER TABLE users RENAME name TO title;", "renamed"),
    ("ALTER TABLE users RENAME TO people;", "renamed"),
    ("ALTER TABLE users ALTER COLUMN name TYPE bytea;", "a type"),
    ("ALTER TABLE users ALTER email SET NOT NULL;", "write null"),
    ("ALTER TABLE users ADD CONSTRAINT c CHECK (true);", "NOT VALID"),
    ("ALTER TABLE users ADD CONSTRAINT c CHECK (true) NOT VALID;", None),
    ("CREATE INDEX a ON messages (created_at);", "CONCURRENTLY"),
    ("CREATE UNIQUE INDEX a ON messages (created_at);", "CONCURRENTLY"),
    ("-- outside a transaction\nCREATE INDEX CONCURRENTLY a ON messages (id);",
     None),
    ("CREATE INDEX CONCURRENTLY a ON messages (id);", "outside"),
    ("CREATE TABLE n (a uuid NOT NULL);\nCREATE INDEX a ON n (a);\n"
     "ALTER TABLE n ALTER a SET NOT NULL;", None),
    ("LOCK TABLE messages;", "keeps others"),
])
def test_the_rules_themselves(text, fault):
    faults = faults_of(text)
    assert (fault in faults[0] and len(faults) == 1) if fault \
        else not faults, faults


def test_no_migration_holds_up_others_or_breaks_them():
    faults = [f"{p.name}: {fault}" for p in MIGRATIONS
              if number(p) >= FIRST_WITH_RULES
              for fault in faults_of(p.read_text())]
    assert not faults, "\n".join(faults)


# ---- the release before ------------------------------------------------------

def git(*words):
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True,
                          text=True, stdin=subprocess.DEVNULL, check=True).stdout


def last_revision_of(version):
    """The last one that knew no newer migration; None where the history does
    not reach so far."""
    later = f"chatd/sql/migrations/{MIGRATIONS[version].name}"
    try:
        added = git("log", "--format=%H", "--diff-filter=A", "--", later).split()
        return git("rev-parse", "--verify", added[-1] + "^").strip()
    except (subprocess.CalledProcessError, FileNotFoundError, IndexError):
        return None


def statements_of(revision):
    names = git("ls-tree", "--name-only", revision, "chatd/sql/").split()
    for name in names:
        if name.endswith(".sql"):
            yield from re.findall(r"-- name: (\w+)\n(.*?)(?=-- name: |\Z)",
                                  git("show", f"{revision}:{name}"), re.S)


def is_prepared(body):
    return not re.match(r"(--.*\n|\s)*(BEGIN|COMMIT)\b", body)


def test_what_the_release_before_asks_is_understood(world):
    """Every statement of the oldest programs that the schema claims to serve."""
    version = max(works_with(p) for p in MIGRATIONS)
    if version == NEWEST:
        pytest.skip("the newest schema serves no older program")
    revision = last_revision_of(version)
    if revision is None:
        pytest.skip("this clone has no history that reaches so far")
    postgres = world.shared_postgres()
    wrong, count = [], 0
    with postgres.connect(postgres.make_database(
            template="parley_template"), "parley_chatd") as link:
        for name, body in filter(lambda s: is_prepared(s[1]),
                                 statements_of(revision)):
            count += 1
            try:
                link.execute(f"PREPARE s_{name} AS {body}", prepare=False)
            except psycopg.Error as error:
                wrong.append(f"{name}: {error}")
    assert count > 50
    assert not wrong, "\n".join(wrong)
