"""How a valid thing is spoilt, layer by layer. All chance comes from the
`random.Random` that is handed in.

SPDX-License-Identifier: MIT
"""

import copy
import json
import struct

from support.rawws import CLOSE, CONTINUATION, TEXT, frame

VALUES = [None, True, False, 0, -1, 1, 5, 2**31, 2**63, -2**63, 2**64, 1e308,
          0.5, "", " ", "x", "x" * 51, "x" * 5001, "\u0000", "\ufeff",
          "\u202e", "\U0001f600" * 50, "'; DROP TABLE chats; --", "%s%n%d",
          "../../etc/passwd", "javascript:alert(1)", [], {}, [[]], [None],
          {"a": None}, ["x"] * 300]
TEXTS = ["NaN", "Infinity", "01", "1.", "+1", "1e", "tru", "'x'", "{", "}", "[",
         "]", ",", ":", '"', "\\", '"\\ud800"', '"\\u0000"', "\x00", "\t",
         "\x7f", "\u2028", '{"type":"open_chat"}']


def chance(rng, share):
    return rng.random() < share


def spoil_value(rng, thing):
    """A JSON value with one place in it changed."""
    thing = copy.deepcopy(thing)
    places = []

    def walk(inside):
        keys = inside if isinstance(inside, dict) else range(len(inside))
        for key in list(keys):
            places.append((inside, key))
            if isinstance(inside[key], (dict, list)):
                walk(inside[key])
    walk(thing)
    if not places:
        return rng.choice(VALUES)
    inside, key = rng.choice(places)
    what = rng.randrange(5)
    if what == 0 and isinstance(inside, dict):
        del inside[key]
    elif what == 1 and isinstance(inside, dict):
        inside[rng.choice(["x", "", "type", "id", "user_id"])] = \
            rng.choice(VALUES)
    elif what == 2:
        for _ in range(rng.choice([1, 5, 14, 15, 16, 17, 40])):
            inside[key] = [inside[key]] if chance(rng, .5) \
                else {"a": inside[key]}
    else:
        inside[key] = rng.choice(VALUES)
    return thing


def spoil_bytes(rng, data):
    """Bytes with one place in them changed."""
    data = bytearray(data)
    at = rng.randrange(len(data) + 1)
    what = rng.randrange(6)
    if what == 0 and data:
        data[at % len(data)] ^= 1 << rng.randrange(8)
    elif what == 1:
        data[at:at] = rng.choice(TEXTS).encode()
    elif what == 2:
        del data[at:at + rng.choice([1, 2, 10, 100])]
    elif what == 3:
        data[at:at] = data[at:at + rng.choice([1, 8, 64])] * rng.choice([1, 3])
    elif what == 4:
        data[at:at] = rng.randbytes(rng.choice([1, 2, 4, 16, 200]))
    else:
        del data[at:]
    return bytes(data)


def text_of(rng, thing):
    """A request as bytes, rarely in order."""
    if chance(rng, .25):
        thing = spoil_value(rng, thing)
    try:
        data = json.dumps(thing, ensure_ascii=chance(rng, .5)).encode()
    except UnicodeEncodeError:
        data = json.dumps(thing).encode()
    if chance(rng, .1):
        data = spoil_bytes(rng, data)
    if chance(rng, .02):
        data = data[:-1] + b" " * rng.choice([1000, 60_000, 66_000]) + data[-1:]
    return data


def frames_of(rng, data):
    """A message as frames, sometimes in fragments, with control frames between
    them, or with a header that is wrong."""
    if chance(rng, .7):
        parts = [data]
    else:
        cuts = sorted(rng.randrange(len(data) + 1)
                      for _ in range(rng.choice([1, 2, 5, 30])))
        parts = [data[a:b] for a, b in zip([0] + cuts, cuts + [len(data)])]
    out = b""
    for i, part in enumerate(parts):
        out += frame(part, TEXT if i == 0 else CONTINUATION,
                     fin=i == len(parts) - 1, mask=rng.randbytes(4))
        if chance(rng, .1):
            out += control(rng)
    if chance(rng, .05):
        out += wrong_frame(rng)
    return out


def control(rng):
    opcode = rng.choice([9, 9, 10, 10, 10])
    return frame(rng.randbytes(rng.choice([0, 1, 5, 125])), opcode,
                 mask=rng.randbytes(4))


def wrong_frame(rng):
    payload = rng.randbytes(rng.choice([0, 1, 2, 20, 126, 1000]))
    if chance(rng, .2):
        code = rng.choice([0, 999, 1000, 1001, 1005, 1012, 2999, 3000, 4999,
                           5000, 65535])
        return frame(struct.pack(">H", code) + payload[:100], CLOSE)
    declared = rng.choice([None, None, None, 0, 5, 125, 65_535, 65_537, 2**31,
                           2**32 + 1, 2**63 - 1, 2**63, 2**64 - 1])
    return frame(payload, rng.randrange(16), fin=chance(rng, .7),
                 rsv=rng.choice([0, 0, 0, 1, 2, 4, 7]),
                 mask=rng.choice([None, b"\0\0\0\0", rng.randbytes(4)]),
                 declared=declared,
                 form=None if declared is None else 64)


def pieces(rng, data):
    """The writes by which data leaves."""
    if chance(rng, .6) or not data:
        return [data]
    size = rng.choice([1, 2, 7, 100, 1023, 1024, 1025])
    if len(data) // size > 200:
        size = len(data) // 200
    return [data[i:i + size] for i in range(0, len(data), size)]
