"""Thousands of clients that come back at once, because their gateways were killed:
all are served, none is refused for good, and who stayed chats on meanwhile.

SPDX-License-Identifier: MIT
"""

import asyncio
import os

import pytest

from support import client
from support.chatter import Chatter, check_all
from support.client import private_chat
from support.process import poll
from support.scene import person
from support.swarm import Swarm, make_accounts, raise_descriptor_limit

# Under sanitizers fewer say as much.
COUNT = 5000 if not os.environ.get("ASAN_OPTIONS") and \
    not os.environ.get("TSAN_OPTIONS") else 600
# What a connection may cost the gateway beside its work (measured: some 20 KiB,
# lists of waiting and the kernel's part apart), and what a process has anyway.
CONNECTION_BYTES = 64 * 1024
PROCESS_BYTES = 400 * 1024 * 1024


@pytest.fixture
def swarm():
    raise_descriptor_limit(COUNT + 1000)
    swarm = Swarm()
    yield swarm
    swarm.close()


def all_informed(swarm):
    return all(bee.informed for bee in swarm.bees)


def come_back(swarm):
    """Who has lost his connection, or was turned away, tries again."""
    for bee in swarm.bees:
        if bee.socket is None:
            bee.connect()


def test_all_come_back_when_the_gateways_were_killed(new_stack, swarm):
    stack = new_stack(tls=(), gateways=2, settings={
        "gateway": {"openings_max": 64}})
    for i, token in enumerate(make_accounts(stack, COUNT)):
        swarm.add(token, stack.gateways[i % 2])
    # The first storm: all at once.
    come_back(swarm)
    swarm.until(lambda: all_informed(swarm), "user_info for all",
                each_turn=lambda: come_back(swarm))
    assert all(bee.code is None for bee in swarm.bees)
    for gateway in stack.gateways:
        assert gateway.metric("parley_gateway_openings_delayed_total") > 0
        assert gateway.metric("parley_gateway_openings_expired_total") == 0
    # The second: both gateways die and come back.
    for gateway in stack.gateways:
        gateway.kill()
    swarm.until(lambda: all(b.socket is None for b in swarm.bees), "cuts")
    for bee in swarm.bees:
        bee.reset()
    for gateway in stack.gateways:
        gateway.start()
    for gateway in stack.gateways:
        gateway.wait_ready()
    come_back(swarm)
    swarm.until(lambda: all_informed(swarm), "user_info for all again",
                each_turn=lambda: come_back(swarm))
    assert all(bee.code is None for bee in swarm.bees), swarm.summary()
    for gateway in stack.gateways:
        assert gateway.metric("parley_gateway_sessions") == COUNT // 2
        assert gateway.metric("parley_gateway_openings") == 0
        assert gateway.metric("parley_gateway_openings_waiting") == 0
        assert gateway.metric("process_resident_memory_bytes") < \
            PROCESS_BYTES + CONNECTION_BYTES * COUNT // 2


def test_one_gateway_s_clients_move_to_the_other_while_others_chat(
        new_stack, swarm):
    stack = new_stack(tls=(), gateways=2, settings={
        "gateway": {"openings_max": 64}})
    for token in make_accounts(stack, COUNT // 4):
        swarm.add(token, stack.gateways[1])
    come_back(swarm)
    swarm.until(lambda: all_informed(swarm), "user_info for all",
                each_turn=lambda: come_back(swarm))
    asyncio.run(move_while_chatting(stack, swarm))


async def move_while_chatting(stack, swarm):
    ann, ben = await person(stack, 0), await person(stack, 0)
    chat = await private_chat(ann, ben)
    chatters = [Chatter(stack, s, [chat]) for s in (ann, ben)]
    runs = [asyncio.ensure_future(c.run()) for c in chatters]
    stack.gateways[1].kill()
    for bee in swarm.bees:
        bee.gateway = stack.gateways[0]
        bee.informed = False
    said = [len(c.acked) for c in chatters]
    while not all_informed(swarm) or \
            any(len(c.acked) < n + 5 for c, n in zip(chatters, said)):
        swarm.turn(0)
        come_back(swarm)
        await asyncio.sleep(0.001)
    for chatter in chatters:
        chatter.stopping = True
    await asyncio.gather(*runs)
    assert [c.errors for c in chatters] == [[], []]
    assert not any(c.closes for c in chatters)
    assert all(b.code is None for b in swarm.bees), swarm.summary()
    swarm.close()   # psycopg waits by select(), which knows few descriptors
    await check_all(chatters)
    await client.close_all()
    poll(lambda: stack.gateways[0].metric("parley_gateway_openings") == 0,
         "no openings")
