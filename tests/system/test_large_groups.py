"""The largest group there may be, all of it at one gateway: its receipts are more
than chatd takes at once.

SPDX-License-Identifier: MIT
"""

import json

import pytest

from support.client import new_id
from support.swarm import Swarm, make_accounts, raise_descriptor_limit

MEMBERS = 1024


@pytest.fixture
def swarm():
    raise_descriptor_limit(MEMBERS + 1000)
    swarm = Swarm()
    yield swarm
    swarm.close()


def test_a_message_is_delivered_when_1023_sessions_of_a_gateway_have_it(
        new_stack, swarm):
    stack = new_stack(tls=(), gateways=1)
    heard = {}

    def take(payload):
        frame = json.loads(payload)
        heard.setdefault(frame["type"], []).append(frame)
        assert frame["type"] != "error", frame

    tokens = make_accounts(stack, MEMBERS)
    people = [row[0] for row in stack.sql("SELECT id::text FROM users")]
    for token in tokens:
        swarm.add(token, stack.gateways[0]).connect()
    swarm.until(lambda: all(b.informed for b in swarm.bees), "user_info")
    founder = swarm.bees[0]
    swarm.on_text = lambda bee, payload: bee is founder and take(payload)

    def ask(answer, **frame):
        founder.send_frame(1, json.dumps(frame).encode())
        swarm.until(lambda: answer in heard, answer)
        return heard[answer][0]

    chat = ask("group_chat_created", type="create_group", name="All of us",
               member_ids=people)["chat_item"]["id"]
    message = ask("new_message", type="send_message", chat_id=chat, msg={
        "front_msg_id": new_id(), "content": "do you all hear me",
        "format": "text"})["message"]["id"]
    swarm.until(lambda: any(message in f["message_ids"] for f in
                            heard.get("messages_delivered", ())),
                "messages_delivered")
