"""Sends of one connection, one behind the other: they go on together, and no faster
than what they lead to is taken.

SPDX-License-Identifier: MIT
"""

import asyncio

from support.client import PATIENCE, private_chat
from support.process import poll
from support.scene import person, pipeline


async def test_what_one_says_at_once_is_stored_together(new_stack):
    stack = new_stack()
    ann, ben = await person(stack), await person(stack)
    chat_id = await private_chat(ann, ben)

    def stored():
        name = "parley_writer_batch_size"
        return [stack.chatds[0].metric(f"{name}_{part}")
                for part in ("count", "sum")]
    batches, sends = stored()
    texts = [f"one of two hundred {i}" for i in range(200)]
    await pipeline(ann, chat_id, texts)
    assert [m["content"] for m in ann.messages(chat_id)] == texts
    now_batches, now_sends = stored()
    assert now_sends - sends == 200
    # One by one they would be as many; 16 go at most.
    assert 200 / 16 <= now_batches - batches <= 100


async def test_who_is_far_ahead_of_the_others_is_told_nothing_twice(new_stack):
    """Ann's answers come, what the others say in between does not."""
    stack = new_stack(gateways=2, relays=["gateway-redis"])
    ann = await person(stack, 0)
    ben = await person(stack, 1)
    chat_id = await private_chat(ann, ben)
    rounds = 150
    stack.relay("gateway-1", "redis").hold("down")
    mark = ann.mark()
    for i in range(rounds):
        for session in (ann, ben):
            answer = await session.say(chat_id, f"in turn, the {i}th time")
            assert answer["type"] == "new_message", answer
    stack.relay("gateway-1", "redis").release()
    for session in (ann, ben):
        await session.until(lambda session=session: len(
            session.messages(chat_id)) >= 2 * rounds, "all messages",
            10 * PATIENCE)
        await session.fence()
    for session in (ann, ben):
        seqs = [m["seq"] for m in session.messages(
            chat_id, mark if session is ann else 0)]
        assert sorted(seqs) == list(range(1, 2 * rounds + 1))


async def test_nothing_is_stored_faster_than_redis_takes_it(new_stack):
    """Else it would pile up until it is thrown away, and all had to be read from
    the database again."""
    stack = new_stack(relays=["chatd-redis"])
    ann, ben = await person(stack), await person(stack)
    chat_id = await private_chat(ann, ben)
    chatd = stack.chatds[0]
    resyncs = chatd.metric("parley_chatd_resyncs_total")
    # 16 KiB each, to both: 12 MiB in all. The relay and the sockets keep some.
    texts = [chr(0x1F600 + i % 64) * 4096 for i in range(375)]
    link = stack.relay("chatd-1", "redis")
    link.limit(3 << 19)
    sending = asyncio.ensure_future(pipeline(ann, chat_id, texts))
    await asyncio.to_thread(
        poll, lambda: chatd.metric("parley_writer_held_total") > 0,
        "a writer that waits", 30 * PATIENCE)
    link.limit(None)
    await sending
    await ben.until(lambda: len(ben.messages(chat_id)) == len(texts),
                    "all messages", 30 * PATIENCE)
    assert [m["content"] for m in ben.messages(chat_id)] == texts
    assert chatd.metric("parley_chatd_resyncs_total") == resyncs
