"""States of messages, receipts, reading and unread counts.

SPDX-License-Identifier: MIT
"""

from support.client import Session, new_id
from support.scene import (chat_info, delivered, device, pair, person,
                           pipeline, state_of)


async def test_a_message_to_someone_online_becomes_delivered(stack):
    ann, ben, chat_id = await pair(stack)
    phone = await device(stack, ann, 1)
    sent = await ann.say(chat_id, "are you there, ben")
    message_id = sent["message"]["id"]
    await delivered(ann, message_id)
    await delivered(phone, message_id)
    assert await state_of(ann, chat_id, message_id) == "delivered"
    await ben.fence()
    assert not ben.all("messages_delivered")


async def test_a_message_to_someone_offline_stays_sent_until_he_connects(stack):
    ann, ben, chat_id = await pair(stack)
    await ben.close()
    ids = [m["id"] for m in await pipeline(
        ann, chat_id, [f"read me later {i}" for i in range(5)])]
    assert await state_of(ann, chat_id, ids[-1]) == "sent"
    assert not ann.all("messages_delivered")
    await Session.open(stack.gateways[0], ben.account)
    await delivered(ann, *ids)
    assert await state_of(ann, chat_id, ids[0]) == "delivered"


async def test_receipts_name_each_message_once_and_many_together(stack):
    ann, ben, chat_id = await pair(stack)
    await ben.close()
    ids = [m["id"] for m in await pipeline(
        ann, chat_id, [f"one of fifty lines {i}" for i in range(50)])]
    await Session.open(stack.gateways[1], ben.account)
    await delivered(ann, *ids)
    frames = ann.all("messages_delivered")
    assert len(frames) < 50
    named = [i for f in frames for i in f["message_ids"]]
    assert sorted(named) == sorted(ids)


async def test_reading_tells_the_others_and_the_reader_s_own_devices(stack):
    ann, ben, chat_id = await pair(stack)
    ben_phone = await device(stack, ben, 0)
    ann_phone = await device(stack, ann, 1)
    sent = await ann.say(chat_id, "tell me when you read")
    await ben.wait("new_message")
    answer = await ben.ask("chat_messages_read", chat_id=chat_id)
    assert answer["type"] == "unread_changed"
    assert (answer["chat_id"], answer["unread_messages"]) == (chat_id, 0)
    own = await ben_phone.wait("unread_changed")
    assert (own["chat_id"], own["unread_messages"]) == (chat_id, 0)
    for session in (ann, ann_phone):
        told = await session.wait("chat_read")
        assert (told["chat_id"], told["reader_user_id"]) == \
            (chat_id, ben.account.id)
    assert await state_of(ann, chat_id, sent["message"]["id"]) == "read"
    assert not ben.all("chat_read") and not ben_phone.all("chat_read")


async def test_reading_twice_tells_the_others_once(stack):
    ann, ben, chat_id = await pair(stack)
    await ann.say(chat_id, "read this one twice")
    await ben.wait("new_message")
    for _ in range(3):
        answer = await ben.ask("chat_messages_read", chat_id=chat_id)
        assert answer["unread_messages"] == 0
    await ben.say(chat_id, "a fence for the events")
    await ann.wait("new_message",
                   lambda f: f["message"]["type"] == "incoming")
    assert len(ann.all("chat_read")) == 1
    await ann.say(chat_id, "and now a second one")
    await ben.until(lambda: len(ben.messages(chat_id)) == 3)
    await ben.ask("chat_messages_read", chat_id=chat_id)
    await ann.until(lambda: len(ann.all("chat_read")) == 2)


async def test_reading_an_empty_chat_tells_nobody(stack):
    ann, ben, chat_id = await pair(stack)
    answer = await ben.ask("chat_messages_read", chat_id=chat_id)
    assert (answer["type"], answer["unread_messages"]) == ("unread_changed", 0)
    await ben.say(chat_id, "a fence for the events")
    await ann.wait("new_message")
    assert not ann.all("chat_read")


async def test_sending_is_not_reading(stack):
    ann, ben, chat_id = await pair(stack)
    sent = await ann.say(chat_id, "did you see this one")
    await ben.wait("new_message")
    await ben.say(chat_id, "something else entirely")
    await delivered(ann, sent["message"]["id"])
    chat = await chat_info(ben, chat_id)
    assert chat["unread_messages"] == 1
    assert await state_of(ann, chat_id, sent["message"]["id"]) == "delivered"


async def test_unread_counts_follow_sending_and_reading(stack):
    ann, ben, chat_id = await pair(stack)
    await pipeline(ann, chat_id, [f"count me in {i}" for i in range(3)])
    await ben.until(lambda: len(ben.messages()) == 3)
    assert (await chat_info(ben, chat_id))["unread_messages"] == 3
    await ben.ask("chat_messages_read", chat_id=chat_id)
    assert (await chat_info(ben, chat_id))["unread_messages"] == 0
    await ann.say(chat_id, "one more after that")
    await ben.until(lambda: len(ben.messages()) == 4)
    assert (await chat_info(ben, chat_id))["unread_messages"] == 1
    assert (await chat_info(ann, chat_id))["unread_messages"] == 0


async def test_a_stranger_s_reading_does_nothing_but_chat_forbidden(stack):
    ann, ben, chat_id = await pair(stack)
    eve = await person(stack)
    sent = await ann.say(chat_id, "not for eve's eyes")
    await ben.wait("new_message")
    for chat in (chat_id, new_id()):
        answer = await eve.ask("chat_messages_read", chat_id=chat)
        assert (answer["type"], answer["chat_id"]) == ("chat_forbidden", chat)
    await delivered(ann, sent["message"]["id"])
    assert await state_of(ann, chat_id, sent["message"]["id"]) == "delivered"
    assert not ann.all("chat_read")


async def test_states_in_last_chats_are_as_honest(stack):
    ann, ben, chat_id = await pair(stack)
    await ben.close()
    await ann.say(chat_id, "follow this state closely")

    async def state():
        session = await device(stack, ann, 1)
        item, = session.info["last_chats"]
        await session.close()
        return item["last_message"]["state"]
    assert await state() == "sent"
    ben = await Session.open(stack.gateways[1], ben.account)
    await ann.wait("messages_delivered")
    assert await state() == "delivered"
    await ben.ask("chat_messages_read", chat_id=chat_id)
    await ann.wait("chat_read")
    assert await state() == "read"


async def test_reading_before_delivery_was_told_makes_it_read(stack):
    ann, ben, chat_id = await pair(stack)
    await ben.close()
    sent = await ann.say(chat_id, "read at once on arrival")
    ben = await Session.open(
        stack.gateways[1], ben.account,
        first=[{"type": "open_chat", "chat_id": chat_id},
               {"type": "chat_messages_read", "chat_id": chat_id}])
    await ben.wait("unread_changed")
    await ann.wait("chat_read")
    assert await state_of(ann, chat_id, sent["message"]["id"]) == "read"


async def test_answer_comes_before_every_receipt_that_covers_it(stack):
    # The invariants of every session watch it; this makes it likely to fail.
    ann, ben, chat_id = await pair(stack)
    await device(stack, ben, 0)
    for _ in range(3):
        answers = await pipeline(ann, chat_id,
                                 [f"a fast one {i}" for i in range(100)])
        await delivered(ann, *(m["id"] for m in answers))


async def test_seen_on_one_device_is_delivered_for_all(stack):
    ann, ben, chat_id = await pair(stack)
    phone = await device(stack, ben, 0)
    await ben.close()
    sent = await ann.say(chat_id, "one device is enough")
    await phone.wait("new_message")
    await delivered(ann, sent["message"]["id"])
