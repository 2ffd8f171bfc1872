"""Upgrades without downtime, as docs/upgrading.md has them: programs of an earlier
revision serve people who chat all the time; the new migrations are applied
beneath them; each process is replaced by the new program, one after another; and
some go back again. Every frame is held against the contract, nobody sees an error
but the close 1012 of a gateway that ends, and nothing acknowledged is lost.

SPDX-License-Identifier: MIT
"""

import asyncio
import os
import subprocess

import pytest
from support import releases
from support.chatter import chat_through
from support.client import DEADLINE, login
from support.doc_commands import run_block
from support.process import clean_environment, poll
from support.rolling import company, nobody_saw_an_error, progress, restart
from support.scene import delivered, pair
from support.stack import BUILD, ROOT, program

# The last revision before the migrations 0006 and 0007: its programs know
# neither disabled accounts nor what operators ask, and its gateways send
# openings in another lane.
REVISION = "904b630"
SCHEMA = 5
NEWEST = len(list((ROOT / "chatd" / "sql" / "migrations").glob("*.sql")))

NEW = {kind: program(kind) for kind in releases.KINDS}
# A group large enough for its messages to be told in another way than small ones.
CROWD = 70
KINDS = {"c": "chatd", "p": "presenced", "g": "gateway"}


@pytest.fixture(scope="module")
def old():
    try:
        return releases.build(REVISION)
    except releases.NoHistory as error:
        pytest.skip(f"the revision {REVISION} is not in this clone: {error}")


def database_urls(stack):
    return {"PARLEY_DATABASE_URL": stack.postgres.conninfo(
                "parley_chatd", stack.database),
            "PARLEY_MIGRATE_URL": stack.postgres.conninfo(
                "parley_owner", stack.database)}


def run_chatd_migrations(stack, chatd):
    subprocess.run(
        [chatd, "--migrate-only"], stdin=subprocess.DEVNULL, timeout=120,
        check=True, env=clean_environment(**database_urls(stack)))


def migrate(stack):
    """By the page's own commands."""
    done = run_block(
        "docs/upgrading.md", "migrate", seconds=120,
        env={"PATH": f"{BUILD}/chatd/parleyctl:{os.environ['PATH']}",
             **database_urls(stack)})
    assert "to be applied: 0007_message_ids" in done.stdout


def version(stack):
    return stack.sql("SELECT max(version) FROM schema_migrations")[0][0]


@pytest.fixture
def old_stack(new_stack, old):
    """Two of each of the old programs, on the schema they made."""
    stack = new_stack(gateways=2, chatds=2, presenceds=2, start=False)
    stack.postgres.execute("postgres", f"DROP DATABASE {stack.database}")
    stack.postgres.make_database(stack.database)
    run_chatd_migrations(stack, old["chatd"])
    assert version(stack) == SCHEMA
    for kind, processes in stack.lists.items():
        for process in processes:
            process.argv[0] = str(old[kind])
    return stack.start()


async def seen_online(asker, other):
    """That somebody came is told a moment later; a presenced that was replaced
    learns it anew."""
    end = asyncio.get_running_loop().time() + DEADLINE
    while True:
        answer = await asker.ask("get_person_info", person_id=other.account.id)
        if answer["person_info"]["status"] == "Online":
            return
        assert asyncio.get_running_loop().time() < end, "never Online"
        await asyncio.sleep(0.02)


async def look_around(stack):
    """What goes through all kinds of process, by people who come anew."""
    ann, ben, chat_id = await pair(stack)
    answer = await ann.say(chat_id, "between two releases")
    await ben.wait("new_message")
    await delivered(ann, answer["message"]["id"])
    await seen_online(ann, ben)
    login(stack.gateways[0], ben.account)
    await ann.close()
    await ben.close()


async def replace(stack, chatters, kind, programs):
    """One after another; in between everyone is served, and who comes anew."""
    for process in stack.lists[kind]:
        await progress(chatters)
        await restart(process, programs[kind])
        assert os.readlink(f"/proc/{process.pid}/exe") == str(programs[kind])
        await look_around(stack)
    await progress(chatters)


async def told_once(stack, yes):
    """Until the chatds have seen that all gateways know, or that some does not
    know, of messages told once to all gateways."""
    await asyncio.get_running_loop().run_in_executor(None, poll, lambda: all(
        chatd.metric("parley_chatd_message_spreads") == yes
        for chatd in stack.chatds), f"message_spreads {yes}")


# What a release to come may bring: new columns and tables that older programs
# know nothing of, and an index that is built while they write.
TO_COME = {
    "0008_more.sql": f"""-- works with: {NEWEST}
ALTER TABLE messages ADD COLUMN later integer NOT NULL DEFAULT 7;
ALTER TABLE users ADD COLUMN later text;
CREATE TABLE later (id uuid PRIMARY KEY);
""",
    "0009_index.sql": f"""-- works with: {NEWEST}
-- outside a transaction
DROP INDEX CONCURRENTLY IF EXISTS messages_later;
CREATE INDEX CONCURRENTLY messages_later ON messages (created_at);
"""}


@pytest.fixture(scope="module")
def to_come():
    return releases.build(None, TO_COME)


async def test_the_next_release_is_rolled_in_and_taken_back(new_stack, to_come):
    """All kinds of process go back: the schema serves the release before."""
    stack = new_stack(gateways=2, chatds=2, presenceds=2)
    chatters = await company(stack, crowd=CROWD)

    async def there_and_back():
        await progress(chatters)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(
            None, run_chatd_migrations, stack, to_come["chatd"])
        assert version(stack) == NEWEST + 2
        assert stack.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = "
                         "'messages_later'::regclass") == [(True,)]
        await progress(chatters, 10)
        for kind in ("chatd", "presenced", "gateway"):
            await replace(stack, chatters, kind, to_come)
        for kind in ("gateway", "presenced", "chatd"):
            await replace(stack, chatters, kind, NEW)
    await chat_through(chatters, there_and_back())
    nobody_saw_an_error(chatters)


def test_an_index_that_was_left_half_built_is_built_anew(new_stack, to_come):
    stack = new_stack(start=False)
    with stack.postgres.connect(stack.database) as link:
        link.execute("CREATE INDEX messages_later ON messages (seq)")
        link.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid "
                     "= 'messages_later'::regclass")
    run_chatd_migrations(stack, to_come["chatd"])
    assert stack.sql("SELECT indisvalid FROM pg_index WHERE indexrelid = "
                     "'messages_later'::regclass") == [(True,)]


# The order of the documents comes first, and all others work as well: what is
# said between the processes has not changed in a way that would forbid them.
@pytest.mark.parametrize("order", ["cpg", "gpc", "pgc"])
async def test_an_upgrade_costs_nobody_an_error(old_stack, old, order):
    stack = old_stack
    chatters = await company(stack, crowd=CROWD)

    async def upgrade():
        await progress(chatters)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, migrate, stack)
        assert version(stack) > SCHEMA
        await progress(chatters, 10)
        for letter in order:
            await replace(stack, chatters, KINDS[letter], NEW)
        await told_once(stack, 1)
        await progress(chatters, 10)
        # Back again, as far as the schema lets the old programs.
        for letter in reversed(order):
            if KINDS[letter] != "chatd":
                await replace(stack, chatters, KINDS[letter], old)
        await told_once(stack, 0)
        await progress(chatters, 10)
    await chat_through(chatters, upgrade())
    nobody_saw_an_error(chatters)
    assert any(1012 in c.closes for c in chatters)
