"""A chatd and a schema that is newer than it: a later release's migration is
applied while this one's processes serve, and they are started again on it. (The
whole upgrade, with programs of an earlier revision: tests/upgrade/.)

SPDX-License-Identifier: MIT
"""

from support.chatter import chat_through
from support.process import poll
from support.rolling import company, nobody_saw_an_error, progress, restart

TABLES = "users tokens contacts chats members messages message_blocks".split()


def apply_later_migration(stack, works_with):
    """As a later release does it: what is added needs nothing of older programs.
    """
    with stack.postgres.connect(stack.database) as link:
        newest, = link.execute(
            "SELECT max(version) FROM schema_migrations").fetchone()
        link.execute("SET lock_timeout = '10s'")
        with link.transaction():
            for table in TABLES:
                link.execute(f"ALTER TABLE {table} ADD COLUMN later integer "
                             "NOT NULL DEFAULT 7")
            link.execute("CREATE TABLE later (id uuid PRIMARY KEY)")
            link.execute(
                "INSERT INTO schema_migrations (version, name, works_with) "
                "VALUES (%s, 'later', %s)", (newest + 1, works_with(newest)))
    return newest


async def test_a_later_migration_beneath_running_chatds_costs_nobody_an_error(
        new_stack):
    stack = new_stack(gateways=2, chatds=2)
    chatters = await company(stack)

    async def later():
        await progress(chatters)
        newest = apply_later_migration(stack, lambda newest: newest)
        await progress(chatters, 10)
        for chatd in stack.chatds:
            await restart(chatd)
            chatd.wait_log(f"schema_is_newer database={newest + 1} "
                           f"works_with={newest} program={newest}")
            await progress(chatters)
    await chat_through(chatters, later())
    nobody_saw_an_error(chatters)
    assert not any(c.closes for c in chatters)


async def test_a_chatd_that_the_schema_serves_no_more_goes_on_until_it_ends(
        new_stack):
    stack = new_stack(chatds=2)
    chatters = await company(stack)

    async def later():
        await progress(chatters)
        apply_later_migration(stack, lambda newest: newest + 1)
        await progress(chatters)
        first = stack.chatds[0]
        assert first.terminate() == 0
        first.start()
        poll(lambda: not first.alive(), "refusal")
        assert first.child.returncode == 1
        first.child = None
        line = next(x for x in first.log_text().splitlines() if " error " in x)
        assert "schema_is_newer" in line and "remedy=" in line
        await progress(chatters)
    await chat_through(chatters, later())
    nobody_saw_an_error(chatters)
