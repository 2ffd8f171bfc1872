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
from support.client import login
from support.doc_commands import run_block
from support.process import clean_environment
from support.rolling import company, nobody_saw_an_error, progress, restart
from support.scene import delivered, pair
from support.stack import BUILD, program

# The last revision before the migrations 0006 and 0007: its programs know
# neither disabled accounts nor what operators ask, and its gateways send
# openings in another lane.
REVISION = "904b630"
SCHEMA = 5

NEW = {kind: program(kind) for kind in releases.KINDS}
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


def make_old_schema(stack, chatd):
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
    make_old_schema(stack, old["chatd"])
    assert version(stack) == SCHEMA
    for kind, processes in stack.lists.items():
        for process in processes:
            process.argv[0] = str(old[kind])
    return stack.start()


async def look_around(stack):
    """What goes through all kinds of process, by people who come anew."""
    ann, ben, chat_id = await pair(stack)
    answer = await ann.say(chat_id, "between two releases")
    await ben.wait("new_message")
    await delivered(ann, answer["message"]["id"])
    person_info = (await ann.ask("get_person_info", person_id=ben.account.id))
    assert person_info["person_info"]["status"] == "Online"
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


# The order of the documents comes first, and all others work as well: what is
# said between the processes has not changed in a way that would forbid them.
@pytest.mark.parametrize("order", ["cpg", "gpc", "pgc"])
async def test_an_upgrade_costs_nobody_an_error(old_stack, old, order):
    stack = old_stack
    chatters = await company(stack)

    async def upgrade():
        await progress(chatters)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, migrate, stack)
        assert version(stack) > SCHEMA
        await progress(chatters, 10)
        for letter in order:
            await replace(stack, chatters, KINDS[letter], NEW)
        # Back again, as far as the schema lets the old programs.
        for letter in reversed(order):
            if KINDS[letter] != "chatd":
                await replace(stack, chatters, KINDS[letter], old)
    await chat_through(chatters, upgrade())
    nobody_saw_an_error(chatters)
    assert any(1012 in c.closes for c in chatters)
