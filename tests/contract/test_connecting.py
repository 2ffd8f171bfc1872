"""GET /ws: where the token may stand, how it is refused, what comes first.

SPDX-License-Identifier: MIT
"""

import base64
import os
import struct

import pytest

from support.client import (DEADLINE, Session, new_id, private_chat, register)
from support.scene import device, pair, person, pipeline


@pytest.mark.parametrize("place", ["query", "header", "cookie"])
async def test_token_is_taken_from_each_place(stack, place):
    account = register(stack.gateways[0])
    session = await Session.open(stack.gateways[0], account, place=place)
    assert session.info["user"]["username"] == account.username


async def test_token_in_the_query_goes_before_the_header(stack):
    account = register(stack.gateways[0])
    session = Session(stack.gateways[0], account)
    bad = base64.urlsafe_b64encode(os.urandom(32)).rstrip(b"=").decode()
    gateway = stack.gateways[0]
    session = await Session.open(gateway, account, wait=False, place="query",
                                 token=bad)
    assert await session.wait_closed() == (1008, "Unauthorized")


async def test_no_token_closes_1008_token_missing(stack):
    session = await Session.open(stack.gateways[0], None, wait=False,
                                 place="none", token="")
    assert await session.wait_closed() == (1008, "Token missing")
    assert session.frames == []


@pytest.mark.parametrize("token", [
    base64.urlsafe_b64encode(b"x" * 32).rstrip(b"=").decode(),
    "short", "not/base64?at*all" * 3, "x" * 4000])
async def test_unknown_token_closes_1008_unauthorized(stack, token):
    session = await Session.open(stack.gateways[0], None, wait=False,
                                 token=token)
    assert await session.wait_closed() == (1008, "Unauthorized")
    assert session.frames == []


async def test_token_expires_for_the_open_socket_and_for_a_new_one(new_stack):
    stack = new_stack(settings={"chatd": {"token_ttl": "3s"}})
    session = await person(stack)
    assert await session.wait_closed() == (1008, "Token expired")
    again = await Session.open(stack.gateways[0], session.account, wait=False)
    assert await again.wait_closed() == (1008, "Token expired")


async def test_user_info_shows_the_account(stack):
    ann = await person(stack, name="  Ann Example ")
    user = ann.info["user"]
    assert user["username"] == ann.account.username
    assert user["name"] == "Ann Example"
    assert user["email"] == ann.account.username + "@example.org"
    assert user["avatar_url"].startswith("http://parley.test/")
    assert ann.info["last_chats"] == []


async def test_open_chat_as_the_very_first_frame_is_answered(stack):
    ann, ben, chat_id = await pair(stack)
    again = await Session.open(
        stack.gateways[1], ann.account,
        first=[{"type": "open_chat", "chat_id": chat_id}])
    info = await again.wait("chat_info")
    assert info["chat"]["id"] == chat_id
    # Only the notice that Ben is there may come between.
    assert [f["type"] for f in again.frames
            if f["type"] != "user_status_changed"][:2] == \
        ["user_info", "chat_info"]


async def test_frames_sent_before_user_info_are_handled_in_order(stack):
    ann, ben, chat_id = await pair(stack)
    first = [{"type": "send_message", "chat_id": chat_id,
              "msg": {"front_msg_id": new_id(), "content": f"early bird {i}",
                      "format": "text"}} for i in range(30)]
    again = await Session.open(stack.gateways[1], ann.account, first=first)
    await again.until(lambda: len(again.messages()) == 30)
    assert [m["content"] for m in again.messages()] == \
        [f["msg"]["content"] for f in first]


async def test_last_chats_are_newest_first_with_status_and_other_user(stack):
    ann = await person(stack)
    others = [await person(stack, i % 2) for i in range(3)]
    chats = [await private_chat(ann, other) for other in others]
    for i in (1, 2, 0):
        await ann.say(chats[i], f"to number {i} of three")
    again = await device(stack, ann, 1)
    items = again.info["last_chats"]
    assert [i["id"] for i in items] == [chats[0], chats[2], chats[1]]
    assert [i["other_user_id"] for i in items] == \
        [others[0].account.id, others[2].account.id, others[1].account.id]
    assert [i["status"] for i in items] == ["Online"] * 3
    assert [i["name"] for i in items] == [others[0].account.name,
                                          others[2].account.name,
                                          others[1].account.name]
    assert {i["type"] for i in items} == {"private"}
    last = items[0]["last_message"]
    assert (last["type"], last["content"], last["format"]) == \
        ("outgoing", "to number 0 of three", "text")
    assert last["filename"] is None


async def test_chat_without_messages_is_in_last_chats(stack):
    ann, ben, chat_id = await pair(stack)
    again = await device(stack, ben)
    item, = again.info["last_chats"]
    assert item["id"] == chat_id
    assert item["last_message"] is None and item["unread_messages"] == 0


async def test_last_message_is_cut_at_200_code_points(stack):
    ann, ben, chat_id = await pair(stack)
    await ann.say(chat_id, "\U0001F600" * 150 + "\u00e9" * 150)
    again = await device(stack, ben)
    content = again.info["last_chats"][0]["last_message"]["content"]
    assert content == "\U0001F600" * 150 + "\u00e9" * 50


async def test_unread_messages_are_counted_for_the_receiver_alone(stack):
    ann, ben, chat_id = await pair(stack)
    await pipeline(ann, chat_id, [f"unread number {i}" for i in range(7)])
    assert (await device(stack, ben)).info["last_chats"][0][
        "unread_messages"] == 7
    assert (await device(stack, ann)).info["last_chats"][0][
        "unread_messages"] == 0


async def test_many_sessions_of_one_user_each_get_everything(stack):
    ann, ben, chat_id = await pair(stack)
    devices = [await device(stack, ben, i % 2) for i in range(4)]
    answer = await ann.say(chat_id, "to all your devices")
    for session in [ben] + devices:
        frame = await session.wait("new_message")
        assert frame["message"]["id"] == answer["message"]["id"]


def handshake(gateway, token):
    """A WebSocket by hand, which answers no ping."""
    link = gateway.dial()
    key = base64.b64encode(os.urandom(16)).decode()
    link.sendall((f"GET /ws?token={token} HTTP/1.1\r\nHost: x\r\n"
                  "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                  f"Sec-WebSocket-Key: {key}\r\n"
                  "Sec-WebSocket-Version: 13\r\n\r\n").encode())
    return link


def read_frames(stream):
    """(opcode, data) of each frame until the end."""
    while True:
        head = stream.read(2)
        if len(head) < 2:
            return
        length = head[1] & 127
        if length == 126:
            length, = struct.unpack(">H", stream.read(2))
        elif length == 127:
            length, = struct.unpack(">Q", stream.read(8))
        yield head[0] & 15, stream.read(length)


def test_idle_connection_is_pinged_and_ended_when_it_never_answers(new_stack):
    stack = new_stack(settings={"gateway": {"ping_interval": "1s",
                                            "ping_timeout": "1s"}})
    account = register(stack.gateways[0])
    with handshake(stack.gateways[0], account.token) as link:
        stream = link.makefile("rb")
        while stream.readline().strip():
            pass
        try:
            opcodes = [opcode for opcode, _ in read_frames(stream)]
        except ConnectionResetError:
            opcodes = [9]
    assert 9 in opcodes


@pytest.mark.parametrize("request_line, headers, status", [
    ("GET /ws HTTP/1.1", "", (400, 426)),
    ("POST /ws HTTP/1.1", "Content-Length: 0\r\n", (400, 404, 405, 426)),
    ("GET /nowhere HTTP/1.1",
     "Connection: Upgrade\r\nUpgrade: websocket\r\n"
     "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
     "Sec-WebSocket-Version: 13\r\n", (400, 403, 404)),
])
def test_what_is_no_proper_upgrade_is_refused(stack, request_line, headers,
                                              status):
    gateway = stack.gateways[0]
    with gateway.dial() as s:
        s.settimeout(DEADLINE)
        s.sendall(f"{request_line}\r\nHost: x\r\n{headers}\r\n".encode())
        line = s.makefile("rb").readline().split()
    assert line and int(line[1]) in status
