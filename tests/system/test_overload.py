"""More than the servers can carry: they answer what they can within its time,
refuse the rest with `unavailable`, execute nothing that nobody waits for any more,
keep what waits bounded, and are themselves again as soon as it is over.

SPDX-License-Identifier: MIT
"""

import asyncio
import json
import time

import pytest

from support import client
from support.client import PATIENCE, new_id
from support.process import poll
from support.scene import person
from support.swarm import Swarm, make_accounts, raise_descriptor_limit

COUNT = 300
# So many chatd takes on at a time: what comes is several times that.
IN_FLIGHT = 64
REQUEST_TIMEOUT = 2.0
# What no process may grow by while it is pressed.
GROWTH = 96 * 1024 * 1024

QUEUES = {
    "gateway": ("parley_rpc_pending", "parley_gateway_outbox_bytes"),
    "chatd": ("parley_chatd_in_flight", "parley_writer_queued",
              "parley_db_waiting"),
}


class Crowd:
    """Clients that each send the next message as soon as the last is answered,
    be it with an error: they never let up."""

    def __init__(self, stack):
        self.stack = stack
        self.swarm = Swarm()
        self.swarm.on_text = self.take
        self.pressing = False
        self.stored = {}         # front_msg_id -> message id
        self.refused = {}        # front_msg_id -> when it was sent
        self.reasons = set()
        self.slowest = 0.0
        for token in make_accounts(stack, COUNT):
            bee = self.swarm.add(token, stack.gateways[0])
            bee.chat = bee.front = None
            bee.connect()
        self.swarm.until(lambda: all(b.informed for b in self.swarm.bees),
                         "user_info for all")

    def make_chats(self):
        """Each gets a chat of his own to write into. Not while others connect: a
        chatd that takes on little would tell those to come back later."""
        for bee in self.swarm.bees:
            self.make_chat(bee)
        self.swarm.until(lambda: all(b.chat for b in self.swarm.bees),
                         "chats")

    def take(self, bee, payload):
        frame = json.loads(payload)
        kind = frame["type"]
        if kind == "user_info":
            bee.user = frame["user"]["id"]
        elif kind == "private_chat_created":
            bee.chat = frame["chat_item"]["id"]
        elif kind == "new_message" and \
                frame["message"]["front_msg_id"] == bee.front:
            self.stored[bee.front] = frame["message"]["id"]
            self.answered(bee)
        elif kind == "error" and bee.chat is None:
            assert frame["reason"] == "unavailable", frame
            self.make_chat(bee)
        elif kind == "error":
            self.reasons.add(frame["reason"])
            if frame["front_msg_id"] == bee.front:
                self.refused[bee.front] = bee.sent_at
                self.answered(bee)

    def make_chat(self, bee):
        self.send(bee, {"type": "create_private_chat", "user_id": bee.user})

    def answered(self, bee):
        self.slowest = max(self.slowest, time.monotonic() - bee.sent_at)
        bee.front = None
        if self.pressing:
            self.press_one(bee)

    def press_one(self, bee):
        bee.front, bee.sent_at = new_id(), time.monotonic()
        self.send(bee, {"type": "send_message", "chat_id": bee.chat, "msg": {
            "front_msg_id": bee.front, "content": "x", "format": "text"}})

    def press(self):
        self.pressing = True
        for bee in self.swarm.bees:
            self.press_one(bee)

    def rest(self):
        """Until each has his last answer."""
        self.pressing = False
        self.swarm.until(lambda: all(b.front is None
                                     for b in self.swarm.bees), "answers")

    @staticmethod
    def send(bee, frame):
        bee.send_frame(1, json.dumps(frame).encode())


@pytest.fixture
def crowd_on():
    raise_descriptor_limit(2000)
    made = []

    def make(stack):
        made.append(Crowd(stack))
        made[-1].make_chats()
        return made[-1]
    yield make
    for crowd in made:
        crowd.swarm.close()


def overloaded_stack(new_stack, **chatd):
    return new_stack(
        tls=(), relays=["chatd-postgres"], settings={
            "gateway": {"request_timeout": f"{int(REQUEST_TIMEOUT * 1000)}ms",
                        "openings_max": 16, "rate_sends": "off"},
            "chatd": chatd})


def memory(stack):
    return {p.name: p.metric("process_resident_memory_bytes")
            for p in stack.processes()}


def itself_again(stack):
    """All queues are empty; the next message is served at once."""
    for process in stack.gateways + stack.chatds:
        for queue in QUEUES[process.name.split("-")[0]]:
            poll(lambda: process.metric(queue) == 0, f"an empty {queue}")

    async def say():
        try:
            ann = await person(stack)
            made = await ann.ask("create_private_chat",
                                 user_id=ann.account.id)
            answer = await ann.say(made["chat_item"]["id"], "as if nothing")
            assert answer["type"] == "new_message", answer
        finally:
            await client.close_all()
    asyncio.run(say())


def rows(stack):
    return {front: message_id for front, message_id in stack.sql(
        "SELECT front_msg_id::text, id::text FROM messages")}


def test_what_is_too_much_is_refused_and_the_rest_served_in_time(
        new_stack, crowd_on):
    stack = overloaded_stack(new_stack, in_flight_max=IN_FLIGHT)
    crowd = crowd_on(stack)
    before = memory(stack)
    stack.relay("chatd-1", "postgres").delay(0.2)
    crowd.press()
    crowd.swarm.until(
        lambda: len(crowd.stored) > 3 * IN_FLIGHT and
        len(crowd.refused) > 3 * len(crowd.stored), "three times too much")
    for name, bytes_ in memory(stack).items():
        assert bytes_ - before[name] < GROWTH, name
    assert stack.chatds[0].metric("parley_rpc_in_flight") <= IN_FLIGHT
    assert stack.chatds[0].metric("parley_rpc_overloaded_total") > 0
    stack.relay("chatd-1", "postgres").delay(0)
    crowd.rest()
    assert crowd.reasons == {"unavailable"}
    # Nobody waited longer than the bound, and what a busy machine adds.
    assert crowd.slowest < REQUEST_TIMEOUT + 5 * PATIENCE
    itself_again(stack)
    stored = rows(stack)
    assert all(stored[front] == message_id
               for front, message_id in crowd.stored.items())


def test_what_nobody_waits_for_any_more_is_not_executed(new_stack, crowd_on):
    # chatd stands still: all that was given to it meanwhile is late when it goes
    # on, and is dropped.
    stack = overloaded_stack(new_stack)
    crowd = crowd_on(stack)
    crowd.press()
    crowd.swarm.until(lambda: len(crowd.stored) > COUNT, "traffic")
    crowd.rest()
    stack.chatds[0].pause()
    paused_at = time.monotonic()
    crowd.press()
    crowd.rest()
    late = {front for front, sent in crowd.refused.items()
            if sent >= paused_at}
    assert len(late) == COUNT
    stack.chatds[0].resume()
    itself_again(stack)
    assert stack.chatds[0].metric("parley_rpc_expired_total") > 0
    assert late.isdisjoint(rows(stack))
    assert crowd.reasons == {"unavailable"}


def test_a_database_that_stands_still_fills_no_memory_and_is_forgotten(
        new_stack, crowd_on):
    stack = overloaded_stack(new_stack)
    crowd = crowd_on(stack)
    before = memory(stack)
    crowd.press()
    crowd.swarm.until(lambda: len(crowd.stored) > COUNT, "traffic")
    stack.relay("chatd-1", "postgres").hold()
    refused = len(crowd.refused)
    crowd.swarm.until(lambda: len(crowd.refused) > refused + 2 * COUNT,
                      "refusals")
    for name, bytes_ in memory(stack).items():
        assert bytes_ - before[name] < GROWTH, name
    stack.relay("chatd-1", "postgres").release()
    stored = len(crowd.stored)
    crowd.swarm.until(lambda: len(crowd.stored) > stored + COUNT,
                      "service again")
    crowd.rest()
    assert crowd.slowest < REQUEST_TIMEOUT + 5 * PATIENCE
    itself_again(stack)
    stored = rows(stack)
    assert all(stored[front] == message_id
               for front, message_id in crowd.stored.items())
