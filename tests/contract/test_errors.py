"""The error frame's reasons, and the close codes.

SPDX-License-Identifier: MIT
"""

import asyncio
import json
import signal

import pytest
from websockets.legacy.protocol import OP_TEXT

from support.client import Session, new_id, register
from support.scene import pair, person


@pytest.mark.parametrize("text", [
    "", " ", "{", "nonsense", '{"type":"open_chat",}', "{'type':'open_chat'}",
    '{"type":"open_chat","chat_id":NaN}', '{"type":"open_chat","x":01}',
    '{"type":"open_chat","x":"a\tb"}', '{"type":"open_chat"} trailing',
    '{"type":"open_chat","x":+1}', '{"type":"open_chat","x":1.}',
    '{"type":"open_chat","x":"\\x41"}', '{"type":"open_chat","x":tru}',
    "[1,2", '{"a":' * 5000])
async def test_what_is_no_json_is_invalid_json(stack, text):
    ann = await person(stack)
    mark = ann.mark()
    await ann.send_text(text)
    error = await ann.wait("error", since=mark)
    assert error["reason"] == "invalid_json"
    assert error["request"] is None
    await ann.fence()


@pytest.mark.parametrize("text", [
    "5", "null", "true", '"text"', "[]", "{}", '{"type":null}', '{"type":5}',
    '{"type":["open_chat"]}', '{"typ":"open_chat"}'])
async def test_json_without_a_type_is_answered_with_an_error(stack, text):
    ann = await person(stack)
    mark = ann.mark()
    await ann.send_text(text)
    error = await ann.wait("error", since=mark)
    assert error["reason"] in ("invalid_json", "unknown_type",
                               "invalid_field")
    await ann.fence()


@pytest.mark.parametrize("kind", [
    "no_such_type", "", "OPEN_CHAT", "new_message", "user_info", "register",
    "check_token", "x" * 3000, "open_chat\u0000", "\u2603"])
async def test_a_type_no_client_may_send_is_unknown_type(stack, kind):
    ann = await person(stack)
    error = await ann.ask(kind)
    assert (error["type"], error["reason"]) == ("error", "unknown_type")


@pytest.mark.parametrize("kind, field", [
    ("open_chat", "chat_id"), ("chat_messages_read", "chat_id"),
    ("get_person_info", "person_id"), ("create_private_chat", "user_id")])
@pytest.mark.parametrize("value", [
    "missing", None, 5, "", "x", "0" * 32, [], {},
    "123e4567-e89b-12d3-a456-42661417400", "{123e4567-e89b-12d3-a456-4266141}"])
async def test_a_malformed_id_is_an_invalid_field_and_named(stack, kind, field,
                                                            value):
    ann = await person(stack)
    fields = {} if value == "missing" else {field: value}
    error = await ann.ask(kind, **fields)
    assert (error["type"], error["request"], error["reason"],
            error["field"]) == ("error", kind, "invalid_field", field)


async def test_unknown_fields_of_a_request_are_ignored(stack):
    ann, ben, chat_id = await pair(stack)
    info = await ann.ask("open_chat", chat_id=chat_id, colour="green",
                         nested={"a": [1, 2, {"b": None}]})
    assert info["chat"]["id"] == chat_id


async def test_request_id_comes_back_in_answers_and_errors(stack):
    ann, ben, chat_id = await pair(stack)
    for frame in ({"type": "open_chat", "chat_id": chat_id},
                  {"type": "open_chat", "chat_id": new_id()},
                  {"type": "open_chat", "chat_id": "bad"},
                  {"type": "nonsense"},
                  {"type": "search_people", "input": "x"}):
        for request_id in ("r", "x" * 64, "\u00e9\"\\\n\u2603"):
            mark = ann.mark()
            await ann.send(dict(frame, request_id=request_id))
            await ann.wait(lambda f: f.get("request_id") == request_id,
                           since=mark)


@pytest.mark.parametrize("value", ["x" * 65, 5, True, ["r"], {}])
async def test_a_bad_request_id_is_an_invalid_field(stack, value):
    ann = await person(stack)
    mark = ann.mark()
    await ann.send({"type": "search_people", "input": "x",
                    "request_id": value})
    error = await ann.wait("error", since=mark)
    assert (error["reason"], error["field"]) == ("invalid_field", "request_id")


async def test_a_lone_surrogate_is_refused_and_nothing_breaks(stack):
    ann, ben, chat_id = await pair(stack)
    for escape in ("\\ud800", "\\udc00 x", "\\ud800\\u0041"):
        mark = ann.mark()
        await ann.send_text(
            '{"type":"send_message","chat_id":"%s","msg":{"front_msg_id":"%s",'
            '"content":"lone %s here"}}' % (chat_id, new_id(), escape))
        error = await ann.wait("error", since=mark)
        assert error["reason"] in ("invalid_json", "invalid_field")
    assert (await ann.say(chat_id, "still in good order"))["message"][
        "seq"] == 1


async def test_a_binary_frame_closes_1003(stack):
    ann = await person(stack)
    await ann.send_text(b'{"type":"open_chat"}')
    assert (await ann.wait_closed())[0] == 1003


async def test_bad_utf8_closes_1007(stack):
    ann = await person(stack)
    await ann.send_bad_utf8()
    assert (await ann.wait_closed())[0] == 1007


async def test_overlong_and_surrogate_utf8_close_1007(stack):
    for bad in (b"\xc0\xaf", b"\xed\xa0\x80", b"\xf5\x80\x80\x80",
                b"\xe2\x82"):
        ann = await person(stack)
        await ann.send_raw(OP_TEXT, b'{"type":"' + bad + b'"}')
        assert (await ann.wait_closed())[0] == 1007, bad


async def test_a_frame_of_the_limit_passes_and_one_more_closes_1009(stack):
    ann = await person(stack)
    head = json.dumps({"type": "search_people", "input": "x", "pad": ""})[:-2]
    most = head + "p" * (65536 - len(head) - 2) + '"}'
    assert len(most) == 65536
    mark = ann.mark()
    await ann.send_text(most)
    await ann.wait("search_people_results", since=mark)
    await ann.send_text(most + " ")
    assert (await ann.wait_closed())[0] == 1009


async def test_fragments_count_together_towards_the_limit(stack):
    ann = await person(stack)

    def parts(count):
        yield '{"type":"search_people","input":"x","pad":"'
        for _ in range(count):
            yield "p" * 1000
        yield '"}'
    mark = ann.mark()
    await ann.send_text(parts(60))
    await ann.wait("search_people_results", since=mark)
    await ann.send_text(parts(70))
    assert (await ann.wait_closed())[0] == 1009


async def test_abuse_that_goes_on_closes_1008(new_stack):
    stack = new_stack(settings={"gateway": {"abuse_max": 20}})
    ann = await person(stack)
    for _ in range(20):
        await ann.send_text("nonsense")
    await ann.until(lambda: len(ann.all("error")) == 20)
    await ann.fence()
    await ann.send_text("nonsense")
    assert (await ann.wait_closed())[0] == 1008


async def test_what_is_no_abuse_is_not_counted(new_stack):
    stack = new_stack(settings={"gateway": {"abuse_max": 5}})
    ann = await person(stack)
    for _ in range(30):
        await ann.ask("create_private_chat", user_id=new_id())
        await ann.ask("open_chat", chat_id=new_id())
    assert ann.is_open()


async def test_drain_closes_1012(new_stack):
    stack = new_stack()
    sessions = [await person(stack) for _ in range(5)]
    stack.gateways[0].begin_terminate(signal.SIGTERM)
    for session in sessions:
        assert (await session.wait_closed())[0] == 1012
    assert stack.gateways[0].end_terminate() == 0


async def test_a_reader_too_slow_is_closed_1013_and_others_go_on(new_stack):
    stack = new_stack(gateways=2,
                      settings={"gateway": {"outbox_max": "256k"}})
    ann, ben, chat_id = await pair(stack)
    phone = await Session.open(stack.gateways[0], ben.account)
    # Ben's first session stops reading; its socket fills, then its outbox.
    ben.socket.transport.pause_reading()
    text = "\u00e9" * 5000
    sent = 0
    slow = stack.gateways[1]
    while slow.metric("parley_gateway_slow_closes_total") == 0:
        assert sent < 3000, "no end to what is kept for a slow reader"
        await asyncio.gather(*(ann.say(chat_id, text) for _ in range(50)))
        sent += 50
    ben.socket.transport.resume_reading()
    assert (await ben.wait_closed())[0] in (1013, 1006)
    await phone.until(lambda: len(phone.messages(chat_id)) == sent)


async def test_over_capacity_closes_1013(new_stack):
    stack = new_stack(settings={"gateway": {"connections_max": 3}})
    accounts = [register(stack.gateways[0]) for _ in range(4)]
    for account in accounts[:3]:
        await Session.open(stack.gateways[0], account)
    late = await Session.open(stack.gateways[0], accounts[3], wait=False)
    assert (await late.wait_closed())[0] == 1013
