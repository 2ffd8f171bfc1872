"""kill -9 of a chatd in the middle of traffic: nothing acknowledged is lost,
nothing is doubled, sockets stay open, and nobody waits in silence.

SPDX-License-Identifier: MIT
"""

import asyncio

from support.client import PATIENCE, Session
from support.scene import chat_info, pair
from support.traffic import Sender

# Longer than this without any answer is silence: the gateway's timeout, and some
# time for a busy machine.
ANSWER_SECONDS = 5 + 5 * PATIENCE


def lenient(*sessions):
    for session in sessions:
        session.invariants.lenient = True


def stored(stack, chat_id):
    return {front: (message_id, seq) for front, message_id, seq in stack.sql(
        "SELECT front_msg_id::text, id::text, seq FROM messages "
        "WHERE chat_id = %s ORDER BY seq", chat_id)}


def check_nothing_lost_or_doubled(stack, chat_id, *senders):
    rows = stored(stack, chat_id)
    count = sum(len(s.texts) for s in senders)
    assert len(rows) == count
    assert sorted(seq for _, seq in rows.values()) == \
        list(range(1, count + 1))
    for sender in senders:
        for front, message in sender.acked.items():
            assert rows[front] == (message["id"], message["seq"])


async def check_both_heard_all(chat_id, count, *sessions):
    for session in sessions:
        await session.until(
            lambda: len({m["seq"] for m in session.messages(chat_id)})
            == count, f"all {count} messages", 30 * PATIENCE)


async def test_the_only_chatd_killed_in_the_middle_and_started_again(new_stack):
    stack = new_stack(gateways=2)
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    one = Sender(ann, chat_id, 1000, "ann in the storm")
    other = Sender(ben, chat_id, 1000, "ben in the storm")

    async def kill_and_restart():
        await one.until_acked(200)
        stack.chatds[0].kill()
        # Both senders have traffic in flight, so both hear of the outage.
        await ann.wait("error", lambda f: f["reason"] == "unavailable")
        stack.chatds[0].start()
    await asyncio.gather(one.run(), other.run(), kill_and_restart())
    assert one.slowest < ANSWER_SECONDS and other.slowest < ANSWER_SECONDS
    check_nothing_lost_or_doubled(stack, chat_id, one, other)
    await check_both_heard_all(chat_id, 2000, ann, ben)
    assert ann.is_open() and ben.is_open()


async def test_killed_again_and_again(new_stack):
    stack = new_stack(gateways=2)
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    one = Sender(ann, chat_id, 600, "ann never gives up")
    other = Sender(ben, chat_id, 600, "ben never gives up")

    async def torment():
        for wanted in (50, 200, 350, 500):
            await one.until_acked(wanted)
            stack.chatds[0].kill()
            stack.chatds[0].start()
    await asyncio.gather(one.run(), other.run(), torment())
    check_nothing_lost_or_doubled(stack, chat_id, one, other)
    await check_both_heard_all(chat_id, 1200, ann, ben)


async def test_one_of_two_chatds_killed_and_the_other_takes_over(new_stack):
    stack = new_stack(gateways=2, chatds=2)
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    one = Sender(ann, chat_id, 500, "ann with two of them")
    other = Sender(ben, chat_id, 500, "ben with two of them")

    async def torment():
        await one.until_acked(100)
        stack.chatds[0].kill()
        await one.until_acked(250)
        stack.chatds[0].start().wait_ready()
        stack.chatds[1].kill()
        await one.until_acked(400)
        stack.chatds[1].start()
    await asyncio.gather(one.run(), other.run(), torment())
    check_nothing_lost_or_doubled(stack, chat_id, one, other)
    await check_both_heard_all(chat_id, 1000, ann, ben)


async def test_without_chatd_requests_are_unavailable_and_sockets_stay(new_stack):
    stack = new_stack(settings={"gateway": {"request_timeout": "1s"}})
    ann, ben, chat_id = await pair(stack)
    stack.chatds[0].kill()
    for kind, fields in (("open_chat", {"chat_id": chat_id}),
                         ("search_people", {"input": "x"}),
                         ("chat_messages_read", {"chat_id": chat_id})):
        answer = await ann.ask(kind, **fields)
        assert (answer["type"], answer["request"], answer["reason"]) == \
            ("error", kind, "unavailable")
    answer = await ann.say(chat_id, "nobody stores this one")
    assert answer["reason"] == "unavailable" and answer["front_msg_id"]
    # A good token is never refused because a service is down.
    late = await Session.open(stack.gateways[0], ben.account, wait=False)
    assert (await late.wait_closed())[0] == 1013
    stack.chatds[0].start().wait_ready()
    lenient(ann, ben)
    answer = await ann.say(chat_id, "and now it is stored")
    assert answer["type"] == "new_message" and ann.is_open()
    assert (await chat_info(ben, chat_id))["last_seq"] in (1, 2)


async def test_a_chatd_that_hangs_is_as_good_as_dead(new_stack):
    stack = new_stack(gateways=2, settings={
        "gateway": {"request_timeout": "1s"}})
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    stack.chatds[0].pause()
    answer = await ann.say(chat_id, "into the silence of it")
    assert answer["reason"] == "unavailable"
    stack.chatds[0].resume()
    one = Sender(ann, chat_id, 20, "after it woke up")
    await one.run()
    await ben.until(lambda: set(one.texts.values()) <= {
        m["content"] for m in ben.messages(chat_id)})


async def test_messages_acknowledged_just_before_the_kill_reach_the_other(
        new_stack):
    # The publish of an acknowledged message may have died with the chatd; who is
    # connected gets it all the same, as catch-up.
    stack = new_stack(gateways=2)
    ann, ben, chat_id = await pair(stack)
    lenient(ann, ben)
    for round_ in range(4):
        sender = Sender(ann, chat_id, 100, f"round {round_} of the test")
        run = asyncio.ensure_future(sender.run())
        await sender.until_acked(30)
        stack.chatds[0].kill()
        stack.chatds[0].start()
        await run
    await check_both_heard_all(chat_id, 400, ben, ann)
