"""send_message: who hears what, what is refused, and that a repeat stores nothing.

SPDX-License-Identifier: MIT
"""

import asyncio

import pytest

from support.client import (Session, message_frame, new_id, private_chat)
from support.scene import chat_info, device, pair, person, pipeline


async def test_sender_devices_and_receiver_each_get_their_own_view(stack):
    ann, ben, chat_id = await pair(stack)
    phone = await device(stack, ann, 1)
    front = new_id()
    answer = (await ann.say(chat_id, "a view for everyone", front))["message"]
    assert answer["type"] == "outgoing" and answer["front_msg_id"] == front
    assert answer["user_id"] == ann.account.id and answer["seq"] == 1
    assert answer["state"] == "sent" and answer["format"] == "text"
    assert answer["content"] == "a view for everyone"
    assert answer["sender_name"] == ann.account.name
    assert answer["deleted_at"] is None and answer["filename"] is None
    own = (await phone.wait("new_message"))["message"]
    assert own["type"] == "outgoing" and own["front_msg_id"] == front
    theirs = (await ben.wait("new_message"))["message"]
    assert theirs["type"] == "incoming" and theirs["front_msg_id"] is None
    same = ("id", "content", "user_id", "chat_id", "seq", "time")
    assert [own[k] for k in same] == [answer[k] for k in same] \
        == [theirs[k] for k in same]
    await ann.fence()
    assert len(ann.messages()) == 1


async def test_chat_id_may_stand_at_the_top_in_msg_or_in_both(stack):
    ann, ben, chat_id = await pair(stack)
    for number, (top, inner) in enumerate([
            ({"chat_id": chat_id}, {}), ({}, {"chat_id": chat_id}),
            ({"chat_id": chat_id}, {"chat_id": chat_id}),
            ({"chat_id": None}, {"chat_id": chat_id}),
            ({"chat_id": chat_id}, {"chat_id": None})]):
        msg = {"front_msg_id": new_id(), "content": f"placed in way {number}"}
        answer = await ann.ask("send_message", msg=dict(msg, **inner), **top)
        assert answer["type"] == "new_message", answer
        assert answer["message"]["seq"] == number + 1
        assert answer["message"]["format"] == "text"


async def test_chat_id_missing_or_contradicting_is_an_invalid_field(stack):
    ann, ben, chat_id = await pair(stack)
    for top, inner in (({}, {}), ({"chat_id": chat_id},
                                  {"chat_id": new_id()})):
        front = new_id()
        msg = {"front_msg_id": front, "content": "where does this go"}
        error = await ann.ask("send_message", msg=dict(msg, **inner), **top)
        assert (error["reason"], error["front_msg_id"]) == \
            ("invalid_field", front)
        assert error["field"] in ("chat_id", "msg.chat_id")


async def test_the_seed_s_whole_example_is_taken_and_nothing_trusted(stack):
    ann, ben, chat_id = await pair(stack)
    claimed = new_id()
    answer = await ann.ask("send_message", chat_id=chat_id, msg={
        "id": claimed, "front_msg_id": new_id(), "chat_id": None,
        "content": "as the example has it", "state": "sending",
        "sender_user_id": ben.account.id, "type": "incoming",
        "time": "2001-02-03T04:05:06Z", "avatar_url": "http://evil.test/x",
        "format": "text"})
    message = answer["message"]
    assert message["id"] != claimed and message["type"] == "outgoing"
    assert message["user_id"] == ann.account.id
    assert message["time"] > "2026" and message["state"] == "sent"
    assert message["avatar_url"].startswith("http://parley.test/")


@pytest.mark.parametrize("content", [
    "  spaces kept on both sides  ", "tab\tnewline\nreturn\r end of it",
    "quote \" backslash \\ slash / done", "\u0001\u001f control kept here",
    "e\u0301 combining, \u00e9 composed", "\U0001F469\u200D\U0001F4BB at work",
    "\u202e right to left over", "<script>alert(1)</script>", "x", "0",
    "\ufeffbyte order mark first", "\u2028 line separator in it",
    "\uffff and \U0010ffff at the ends"])
async def test_content_is_kept_exactly_as_sent(stack, content):
    ann, ben, chat_id = await pair(stack)
    answer = await ann.say(chat_id, content)
    assert answer["message"]["content"] == content
    heard = await ben.wait("new_message")
    assert heard["message"]["content"] == content
    chat = await chat_info(ben, chat_id)
    assert chat["messages"][0]["content"] == content


async def test_content_may_have_5000_code_points_and_no_more(stack):
    ann, ben, chat_id = await pair(stack)
    longest = "\U0001F600" * 5000
    answer = await ann.say(chat_id, longest)
    assert answer["message"]["content"] == longest
    error = await ann.say(chat_id, "a" * 5001)
    assert (error["reason"], error["field"]) == \
        ("invalid_field", "msg.content")


@pytest.mark.parametrize("field, value", [
    ("content", ""), ("content", "   "), ("content", "\t\n\u00a0\u2003\u3000"),
    ("content", None), ("content", 5), ("content", ["x"]), ("content", True),
    ("content", "nul \u0000 within"), ("format", "html"), ("format", 1),
    ("format", "TEXT"), ("filename", "f" * 256), ("filename", 1),
    ("front_msg_id", "not-a-uuid"), ("front_msg_id", None),
    ("front_msg_id", 7)])
async def test_an_invalid_field_of_a_message_is_named(stack, field, value):
    ann, ben, chat_id = await pair(stack)
    frame = message_frame(chat_id, "would be a fine text")
    frame["msg"][field] = value
    error = await ann.ask("send_message", **frame)
    assert error["type"] == "error" and error["request"] == "send_message"
    assert error["reason"] == "invalid_field"
    assert error["field"] == "msg." + field
    if field != "front_msg_id":
        assert error["front_msg_id"] == frame["msg"]["front_msg_id"]
    assert (await chat_info(ann, chat_id))["last_seq"] == 0


@pytest.mark.parametrize("msg", [None, 5, "text", [], True])
async def test_msg_must_be_an_object(stack, msg):
    ann, ben, chat_id = await pair(stack)
    error = await ann.ask("send_message", chat_id=chat_id, msg=msg)
    assert (error["reason"], error["field"]) == ("invalid_field", "msg")


async def test_a_missing_key_is_an_invalid_field(stack):
    ann, ben, chat_id = await pair(stack)
    for key in ("content", "front_msg_id"):
        frame = message_frame(chat_id, "would be a fine text")
        del frame["msg"][key]
        error = await ann.ask("send_message", **frame)
        assert (error["reason"], error["field"]) == \
            ("invalid_field", "msg." + key)


@pytest.mark.parametrize("kind", ["image", "video", "audio", "file"])
async def test_media_must_be_a_url_of_our_own(stack, kind):
    ann, ben, chat_id = await pair(stack)
    good = await ann.say(chat_id, "http://parley.test/media/abcdef.bin",
                         format=kind, filename="holiday.bin")
    assert good["type"] == "new_message"
    assert good["message"]["format"] == kind
    assert good["message"]["filename"] == "holiday.bin"
    for content in ("javascript:alert(1)//http://parley.test/",
                    "https://elsewhere.test/media/x", "/media/abcdef",
                    "http://parley.test.evil.test/x",
                    "http://parley.test@evil.test/x", "just words here",
                    "ftp://parley.test/media/x", "http://parley.test:81/x"):
        error = await ann.say(chat_id, content, format=kind)
        assert (error["type"], error["reason"]) == ("error", "invalid_field")
        assert error["field"] == "msg.content"


async def test_same_front_msg_id_again_stores_nothing(stack):
    ann, ben, chat_id = await pair(stack)
    front = new_id()
    first = (await ann.say(chat_id, "said only once", front))["message"]
    again = (await ann.say(chat_id, "said only once", front))["message"]
    changed = (await ann.say(chat_id, "with other words", front))["message"]
    for repeat in (again, changed):
        assert repeat["front_msg_id"] == front
        for key in ("id", "seq", "time", "content"):
            assert repeat[key] == first[key]
    await ann.say(chat_id, "the next new message")
    await ben.until(lambda: len(ben.messages(chat_id)) >= 2)
    assert [m["seq"] for m in ben.messages(chat_id)] == [1, 2]


async def test_a_repeat_tells_the_present_state(stack):
    ann, ben, chat_id = await pair(stack)
    front = new_id()
    await ann.say(chat_id, "how is it going by now", front)
    await ben.wait("new_message")
    await ben.ask("chat_messages_read", chat_id=chat_id)
    await ann.wait("chat_read")
    again = await ann.say(chat_id, "how is it going by now", front)
    assert again["message"]["state"] == "read"


async def test_same_front_msg_id_on_another_connection_stores_nothing(stack):
    ann, ben, chat_id = await pair(stack)
    front = new_id()
    first = await ann.say(chat_id, "from the first device", front)
    await ann.close()
    phone = await device(stack, ann, 1)
    again = await phone.say(chat_id, "from the first device", front)
    assert again["message"]["id"] == first["message"]["id"]
    assert (await chat_info(phone, chat_id))["last_seq"] == 1


async def test_same_front_msg_id_in_another_chat_gives_the_first_message(stack):
    ann, ben, chat_id = await pair(stack)
    cleo = await person(stack, 1)
    other = await private_chat(ann, cleo)
    front = new_id()
    first = await ann.say(chat_id, "meant for ben alone", front)
    again = await ann.say(other, "meant for ben alone", front)
    assert again["message"]["id"] == first["message"]["id"]
    assert again["message"]["chat_id"] == chat_id
    assert (await chat_info(ann, other))["last_seq"] == 0
    await cleo.fence()
    assert not cleo.messages()


async def test_same_front_msg_id_at_once_from_many_connections(stack):
    ann, ben, chat_id = await pair(stack)
    sessions = [ann] + [await device(stack, ann, i % 2) for i in range(5)]
    for round_ in range(5):
        front = new_id()
        answers = await asyncio.gather(*(
            s.say(chat_id, f"a race in round {round_}", front)
            for s in sessions))
        assert len({a["message"]["id"] for a in answers}) == 1
    chat = await chat_info(ben, chat_id)
    assert chat["last_seq"] == 5
    await ben.until(lambda: len(ben.messages(chat_id)) >= 5)
    assert [m["seq"] for m in ben.messages(chat_id)] == [1, 2, 3, 4, 5]


async def test_front_msg_id_is_the_sender_s_own(stack):
    ann, ben, chat_id = await pair(stack)
    front = new_id()
    one = await ann.say(chat_id, "the same id from ann", front)
    other = await ben.say(chat_id, "the same id from ben", front)
    assert one["message"]["id"] != other["message"]["id"]
    assert other["message"]["seq"] == 2


async def test_upper_case_front_msg_id_is_the_same_id(stack):
    ann, ben, chat_id = await pair(stack)
    front = new_id()
    first = await ann.say(chat_id, "in upper case letters", front.upper())
    assert first["message"]["front_msg_id"] == front
    again = await ann.say(chat_id, "in upper case letters", front)
    assert again["message"]["id"] == first["message"]["id"]


async def test_a_stranger_s_message_is_forbidden_with_its_front_msg_id(stack):
    ann, ben, chat_id = await pair(stack)
    eve = await person(stack)
    for chat in (chat_id, new_id()):
        front = new_id()
        answer = await eve.say(chat, "let me in, it is me", front)
        assert answer["type"] == "chat_forbidden"
        assert answer["chat_id"] == chat and answer["front_msg_id"] == front
    assert (await chat_info(ann, chat_id))["last_seq"] == 0


async def test_pipelined_sends_are_stored_and_answered_in_order(stack):
    ann, ben, chat_id = await pair(stack)
    texts = [f"one of a hundred: {i}" for i in range(100)]
    answers = await pipeline(ann, chat_id, texts)
    assert [a["seq"] for a in answers] == list(range(1, 101))
    assert [m["content"] for m in ann.messages(chat_id)] == texts
    await ben.until(lambda: len(ben.messages(chat_id)) == 100)
    assert [m["content"] for m in ben.messages(chat_id)] == texts


async def test_sends_that_fail_amid_others_are_answered_in_their_turn(stack):
    """Sends to one chat go to chatd together: what they do to each other is
    nothing, whoever of us refuses the one or the other."""
    ann, ben, chat_id = await pair(stack)
    cleo = await person(stack)
    other = await private_chat(ann, cleo)
    foreign = await private_chat(ben, cleo)
    again = new_id()
    kinds = [
        ("new_message", lambda: message_frame(chat_id, "first of a run")),
        ("new_message", lambda: message_frame(chat_id, "one and the same",
                                              again)),
        ("error", lambda: message_frame(chat_id, "")),
        ("new_message", lambda: message_frame(chat_id, "one and the same",
                                              again)),
        ("error", lambda: message_frame(chat_id, "no key at all",
                                        front_msg_id="none")),
        ("new_message", lambda: message_frame(chat_id, "last of a run")),
        ("chat_forbidden", lambda: message_frame(foreign, "not hers")),
        ("new_message", lambda: message_frame(other, "to somebody else")),
        ("error", lambda: {"chat_id": chat_id}),
        ("new_message", lambda: message_frame(chat_id, "back again")),
    ]
    mark = ann.mark()
    for i in range(100):
        await ann.send(dict(kinds[i % 10][1](), type="send_message",
                            request_id=f"r{i}"))
    await ann.wait(lambda f: f.get("request_id") == "r99", since=mark)
    answers = [f for f in ann.frames[mark:] if "request_id" in f]
    assert [(f["request_id"], f["type"]) for f in answers] == \
        [(f"r{i}", kinds[i % 10][0]) for i in range(100)]
    seqs = {}
    for i, f in enumerate(answers):
        if f["type"] == "new_message" and i % 10 not in (1, 3):
            seqs.setdefault(f["message"]["chat_id"], []).append(
                f["message"]["seq"])
    same, = {f["message"]["seq"] for f in answers[1::10] + answers[3::10]}
    assert sorted(seqs[chat_id] + [same]) == list(range(1, 32))
    assert seqs[chat_id] == sorted(seqs[chat_id])
    assert seqs[other] == list(range(1, 11))
    await ben.until(lambda: len(ben.messages(chat_id)) == 31)


async def test_requests_of_one_connection_are_answered_in_order(stack):
    ann, ben, chat_id = await pair(stack)
    mark = ann.mark()
    for i in range(20):
        await ann.send(dict(message_frame(chat_id, f"in between {i}"),
                            type="send_message", request_id=f"s{i}"))
        await ann.send({"type": "open_chat", "chat_id": chat_id,
                        "request_id": f"o{i}"})
        await ann.send({"type": "search_people", "input": "",
                        "request_id": f"p{i}"})
        await ann.send({"type": "no_such_thing", "request_id": f"n{i}"})
    await ann.wait(lambda f: f.get("request_id") == "n19", since=mark)
    ids = [f["request_id"] for f in ann.frames[mark:] if "request_id" in f]
    assert ids == [f"{k}{i}" for i in range(20) for k in "sopn"]
    opened = ann.all("chat_info", mark)
    assert [f["chat"]["last_seq"] for f in opened] == list(range(1, 21))


async def test_many_writers_make_one_gapless_order(stack):
    ann, ben, chat_id = await pair(stack)
    writers = [ann, ben, await device(stack, ann, 1),
               await device(stack, ben, 0)]
    await asyncio.gather(*(
        pipeline(w, chat_id, [f"writer {n} says {i}" for i in range(50)])
        for n, w in enumerate(writers)))
    for session in writers:
        await session.until(lambda: len(
            {m["seq"] for m in session.messages(chat_id)}) == 200)
    orders = []
    for session in writers:
        by_seq = {m["seq"]: m["id"] for m in session.messages(chat_id)}
        assert sorted(by_seq) == list(range(1, 201))
        orders.append(by_seq)
    assert all(order == orders[0] for order in orders)
    rows = stack.sql("SELECT count(*), count(DISTINCT seq), max(seq) "
                     "FROM messages WHERE chat_id = %s", chat_id)
    assert rows == [(200, 200, 200)]


async def test_a_client_that_speaks_only_the_seed_is_served(stack):
    ann, ben, chat_id = await pair(stack)
    mark = ann.mark()
    front = new_id()
    await ann.send({"type": "send_message", "msg": {
        "id": front, "front_msg_id": front, "chat_id": chat_id,
        "content": "no request_id at all", "state": "sending",
        "sender_user_id": ann.account.id, "type": "outgoing",
        "time": "2026-02-07T22:55:00Z", "avatar_url": "", "format": "text"}})
    frame = await ann.wait("new_message", since=mark)
    assert "request_id" not in frame
    assert frame["message"]["front_msg_id"] == front


async def test_a_reconnecting_client_finds_what_it_missed(stack):
    ann, ben, chat_id = await pair(stack)
    await ben.close()
    await pipeline(ann, chat_id, [f"while you were out {i}" for i in range(9)])
    again = await Session.open(stack.gateways[0], ben.account)
    assert again.info["last_chats"][0]["unread_messages"] == 9
    chat = await chat_info(again, chat_id)
    assert [m["seq"] for m in chat["messages"]] == list(range(1, 10))
    assert not again.messages()
