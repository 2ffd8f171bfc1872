"""The store is set back to a backup while gateways hold on to their clients, which
docs/backup.md advises against: whoever was told more than there is now begins anew,
and nobody takes new messages for those that had their numbers.

SPDX-License-Identifier: MIT
"""

from support.client import Session
from support.scene import delivered, pair
from support.set_back import set_back


async def test_sessions_that_know_more_than_the_store_begin_anew(new_stack):
    stack = new_stack(gateways=2)
    ann, ben, chat_id = await pair(stack)
    for i in range(5):
        answer = await ann.say(chat_id, f"message {i}")
    await delivered(ann, answer["message"]["id"])
    assert stack.chatds[0].terminate() == 0
    set_back(stack, chat_id, 3)
    stack.chatds[0].start()
    for session in ann, ben:
        await session.wait_closed()
        assert session.close_code == 1012
    assert [g.metric("parley_gateway_set_back_total")
            for g in stack.gateways] == [1, 1]

    ann, ben = [await Session.open(s.gateway, s.account) for s in (ann, ben)]
    answer = await ann.say(chat_id, "in the place of another")
    assert answer["message"]["seq"] == 4
    heard = await ben.wait("new_message")
    assert heard["message"]["id"] == answer["message"]["id"]
    await delivered(ann, answer["message"]["id"])
