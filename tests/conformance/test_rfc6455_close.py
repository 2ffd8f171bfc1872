"""RFC 6455, sections 5.5.1 and 7: closing.

SPDX-License-Identifier: MIT
"""

import socket
import struct

import pytest

from library_limits import library_limit
from support.client import register
from support.echo import echo_text
from support.rawws import (CLOSE, CONTINUATION, PING, TEXT, RawSession,
                           close_frame, frame)

# Those of section 7.4 and those registered with IANA since.
GOOD = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000,
        4999]
LATER = [1012, 1013, 1014]
BAD = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 32768,
       65535]


@pytest.mark.parametrize("code", GOOD)
@pytest.mark.parametrize("reason", ["", "good bye", "\u2603" * 41])
def test_a_close_is_answered_with_its_code(ws, code, reason):
    ws.send(close_frame(code, reason))
    assert ws.closing()[0] == code


@library_limit("later codes")
@pytest.mark.parametrize("code", LATER)
def test_a_close_with_a_code_registered_later_is_answered_with_it(ws, code):
    ws.send(close_frame(code))
    assert ws.closing()[0] == code


@pytest.mark.parametrize("code", BAD)
@pytest.mark.parametrize("reason", ["", "reason"])
def test_a_close_with_an_invalid_code_is_1002(ws, code, reason):
    ws.send(close_frame(code, reason))
    assert ws.closing()[0] == 1002


def test_a_close_without_a_code_is_answered(ws):
    ws.send(close_frame())
    assert ws.closing()[0] in (None, 1000, 1005)


@pytest.mark.parametrize("byte", [b"\x03", b"\0", b"\xff"])
def test_a_close_of_one_byte_is_1002(ws, byte):
    ws.send(frame(byte, CLOSE))
    assert ws.closing()[0] == 1002


@pytest.mark.parametrize("reason", [
    b"\xff", b"good \xc0\x80 bye", b"\xed\xa0\x80", b"cut \xe2\x98"])
def test_a_reason_that_is_no_utf8_is_1007(ws, reason):
    ws.send(close_frame(1000, reason))
    assert ws.closing()[0] in (1002, 1007)


def test_a_reason_of_123_bytes(ws):
    ws.send(close_frame(1000, "r" * 123))
    assert ws.closing()[0] == 1000


def test_a_close_one_byte_a_write(ws):
    ws.send(close_frame(1000, "a byte a write"), 1)
    assert ws.closing()[0] == 1000


def test_a_close_in_the_middle_of_a_message(ws):
    ws.send(frame(b'{"type":', TEXT, fin=False) + close_frame(1000))
    assert ws.closing()[0] == 1000


def test_what_follows_a_close_is_not_looked_at(ws):
    text, mark = echo_text()
    ws.send(close_frame(1000) + frame(text) + frame(b"late", PING)
            + frame(b"\xff\xff") + frame(b"x", 7))
    assert ws.closing()[0] == 1000


def test_a_second_close_is_not_answered(ws):
    ws.send(close_frame(1000) + close_frame(1001))
    assert ws.closing()[0] == 1000


def test_what_came_before_a_close_is_handled(ws, account, gateway):
    # A rename survives the closing that follows it at once.
    name = "Closing Time"
    ws.send(frame('{"type":"change_name","new_name":"%s"}' % name)
            + close_frame(1000))
    ws.closing()
    with RawSession(gateway) as again:
        again.open(account.token)
        info = again.json(lambda event: event["type"] == "user_info")
        assert info["user"]["name"] in (name, account.name)


@pytest.mark.parametrize("start", [
    b"", frame(b'{"a":', fin=False), frame(b"half a frame", declared=100),
    frame(b"x" * 50)[:3], b"\x81"])
def test_a_half_close_without_a_close_frame_ends_the_connection(ws, start):
    ws.send(start)
    ws.end_sending()
    data, how = ws.rest()
    assert how in ("fin", "reset")


def test_a_connection_that_vanishes_harms_no_other(ws, gateway, account):
    with RawSession(gateway) as other:
        other.open(account.token)
        other.json(lambda event: event["type"] == "user_info")
        other.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0))
    # Reset, not closed: the first session is in order all the same.
    text, mark = echo_text()
    ws.send(frame(text))
    ws.json(lambda event: event.get("request_id") == mark)


def test_logout_closes_1000_and_the_client_s_answer_is_not_needed(gateway):
    person = register(gateway)
    with RawSession(gateway) as ws:
        ws.open(person.token)
        ws.json(lambda event: event["type"] == "user_info")
        ws.send(frame('{"type":"logout"}'))
        while True:
            found = ws.take_frame()
            if found.opcode == CLOSE:
                break
        assert found.close[0] == 1000
        # No close frame from us: the server hangs up by itself.
        _, how = ws.rest()
        assert how == "fin"


def test_continuations_after_a_refusal_are_dropped(ws):
    ws.send(frame(b"\0", 2, fin=False)
            + frame(b"more", CONTINUATION, fin=False) * 100)
    assert ws.closing()[0] == 1003
