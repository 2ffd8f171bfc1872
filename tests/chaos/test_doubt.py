"""A transaction whose answer was lost is done, or done again, and nobody is
misled: what the chaos runs found.

SPDX-License-Identifier: MIT
"""

import asyncio

from support.client import DEADLINE
from support.process import poll
from support.scene import person


async def test_who_removes_another_keeps_the_chat_when_the_commit_s_answer_is_lost(
        new_stack):
    stack = new_stack(relays=["chatd-postgres"])
    ann, ben, cleo = [await person(stack) for _ in range(3)]
    for session in (ann, ben, cleo):
        session.invariants.lenient = True
    made = await ann.ask("create_group", name="Doubtful", member_ids=[
        ben.account.id, cleo.account.id])
    chat_id = made["chat"]["id"]
    await ben.wait("group_chat_created")
    await ben.say(chat_id, "said while all was well")
    await ann.wait("new_message")
    relay = stack.relay("chatd-1", "postgres")
    relay.hold("down")
    removal = asyncio.ensure_future(ann.ask(
        "remove_member", chat_id=chat_id, member_id=cleo.account.id))
    await asyncio.to_thread(poll, lambda: not stack.sql(
        "SELECT FROM members WHERE chat_id = %s AND user_id = %s", chat_id,
        cleo.account.id), "removal in the database", DEADLINE)
    relay.cut()
    relay.release()
    assert (await removal)["type"] == "chat_member_removed"
    await ben.say(chat_id, "said after the removal")
    await ann.wait("new_message", lambda f: f["message"]["content"]
                   == "said after the removal")
    await ann.fence()
    assert [m["seq"] for m in ann.messages(chat_id)] == [1, 2]
    assert not ann.all("chat_added")
    assert len(ann.all("group_chat_created")) == 1
