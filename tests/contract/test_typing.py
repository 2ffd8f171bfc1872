"""typing: told to the other members, never stored, met with silence.

SPDX-License-Identifier: MIT
"""

from support.client import new_id, private_chat
from support.scene import device, pair, person


async def test_other_members_sessions_hear_who_is_typing(stack):
    ann, ben, chat_id = await pair(stack)
    ben_phone = await device(stack, ben)
    await ann.send({"type": "typing", "chat_id": chat_id, "is_typing": True})
    for session in (ben, ben_phone):
        assert await session.wait("typing") == {
            "type": "typing", "chat_id": chat_id,
            "user_id": ann.account.id, "is_typing": True}
    mark = ben.mark()
    await ann.send({"type": "typing", "chat_id": chat_id, "is_typing": False})
    assert (await ben.wait("typing", since=mark))["is_typing"] is False


async def test_typing_is_met_with_silence_and_not_told_to_oneself(stack):
    ann, ben, chat_id = await pair(stack)
    ann_phone = await device(stack, ann, 1)
    eve = await person(stack)
    mark = ann.mark()
    await ann.send({"type": "typing", "chat_id": chat_id, "is_typing": True,
                    "request_id": "nobody answers"})
    await ben.wait("typing")
    await ann.fence()
    await ann_phone.fence()
    await eve.fence()
    assert [f["type"] for f in ann.frames[mark:]
            if f["type"] != "user_status_changed"] == ["person_info"]
    assert not ann_phone.all("typing") and not eve.all("typing")


async def test_typing_in_a_notes_chat_is_told_to_nobody(stack):
    ann = await person(stack)
    notes = await private_chat(ann, ann)
    await ann.send({"type": "typing", "chat_id": notes, "is_typing": True})
    await ann.fence()
    assert not ann.all("typing")


async def test_typing_in_a_strangers_or_unknown_chat_is_forbidden(stack):
    ann, ben, chat_id = await pair(stack)
    eve = await person(stack)
    for chat in (chat_id, new_id()):
        answer = await eve.ask("typing", chat_id=chat, is_typing=True)
        assert (answer["type"], answer["chat_id"]) == ("chat_forbidden", chat)
    await ann.fence()
    await ben.fence()
    assert not ann.all("typing") and not ben.all("typing")


async def test_typing_is_never_stored(stack):
    ann, ben, chat_id = await pair(stack)
    await ann.send({"type": "typing", "chat_id": chat_id, "is_typing": True})
    await ben.wait("typing")
    phone = await device(stack, ben)
    await phone.fence()
    assert not phone.all("typing")
    info = await ben.ask("open_chat", chat_id=chat_id)
    assert info["chat"]["messages"] == [] and info["chat"]["last_seq"] == 0


async def test_typing_keeps_its_order(stack):
    ann, ben, chat_id = await pair(stack)
    for i in range(20):
        await ann.send({"type": "typing", "chat_id": chat_id,
                        "is_typing": i % 2 == 0})
    await ann.say(chat_id, "what I was typing")
    await ben.until(lambda: len(ben.all("typing")) == 20)
    assert [f["is_typing"] for f in ben.all("typing")] == [True, False] * 10


async def test_bad_fields_of_typing_are_named(stack):
    ann, ben, chat_id = await pair(stack)
    for fields, bad in (({"is_typing": True}, "chat_id"),
                        ({"chat_id": "x", "is_typing": True}, "chat_id"),
                        ({"chat_id": chat_id}, "is_typing"),
                        ({"chat_id": chat_id, "is_typing": None}, "is_typing"),
                        ({"chat_id": chat_id, "is_typing": 1}, "is_typing")):
        error = await ann.ask("typing", **fields)
        assert (error["type"], error["reason"], error["field"]) == \
            ("error", "invalid_field", bad), fields
