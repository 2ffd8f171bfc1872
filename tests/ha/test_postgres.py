"""The primary of PostgreSQL is lost, in both ways: its host dies; it is parted from
its standby and lives on, with chatds that still speak to it. `tests/run.sh ha`.

SPDX-License-Identifier: MIT
"""

import psycopg

USUAL = 12          # seconds in which nothing happens
AFTER = 20


def fence(node):
    """It can do nothing any more, whatever it believes: its host is turned off."""
    node.host.lose()


async def host_dies(trial):
    """Power off; a look, a promotion; it comes back by pg_rewind."""
    pair = trial.stack.postgres
    old = pair.primary
    await trial.pass_by(USUAL)
    trial.fault("PostgreSQL: the primary's host dies")
    fence(old)
    await operator_promotes(trial)
    await trial.pass_by(AFTER)
    await rejoin(trial, old, old.rewind)


async def operator_promotes(trial):
    """As a watcher of the standby's host would: three looks, a second apart."""
    pair = trial.stack.postgres
    await trial.pass_by(3)
    await trial.thread(pair.promote)


async def rejoin(trial, old, how):
    """The old primary becomes the new one's standby, which then waits for it."""
    old.host.join()
    await trial.thread(how)
    await trial.start(old)
    await trial.thread(old.peer.wait_for_standby)
    await trial.until(old.peer.has_synchronous_standby, "synchronous standby")
    await trial.pass_by(3)


async def parted_and_fenced(trial):
    """Nothing is acknowledged by a primary without its standby, also not when
    somebody cancels the waiting, nor after the standby was promoted."""
    pair = trial.stack.postgres
    old, fresh = pair.primary, pair.primary.peer
    await trial.pass_by(USUAL)
    parted = trial.fault("PostgreSQL: parted from its standby, which is "
                         "promoted; then fenced")
    old.host.part(fresh.host)
    await trial.until(lambda: waiting_commits(old), "commits that wait")
    parted = trial.history.now()
    await trial.pass_by(2)
    await trial.thread(pair.promote)
    await trial.pass_by(3)
    links = links_of_chatd(old)
    stranded = waiting_commits(old)
    acked = trial.acked(parted)
    fence(old)
    old.host.meet(fresh.host)
    assert acked == 0, f"{acked} sends were acknowledged by the old primary"
    assert links > 0 and stranded, (links, stranded)
    await trial.pass_by(AFTER)
    await rejoin(trial, old, old.copy_peer)


def waiting_commits(node):
    try:
        return node.sql("SELECT pid FROM pg_stat_activity WHERE wait_event = "
                        "'SyncRep' AND usename = 'parley_chatd'")
    except psycopg.OperationalError:
        return []


def links_of_chatd(node):
    return node.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = "
                    "'parley_chatd'")[0][0]


def test_two_failovers_of_postgresql_lose_nothing(judged):
    async def script(trial):
        await host_dies(trial)
        await parted_and_fenced(trial)
    trial = judged(script)
    assert trial.acked(0) > 300
    for chatd in trial.stack.chatds:
        # What libuv says of any socket that broke names no cause.
        assert "bad file descriptor" not in chatd.log_text(), chatd.name
        assert "Connection timed out" in chatd.log_text(), chatd.name
