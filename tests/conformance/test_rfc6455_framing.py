"""RFC 6455, sections 5.1 to 5.4 and 5.8: masking, the frame's header, lengths,
fragmentation.

SPDX-License-Identifier: MIT
"""

import pytest

from library_limits import library_limit
from support.echo import echo_text, echoed, still_talks
from support.rawws import (BINARY, CONTINUATION, PING, PONG, TEXT, Ended,
                           fragments, frame)


# ---- 5.1, 5.3: masking -----------------------------------------------------------

@pytest.mark.parametrize("mask", [
    b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\1", b"\x01\0\0\0",
    b"\x80\x7f\x01\xfe"])
@pytest.mark.parametrize("length", [60, 125, 126, 127, 1023, 1024, 1025, 5001])
def test_any_mask_is_undone(ws, mask, length):
    text, mark = echo_text(pad=length)
    ws.send(frame(text, mask=mask))
    echoed(ws, mark)


def test_each_frame_has_a_mask_of_its_own(ws):
    text, mark = echo_text(pad=300)
    data = text.encode()
    ws.send(frame(data[:7], TEXT, fin=False, mask=b"abcd")
            + frame(data[7:100], CONTINUATION, fin=False, mask=b"\0\0\0\0")
            + frame(b"ping", PING, mask=b"WXYZ")
            + frame(data[100:], CONTINUATION, mask=b"\xff\0\xff\0"))
    echoed(ws, mark)


def refused_or_answered(ws, *frames):
    """Sends frames and a request; the close code, None if that was answered."""
    text, mark = echo_text()
    ws.send(b"".join(frames) + frame(text))
    try:
        echoed(ws, mark)
    except Ended as end:
        return end.close[0]
    return None


@library_limit("unmasked")
@pytest.mark.parametrize("opcode, payload", [
    (TEXT, b""), (TEXT, b"x"), (TEXT, b'{"type":"echo"}'), (TEXT, b"p" * 200),
    (PING, b"data"), (PONG, b"data")])
def test_an_unmasked_frame_is_1002(ws, opcode, payload):
    assert refused_or_answered(ws, frame(payload, opcode, mask=None)) == 1002


@pytest.mark.parametrize("form", [16, 64])
def test_an_unmasked_empty_frame_of_a_long_form_is_bounded(ws, form):
    # The library counts down from zero: what follows is taken for the frame.
    ws.send(frame(b"", mask=None, form=form) + b"x" * 70_000)
    assert ws.closing()[0] in (1002, 1009)


# ---- 5.2: reserved bits and opcodes ----------------------------------------------

@pytest.mark.parametrize("rsv", range(1, 8))
@pytest.mark.parametrize("opcode", [TEXT, PING, PONG])
def test_a_reserved_bit_is_1002(ws, rsv, opcode):
    ws.send(frame(b"{}", opcode, rsv=rsv))
    assert ws.closing()[0] == 1002


def test_a_reserved_bit_in_a_later_fragment_is_1002(ws):
    text, _ = echo_text()
    ws.send(frame(text[:5], fin=False)
            + frame(text[5:], CONTINUATION, rsv=4))
    assert ws.closing()[0] == 1002


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("payload", [b"", b"payload"])
def test_a_reserved_opcode_is_1002(ws, opcode, payload):
    still_talks(ws)
    ws.send(frame(payload, opcode))
    assert ws.closing()[0] == 1002


@pytest.mark.parametrize("opcode", [3, 7, 11, 15])
def test_a_reserved_opcode_inside_a_message_is_1002(ws, opcode):
    ws.send(frame(b'{"type":', fin=False) + frame(b"x", opcode))
    assert ws.closing()[0] == 1002


# ---- 5.2: lengths ----------------------------------------------------------------

@pytest.mark.parametrize("length", [
    61, 124, 125, 126, 127, 128, 255, 256, 1000, 4095, 4096, 16383, 16384,
    16385, 65534, 65535, 65536])
def test_every_length_up_to_the_limit_is_read(ws, length):
    text, mark = echo_text(pad=length)
    ws.send(frame(text))
    echoed(ws, mark)


@library_limit("minimal length")
@pytest.mark.parametrize("length, form", [
    (0, 16), (0, 64), (70, 16), (70, 64), (125, 16), (125, 64), (126, 64),
    (65535, 64)])
def test_a_length_that_is_not_minimal_is_1002(ws, length, form):
    text = echo_text(pad=length)[0] if length else ""
    assert refused_or_answered(ws, frame(text, form=form)) == 1002


@pytest.mark.parametrize("length, form", [
    (60, 16), (125, 16), (125, 64), (126, 64), (65535, 64)])
def test_a_length_that_is_not_minimal_loses_no_sync(ws, length, form):
    # What the library does instead of refusing: it must read the right frame.
    text, mark = echo_text(pad=length)
    ws.send(frame(text, form=form))
    echoed(ws, mark)


@pytest.mark.parametrize("top", [1 << 63, (1 << 64) - 1, (1 << 63) + 5])
def test_a_64_bit_length_with_the_top_bit_ends_the_connection(ws, top):
    ws.send(frame(b"data", declared=top, form=64))
    assert ws.closing()[0] == 1002


@pytest.mark.parametrize("declared", [65537, 1 << 20, 1 << 31, (1 << 31) + 1,
                                      1 << 32, (1 << 32) + 5, (1 << 63) - 1])
def test_a_length_over_the_limit_is_1009_before_it_is_sent(ws, declared):
    ws.send(frame(b'{"type":"echo"', declared=declared))
    assert ws.closing(hang_up=True)[0] == 1009


# ---- 5.4: fragmentation ----------------------------------------------------------

@pytest.mark.parametrize("size", [1, 2, 3, 7, 61, 124, 126])
def test_a_message_in_fragments_is_put_together(ws, size):
    text, mark = echo_text(pad=250)
    ws.send(b"".join(fragments(text, size)))
    echoed(ws, mark)


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 13, 1000])
def test_fragments_may_arrive_in_any_pieces(ws, chunk):
    text, mark = echo_text(pad=200)
    ws.send(b"".join(fragments(text, 23)), chunk)
    echoed(ws, mark)


def test_one_byte_a_write(ws):
    texts = [echo_text(pad=150) for _ in range(3)]
    ws.send(b"".join(frame(text) for text, _ in texts), 1)
    for _, mark in texts:
        echoed(ws, mark)


def test_many_frames_in_one_write(ws):
    texts = [echo_text() for _ in range(90)]
    ws.send(b"".join(frame(text) for text, _ in texts))
    for _, mark in texts:
        echoed(ws, mark)


def test_empty_fragments_are_nothing(ws):
    text, mark = echo_text()
    ws.send(frame(b"", fin=False) + frame(b"", CONTINUATION, fin=False)
            + frame(text[:9], CONTINUATION, fin=False)
            + frame(b"", CONTINUATION, fin=False)
            + frame(text[9:], CONTINUATION, fin=False)
            + frame(b"", CONTINUATION))
    echoed(ws, mark)


@pytest.mark.parametrize("parts", [
    [frame(b"")],
    [frame(b"", fin=False), frame(b"", CONTINUATION)],
    [frame(b"", fin=False)] + [frame(b"", CONTINUATION, fin=False)] * 50
    + [frame(b"", CONTINUATION)]])
def test_an_empty_message_is_invalid_json(ws, parts):
    ws.send(b"".join(parts))
    answer = ws.json(lambda event: event["type"] == "error")
    assert answer["reason"] == "invalid_json"
    still_talks(ws)


@pytest.mark.parametrize("fin", [False, True])
@pytest.mark.parametrize("payload", [b"", b"nothing to go on with"])
def test_a_continuation_of_nothing_is_1002(ws, fin, payload):
    ws.send(frame(payload, CONTINUATION, fin=fin))
    assert ws.closing()[0] == 1002


def test_a_continuation_after_the_end_is_1002(ws):
    text, mark = echo_text()
    ws.send(b"".join(fragments(text, 20)) + frame(b"more", CONTINUATION))
    # The message before it was in order: its answer may or may not be first.
    assert ws.closing()[0] == 1002


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("fin", [False, True])
def test_a_new_start_inside_a_message_is_1002(ws, opcode, fin):
    ws.send(frame(b'{"type":', fin=False) + frame(b'"echo"}', opcode, fin=fin))
    assert ws.closing()[0] == 1002


def test_tiny_fragments_without_end_cost_little_and_end_at_the_limit(ws):
    # 70,000 fragments of a byte: over the limit, whatever their number.
    ws.send(frame(b'"', fin=False)
            + frame(b"x", CONTINUATION, fin=False) * 70000)
    assert ws.closing()[0] == 1009


def test_empty_fragments_without_end_keep_nothing(ws, gateway):
    before = gateway.memory()
    ws.send(frame(b"", fin=False)
            + frame(b"", CONTINUATION, fin=False) * 200_000)
    text, mark = echo_text()
    ws.send(frame(text, CONTINUATION))
    echoed(ws, mark)
    assert gateway.memory() - before < 4 << 20


# ---- 5.6: data frames ------------------------------------------------------------

@pytest.mark.parametrize("parts", [
    [frame(b"", BINARY)], [frame(b"\0\1\2\3", BINARY)],
    [frame(b"\xff" * 1000, BINARY)],
    [frame(b"ab", BINARY, fin=False), frame(b"cd", CONTINUATION)],
    [frame(b"", BINARY, fin=False)]])
def test_binary_is_1003(ws, parts):
    ws.send(b"".join(parts))
    assert ws.closing()[0] == 1003


def test_binary_too_large_is_1003_or_1009(ws):
    ws.send(frame(b"\0" * 100_000, BINARY))
    assert ws.closing()[0] in (1003, 1009)


def test_text_after_binary_is_not_answered(ws):
    text, mark = echo_text()
    ws.send(frame(b"\0", BINARY) + frame(text))
    assert ws.closing()[0] == 1003
