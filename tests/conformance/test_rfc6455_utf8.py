"""RFC 6455, section 8.1: text is UTF-8, over whatever fragments and writes, and
what is not ends the connection with 1007.

SPDX-License-Identifier: MIT
"""

import pytest

from support.echo import echo_text, echoed, still_talks
from support.rawws import CONTINUATION, TEXT, fragments, frame

VALID = {
    "greek": "\u03ba\u1f79\u03c3\u03bc\u03b5",
    "last of one byte": "\x7f",
    "first of two": "\x80", "last of two": "\u07ff",
    "first of three": "\u0800", "last of three": "\uffff",
    "before the surrogates": "\ud7ff", "after the surrogates": "\ue000",
    "replacement": "\ufffd", "byte order mark": "\ufeff",
    "first of four": "\U00010000", "last of all": "\U0010ffff",
    "no characters": "\ufffe \U0001fffe \U0010fffe \ufdd0",
    "mixed": "a\u00e9\u2603\U0001f600z",
    "combined": "e\u0301 \U0001f468\u200d\U0001f469\u200d\U0001f467",
}

INVALID = {
    "a continuation alone": b"\x80", "the last continuation": b"\xbf",
    "continuations": b"\x80\xbf\x80\xbf",
    "two cut short": b"\xc3", "three cut short": b"\xe2\x98",
    "three cut shorter": b"\xe2", "four cut short": b"\xf0\x9f\x98",
    "overlong slash of two": b"\xc0\xaf", "overlong NUL": b"\xc0\x80",
    "highest overlong of two": b"\xc1\xbf",
    "overlong slash of three": b"\xe0\x80\xaf",
    "highest overlong of three": b"\xe0\x9f\xbf",
    "overlong slash of four": b"\xf0\x80\x80\xaf",
    "highest overlong of four": b"\xf0\x8f\xbf\xbf",
    "first surrogate": b"\xed\xa0\x80", "last high surrogate": b"\xed\xaf\xbf",
    "first low surrogate": b"\xed\xb0\x80", "last surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\xbd\xed\xb8\x80",
    "above the last": b"\xf4\x90\x80\x80", "far above": b"\xf7\xbf\xbf\xbf",
    "five bytes": b"\xf8\x88\x80\x80\x80", "six": b"\xfc\x84\x80\x80\x80\x80",
    "FE": b"\xfe", "FF": b"\xff", "FE FF": b"\xfe\xff",
    "Latin-1": b"caf\xe9 au lait",
}


@pytest.mark.parametrize("text", VALID.values(), ids=VALID)
@pytest.mark.parametrize("how", ["whole", "bytes", "frames"])
def test_valid_text_is_taken_over_any_cuts(ws, text, how):
    mark = text * 3 if len(text) < 20 else text
    text, mark = echo_text(mark)
    if how == "frames":
        ws.send(b"".join(fragments(text, 1)))
    else:
        ws.send(frame(text), 1 if how == "bytes" else None)
    echoed(ws, mark)


@pytest.mark.parametrize("bad", INVALID.values(), ids=INVALID)
@pytest.mark.parametrize("where", ["begin", "middle", "end"])
def test_invalid_text_is_1007(ws, bad, where):
    head, tail = {"begin": (b"", b'"}'), "middle": (b'{"type":"', b'"}'),
                  "end": (b'{"type":"', b"")}[where]
    ws.send(frame(head + bad + tail))
    assert ws.closing()[0] == 1007


@pytest.mark.parametrize("bad", INVALID.values(), ids=INVALID)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_invalid_text_over_fragments_is_1007(ws, bad, size):
    ws.send(b"".join(fragments(b'{"type":"' + bad + b'"}', size)))
    assert ws.closing()[0] == 1007


@pytest.mark.parametrize("bad", INVALID.values(), ids=INVALID)
def test_invalid_text_a_byte_a_write_is_1007(ws, bad):
    ws.send(frame(b'{"type":"' + bad + b'"}'), 1)
    assert ws.closing()[0] == 1007


@pytest.mark.parametrize("bad", [b"\xff", b"\xc0", b"\xed\xa0", b"\xf4\x90"])
def test_it_fails_at_once_not_at_the_end_of_the_frame(ws, bad):
    # The rest of the frame never comes.
    ws.send(frame(b'{"type":"' + bad, declared=1000))
    assert ws.closing(hang_up=True)[0] == 1007


@pytest.mark.parametrize("bad", [b"\xff", b"\xc0\x80", b"\xed\xa0"])
def test_it_fails_at_once_not_at_the_end_of_the_message(ws, bad):
    ws.send(frame(b'{"type":"', fin=False)
            + frame(bad + b"x", CONTINUATION, fin=False))
    assert ws.closing()[0] == 1007


def test_a_character_cut_by_the_message_s_end_is_1007(ws):
    ws.send(frame(b'{"a":"', fin=False)
            + frame(b"\xf0\x9f\x98", CONTINUATION))
    assert ws.closing()[0] == 1007


def test_a_character_cut_before_an_empty_last_fragment_is_1007(ws):
    ws.send(frame(b'{"a":"\xe2\x98', fin=False) + frame(b"", CONTINUATION))
    assert ws.closing()[0] == 1007


@pytest.mark.parametrize("cut", range(1, 13))
def test_a_character_may_be_cut_at_any_place(ws, cut):
    mark = "\u00e9\u2603\U0001f600\U0010ffff"
    text, mark = echo_text(mark)
    data = text.encode()
    at = data.index("\u00e9".encode()) + cut
    ws.send(frame(data[:at], TEXT, fin=False)
            + frame(data[at:], CONTINUATION))
    echoed(ws, mark)


@pytest.mark.parametrize("size", [1022, 1023, 1024, 1025, 1026, 2047, 2048,
                                  16383, 16384])
def test_a_character_across_the_library_s_buffers(ws, size):
    text, mark = echo_text(pad=size + 100)
    data = bytearray(text.encode())
    data[size - 2:size + 2] = "\U0001f600".encode()
    ws.send(frame(bytes(data)))
    echoed(ws, mark)


@pytest.mark.parametrize("size", [1022, 1023, 1024, 1025, 16383, 16384])
def test_a_cut_character_across_the_library_s_buffers(ws, size):
    text, _ = echo_text(pad=size + 100)
    data = bytearray(text.encode())
    data[size - 2:size + 1] = b"\xf0\x9f\x98"
    ws.send(frame(bytes(data)))
    assert ws.closing()[0] == 1007


def test_a_refused_message_leaves_the_next_connection_alone(ws, gateway):
    ws.send(frame(b"\xf0\x9f"))
    assert ws.closing()[0] == 1007


def test_text_after_pongs_and_closed_messages_is_checked_anew(ws):
    for _ in range(3):
        text, mark = echo_text("\U0001f600")
        ws.send(frame(text))
        echoed(ws, mark)
    still_talks(ws)
    ws.send(frame(b"\x98\x80"))
    assert ws.closing()[0] == 1007
