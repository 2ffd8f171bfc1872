"""RFC 6455, section 5.5: ping, pong, and control frames as such. Close is in
test_rfc6455_close.py.

SPDX-License-Identifier: MIT
"""

import pytest

from support.echo import echo_text, echoed, still_talks
from support.rawws import CLOSE, CONTINUATION, PING, PONG, TEXT, frame


@pytest.mark.parametrize("payload", [
    b"", b"a", b"Hello", b"\0\xff\xfe\xfd\xfc\xfb\0\xff", b"\xed\xa0\x80",
    b"x" * 124, b"y" * 125])
def test_a_ping_is_answered_with_its_payload(ws, payload):
    ws.send(frame(payload, PING))
    assert ws.control(PONG).payload == payload
    still_talks(ws)


def test_a_ping_one_byte_a_write(ws):
    ws.send(frame(b"q" * 125, PING), 1)
    assert ws.control(PONG).payload == b"q" * 125


def test_pings_one_after_another_are_each_answered(ws):
    for number in range(30):
        payload = b"ping %d" % number
        ws.send(frame(payload, PING))
        assert ws.control(PONG).payload == payload


@pytest.mark.parametrize("payload", [
    b"", b"a", b"parley", b"x" * 125, b"\xff\xfe\0", b"\xed\xa0\x80"])
def test_a_pong_nobody_asked_for_is_nothing(ws, payload):
    ws.send(frame(payload, PONG))
    still_talks(ws)
    ws.send(frame(payload, PONG) * 3)
    still_talks(ws)


def test_a_pong_does_not_disturb_the_text_around_it(ws):
    text, mark = echo_text("snow \u2603 man")
    data = text.encode()
    cut = data.index("\u2603".encode()) + 1
    ws.send(frame(data[:cut], TEXT, fin=False) + frame(b"", PONG)
            + frame(b"pong", PONG) + frame(b"\xff\xff", PONG)
            + frame(data[cut:], CONTINUATION))
    echoed(ws, mark)


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
@pytest.mark.parametrize("length", [126, 127, 1000, 65536])
def test_a_control_frame_over_125_is_1002(ws, opcode, length):
    ws.send(frame(b"\x03\xe8" + b"x" * (length - 2), opcode))
    assert ws.closing()[0] == 1002


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
@pytest.mark.parametrize("payload", [b"", b"\x03\xe8"])
def test_a_control_frame_in_fragments_is_1002(ws, opcode, payload):
    ws.send(frame(payload, opcode, fin=False)
            + frame(b"", CONTINUATION))
    assert ws.closing()[0] == 1002


@pytest.mark.parametrize("places", [(1,), (5, 40), tuple(range(1, 60, 3))])
def test_pings_inside_a_message_are_answered_and_no_part_of_it(ws, places):
    text, mark = echo_text()
    data = text.encode()
    at = 0
    for number, place in enumerate(p for p in places if p < len(data)):
        ws.send(frame(data[at:place], CONTINUATION if at else TEXT, fin=False))
        ws.send(frame(b"inside %d" % number, PING))
        assert ws.control(PONG).payload == b"inside %d" % number
        at = place
    ws.send(frame(data[at:], CONTINUATION))
    echoed(ws, mark)


def test_a_flood_of_pings_is_read_and_costs_no_memory(ws, gateway):
    before = gateway.memory()
    for _ in range(20):
        ws.send(frame(b"f" * 125, PING) * 1000)
        # The last one is answered: the flood is over when its pong is here.
        ws.send(frame(b"end of flood", PING))
    text, mark = echo_text()
    ws.send(frame(text))
    pongs = 0
    while True:
        found = ws.take_frame()
        if found.opcode == PONG:
            pongs += 1
            assert found.payload in (b"f" * 125, b"end of flood")
        elif found.opcode == TEXT and found.json.get("request_id") == mark:
            break
    assert 0 < pongs <= 20_020
    assert gateway.memory() - before < 4 << 20


def test_a_flood_of_pings_whose_pongs_nobody_reads_is_bounded(ws, gateway):
    before = gateway.memory()
    ws.socket.settimeout(0.5)
    try:
        for _ in range(400):
            ws.socket.sendall(frame(b"f" * 125, PING) * 200)
    except OSError:
        pass  # the server reads no more, or has hung up: both are bounds
    assert gateway.memory() - before < 8 << 20
