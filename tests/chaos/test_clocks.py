"""The wall clock of a process jumps: what the chaos runs found, one by one.

SPDX-License-Identifier: MIT
"""

from chaos.nemesis import Clock

from support.client import Session
from support.process import clean_environment
from support.scene import pair
from support.stack import BUILD

HOUR = 3600


def with_clock(stack, process):
    """Before it starts: a clock to be set."""
    clock = Clock(stack.directory, process.name,
                  BUILD / "tests" / "support" / "shift_clock.so")
    process.env = clean_environment(**{**process.env, **clock.env})
    return clock


async def test_an_ended_token_stays_ended_when_the_database_s_clock_goes_back(
        new_stack):
    stack = new_stack(own_postgres=True, start=False)
    stack.postgres.stop()
    clock = with_clock(stack, stack.postgres)
    stack.postgres.start()
    stack.start()
    ann, _, _ = await pair(stack)
    clock.set(HOUR)
    assert stack.sql("SELECT now() > to_timestamp(%s)",
                     stack.postgres.log_path.stat().st_mtime + HOUR / 2) \
        == [(True,)]
    await ann.send({"type": "logout"})
    assert (await ann.wait_closed())[0] == 1000
    clock.set(0)
    late = await Session.open(stack.gateways[0], ann.account, wait=False)
    assert (await late.wait_closed())[0] == 1008
