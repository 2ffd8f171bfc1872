"""Processes replaced one by one while people chat in private and in a group.

SPDX-License-Identifier: MIT
"""

import asyncio

from .chatter import Chatter
from .client import DEADLINE, private_chat, register
from .scene import person


async def company(stack, count=4, crowd=0):
    """People on all gateways, each with a private chat and all in a group, in
    which there are `crowd` more who are away."""
    away = [register(stack.gateways[0]).username for _ in range(crowd)]
    away = [i for i, in stack.sql(
        "SELECT id::text FROM users WHERE username = ANY (%s)", away)]
    sessions = [await person(stack, i % len(stack.gateways))
                for i in range(count)]
    group = (await sessions[0].ask(
        "create_group", name="All of us",
        member_ids=[s.account.id for s in sessions[1:]] + away
    ))["chat_item"]["id"]
    chats = {s: [group] for s in sessions}
    for one, other in zip(sessions[::2], sessions[1::2]):
        chat = await private_chat(one, other)
        chats[one].append(chat)
        chats[other].append(chat)
    for session in sessions[1:]:
        await session.wait("group_chat_created")
    return [Chatter(stack, s, chats[s]) for s in sessions]


async def restart(process, program=None):
    """As deploy/local.sh does it, while the clients go on; with another program
    if one is given. (Started from this thread: a process of the tests ends with
    the thread that started it.)"""
    loop = asyncio.get_running_loop()
    process.begin_terminate()
    status = await loop.run_in_executor(None, process.end_terminate)
    assert status == 0, process.log_tail()
    if program is not None:
        process.argv[0] = str(program)
    process.start()
    await loop.run_in_executor(None, process.wait_ready)


async def progress(chatters, count=3):
    """Everyone gets some more acknowledgements."""
    wanted = [len(c.acked) + count for c in chatters]
    end = asyncio.get_running_loop().time() + 3 * DEADLINE
    while any(len(c.acked) < n for c, n in zip(chatters, wanted)):
        assert asyncio.get_running_loop().time() < end, \
            f"no progress: {[(len(c.acked), c.errors[-2:]) for c in chatters]}"
        await asyncio.sleep(0.02)


def nobody_saw_an_error(chatters):
    assert [c.errors for c in chatters if c.errors] == []
    assert {code for c in chatters for code in c.closes} <= {1012}
    assert all(c.asked > 3 for c in chatters)
