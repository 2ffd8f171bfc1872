"""What every test against running processes gets.

`stack` is one installation that most tests share: two gateways, two chatds, two
presenceds. A test that hurts something asks `new_stack` for one of its own. Tests
are coroutines or plain functions. A frame that breaks the contract, a process
that ends badly, a sanitizer's report, a secret in a log: each fails the run,
whatever the test was about.

SPDX-License-Identifier: MIT
"""

import asyncio
import inspect
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from support import client  # noqa: E402
from support.stack import World  # noqa: E402

TEST_SECONDS = 120 * client.PATIENCE


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    arguments = {name: pyfuncitem.funcargs[name] for name in names}

    async def run():
        try:
            await asyncio.wait_for(test(**arguments), TEST_SECONDS)
        finally:
            await client.close_all()
    asyncio.run(run())
    return True


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("last") is not None)


@pytest.fixture(autouse=True)
def frames_keep_the_contract():
    client.faults.clear()
    yield
    assert not client.faults, "\n".join(client.faults[:10])


@pytest.fixture(scope="session")
def world():
    world = World()
    yield world
    faults = world.close()
    assert not faults, "\n".join(faults)


@pytest.fixture(scope="session")
def shared_stack(world):
    # Groups of three go the way of large ones, those of two the other.
    stack = world.new_stack(gateways=2, chatds=2, presenceds=2, settings={
        "chatd": {"message_spread_min": 2}})
    yield stack
    faults = stack.close()
    assert not faults, "\n".join(faults)


@pytest.fixture
def stack(shared_stack):
    for process in shared_stack.processes():
        process.require_alive()
    return shared_stack


@pytest.fixture
def new_stack(world):
    made = []

    def make(**layout):
        made.append(world.new_stack(**layout))
        return made[-1]
    yield make
    faults = [fault for stack in made for fault in stack.close()]
    assert not faults, "\n".join(faults)
