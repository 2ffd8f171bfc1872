"""create_private_chat and open_chat.

SPDX-License-Identifier: MIT
"""

import asyncio

from support.client import new_id, private_chat
from support.scene import chat_info, device, pair, person, pipeline


async def test_both_sides_are_told_of_a_new_private_chat(stack):
    ann, ben = await person(stack, 0), await person(stack, 1)
    ann_phone = await device(stack, ann, 1)
    created = await ann.ask("create_private_chat", user_id=ben.account.id)
    chat, item = created["chat"], created["chat_item"]
    assert chat["id"] == item["id"]
    assert chat["type"] == item["type"] == "private"
    assert chat["messages"] == [] and chat["last_seq"] == 0
    assert {m["user_id"] for m in chat["members"]} == \
        {ann.account.id, ben.account.id}
    assert item["name"] == chat["name"] == ben.account.name
    assert item["other_user_id"] == ben.account.id
    assert item["last_message"] is None and item["unread_messages"] == 0
    assert item["status"] == chat["status"] == "Online"
    told = await ben.wait("private_chat_created")
    assert told["chat"] is None
    assert told["chat_item"]["id"] == chat["id"]
    assert told["chat_item"]["name"] == ann.account.name
    assert told["chat_item"]["other_user_id"] == ann.account.id
    own = await ann_phone.wait("private_chat_created")
    assert own["chat"] is None and own["chat_item"] == item
    assert len(ann.all("private_chat_created")) == 1


async def test_created_again_it_is_the_same_chat_and_only_the_asker_hears(stack):
    ann, ben, chat_id = await pair(stack)
    again = await ann.ask("create_private_chat", user_id=ben.account.id)
    assert again["chat"]["id"] == again["chat_item"]["id"] == chat_id
    back = await ben.ask("create_private_chat", user_id=ann.account.id)
    assert back["chat"]["id"] == chat_id
    # Ben has heard of the first one, and of his own.
    await ann.say(chat_id, "a fence for the events")
    await ben.wait("new_message")
    assert len(ben.all("private_chat_created")) == 2


async def test_both_ask_at_once_and_get_one_chat(stack):
    for _ in range(10):
        ann, ben = await person(stack, 0), await person(stack, 1)
        one, other = await asyncio.gather(
            ann.ask("create_private_chat", user_id=ben.account.id),
            ben.ask("create_private_chat", user_id=ann.account.id))
        assert one["chat"]["id"] == other["chat"]["id"]
        rows = await device(stack, ann)
        assert len(rows.info["last_chats"]) == 1


async def test_other_side_knows_the_chat_before_its_first_message(stack):
    ben = await person(stack, 1)
    for i in range(20):
        ann = await person(stack, 0)
        created = await ann.ask("create_private_chat", user_id=ben.account.id)
        chat_id = created["chat_item"]["id"]
        await ann.say(chat_id, f"first words number {i}")
        await ben.wait("new_message",
                       lambda f: f["message"]["chat_id"] == chat_id)
        kinds = [f["type"] for f in ben.frames
                 if f["type"] == "private_chat_created"
                 and f["chat_item"]["id"] == chat_id
                 or f["type"] == "new_message"
                 and f["message"]["chat_id"] == chat_id]
        assert kinds == ["private_chat_created", "new_message"]


async def test_chat_with_oneself_is_for_notes(stack):
    ann = await person(stack)
    created = await ann.ask("create_private_chat", user_id=ann.account.id)
    assert [m["user_id"] for m in created["chat"]["members"]] == \
        [ann.account.id]
    chat_id = created["chat_item"]["id"]
    again = await ann.ask("create_private_chat", user_id=ann.account.id)
    assert again["chat_item"]["id"] == chat_id
    answer = await ann.say(chat_id, "buy bread and milk")
    assert answer["message"]["state"] == "read"
    phone = await device(stack, ann)
    item, = phone.info["last_chats"]
    assert item["id"] == chat_id and item["unread_messages"] == 0
    assert item["last_message"]["state"] == "read"


async def test_chat_with_nobody_is_not_found(stack):
    ann = await person(stack)
    error = await ann.ask("create_private_chat", user_id=new_id())
    assert (error["type"], error["request"], error["reason"]) == \
        ("error", "create_private_chat", "not_found")


async def test_upper_case_ids_are_taken_and_answered_in_lower_case(stack):
    ann, ben, chat_id = await pair(stack)
    created = await ann.ask("create_private_chat",
                            user_id=ben.account.id.upper())
    assert created["chat_item"]["id"] == chat_id
    info = await ann.ask("open_chat", chat_id=chat_id.upper())
    assert info["chat"]["id"] == chat_id


async def test_open_chat_shows_members_and_messages(stack):
    ann, ben, chat_id = await pair(stack)
    sent = await ann.say(chat_id, "the first line here")
    back = await ben.say(chat_id, "and the second one")
    await ben.ask("chat_messages_read", chat_id=chat_id)
    chat = await chat_info(ann, chat_id)
    assert [m["id"] for m in chat["messages"]] == \
        [sent["message"]["id"], back["message"]["id"]]
    assert [m["type"] for m in chat["messages"]] == ["outgoing", "incoming"]
    assert [m["sender_name"] for m in chat["messages"]] == \
        [ann.account.name, ben.account.name]
    assert chat["name"] == ben.account.name and chat["status"] == "Online"
    assert chat["unread_messages"] == 1 and chat["last_seq"] == 2
    members = {m["user_id"]: m for m in chat["members"]}
    ben_member = members[ben.account.id]
    assert ben_member["username"] == ben.account.username
    assert ben_member["name"] == ben.account.name
    assert ben_member["nickname"] is None
    assert ben_member["status"] == "Online"
    assert ben_member["last_read_at"] is not None
    assert members[ann.account.id]["last_read_at"] is None


async def test_open_chat_gives_the_newest_50_oldest_first(stack):
    ann, ben, chat_id = await pair(stack)
    await pipeline(ann, chat_id, [f"message number {i}" for i in range(1, 51)])
    chat = await chat_info(ben, chat_id)
    assert [m["seq"] for m in chat["messages"]] == list(range(1, 51))
    assert chat["has_more"] is False
    await pipeline(ann, chat_id, [f"message number {i}" for i in range(51, 61)])
    chat = await chat_info(ben, chat_id)
    assert [m["content"] for m in chat["messages"]] == \
        [f"message number {i}" for i in range(11, 61)]
    assert chat["has_more"] is True and chat["last_seq"] == 60
    assert chat["unread_messages"] == 60


async def test_stranger_and_unknown_chat_get_chat_forbidden(stack):
    ann, ben, chat_id = await pair(stack)
    eve = await person(stack)
    unknown = new_id()
    for chat in (chat_id, unknown):
        answer = await eve.ask("open_chat", chat_id=chat)
        assert (answer["type"], answer["chat_id"]) == ("chat_forbidden", chat)


async def test_a_stranger_hears_nothing_of_a_chat(stack):
    ann, ben, chat_id = await pair(stack)
    eve = await person(stack, 1)
    await ann.say(chat_id, "between the two of us")
    await ben.wait("new_message")
    await private_chat(eve, ben)
    await eve.fence()
    assert not eve.messages()
