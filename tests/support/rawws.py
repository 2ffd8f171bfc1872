"""A client of bytes: HTTP and WebSocket with every bit in the test's hand.

What it sends may be as wrong as a test likes; what it receives it reads by the
letter of RFC 9112 and RFC 6455, so that a server's own mistakes are found as well.
Sockets block, with a deadline.

SPDX-License-Identifier: MIT
"""

import base64
import contextlib
import hashlib
import json
import os
import re
import socket
import struct

from .client import DEADLINE

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MASK = b"\x37\xfa\x21\x3d"
TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")


class Broken(AssertionError):
    """The server has sent what the standards forbid."""


class Ended(Exception):
    """The connection was over; `how` is "fin" or "reset"."""

    def __init__(self, how):
        super().__init__(f"the server ended the connection ({how})")
        self.how = how


def require(condition, words):
    if not condition:
        raise Broken(words)


# ---- bytes out -----------------------------------------------------------------

def masked(data, key):
    if not data:
        return b""
    key = (key * (len(data) // 4 + 1))[:len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")) \
        .to_bytes(len(data), "big")


def frame(payload=b"", opcode=TEXT, fin=True, rsv=0, mask=MASK, declared=None,
          form=None):
    """One frame. `form`: how the length is written (7, 16 or 64 bits; None: the
    shortest), `declared`: another length than the payload has; `mask`: None
    sends it unmasked."""
    if isinstance(payload, str):
        payload = payload.encode()
    length = len(payload) if declared is None else declared
    if form is None:
        form = 7 if length < 126 else 16 if length < 65536 else 64
    bit = 0 if mask is None else 0x80
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    if form == 7:
        head += bytes([bit | length])
    elif form == 16:
        head += bytes([bit | 126]) + struct.pack(">H", length)
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", length)
    if mask is None:
        return head + payload
    return head + mask + masked(payload, mask)


def fragments(payload, size):
    """A text message in fragments of `size` bytes."""
    if isinstance(payload, str):
        payload = payload.encode()
    parts = [payload[i:i + size] for i in range(0, len(payload), size)]
    return [frame(part, TEXT if i == 0 else CONTINUATION,
                  fin=i == len(parts) - 1) for i, part in enumerate(parts)]


def close_frame(code=None, reason=b"", **how):
    if isinstance(reason, str):
        reason = reason.encode()
    body = b"" if code is None else struct.pack(">H", code) + reason
    return frame(body, CLOSE, **how)


def upgrade_head(token=None, method="GET", path="/ws", version="HTTP/1.1",
                 key=None, drop=(), more=(), eol="\r\n", **changes):
    """The request that asks for a WebSocket. `changes`: header=value with _ for
    -; `drop`: headers left out; `more`: further (name, value)."""
    headers = {
        "Host": "parley.test",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": key or new_key(),
        "Sec-WebSocket-Version": "13",
    }
    if token is not None:
        headers["Authorization"] = "Bearer " + token
    lower = {name.lower(): name for name in headers}
    for name, value in changes.items():
        name = name.replace("_", "-")
        headers[lower.get(name.lower(), name)] = value
    lines = [f"{method} {path} {version}"]
    lines += [f"{name}: {value}" for name, value in headers.items()
              if name not in drop]
    lines += [f"{name}: {value}" for name, value in more]
    return (eol.join(lines) + eol + eol).encode("latin-1")


def new_key():
    return base64.b64encode(os.urandom(16)).decode()


def accept_of(key):
    return base64.b64encode(
        hashlib.sha1(key.encode() + GUID).digest()).decode()


# ---- bytes in ------------------------------------------------------------------

class Response:
    def __init__(self, status, headers, body=b""):
        self.status = status
        self.headers = headers
        self.body = body

    def all(self, name):
        return [v for n, v in self.headers if n == name.lower()]

    def one(self, name):
        values = self.all(name)
        require(len(values) <= 1, f"{name} stands twice in an answer")
        return values[0] if values else None

    @property
    def json(self):
        require(self.one("content-type") == "application/json",
                f"{self.status}: {self.one('content-type')}")
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.headers} {self.body[:200]!r}>"


class Frame:
    def __init__(self, opcode, payload):
        self.opcode = opcode
        self.payload = payload

    @property
    def json(self):
        return json.loads(self.payload)

    @property
    def close(self):
        """(code, reason) of a close frame; (None, "") for an empty one."""
        if not self.payload:
            return None, ""
        return (struct.unpack(">H", self.payload[:2])[0],
                self.payload[2:].decode())

    def __repr__(self):
        return f"<{self.opcode} {self.payload[:200]!r}>"


class Raw:
    """One TCP connection."""

    def __init__(self, gateway, deadline=None):
        self.socket = socket.create_connection(
            (gateway.host, gateway.port), deadline or DEADLINE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray()
        self.over = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data, chunk=None):
        """In writes of `chunk` bytes. A server that has hung up is no fault: what
        it said before is still to be read."""
        if isinstance(data, str):
            data = data.encode("latin-1")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            if chunk is None:
                self.socket.sendall(data)
                return
            for i in range(0, len(data), chunk):
                self.socket.sendall(data[i:i + chunk])

    def end_sending(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def fill(self):
        if self.over is not None:
            raise Ended(self.over)
        try:
            data = self.socket.recv(65536)
        except (ConnectionResetError, BrokenPipeError):
            self.over = "reset"
            raise Ended("reset") from None
        except socket.timeout:
            raise AssertionError("waited in vain for the server; so far: "
                                 f"{bytes(self.buffer[:200])!r}") from None
        if not data:
            self.over = "fin"
            raise Ended("fin")
        self.buffer += data

    def take(self, count):
        while len(self.buffer) < count:
            self.fill()
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def take_until(self, mark):
        while mark not in self.buffer:
            require(len(self.buffer) < 65536, "a head without an end")
            self.fill()
        return self.take(self.buffer.index(mark) + len(mark))[:-len(mark)]

    def rest(self):
        """All that still comes, and how the connection ended."""
        try:
            while True:
                self.fill()
        except Ended as end:
            data = bytes(self.buffer)
            self.buffer.clear()
            return data, end.how

    def head(self):
        lines = self.take_until(b"\r\n\r\n").split(b"\r\n")
        version, status, phrase = lines[0].split(b" ", 2)
        # What its parser cannot read the library refuses as of HTTP/1.0.
        require(version == b"HTTP/1.1" or lines[0].startswith(
            (b"HTTP/1.0 403 ", b"HTTP/1.0 404 ")), f"an answer of {version}")
        require(len(status) == 3 and phrase, f"status line {lines[0]}")
        headers = []
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            require(colon and TOKEN.match(name), f"header line {line}")
            require(b"\r" not in value and b"\n" not in value
                    and b"\0" not in value, f"header line {line}")
            headers.append((name.decode().lower(),
                            value.strip(b" \t").decode("latin-1")))
        return Response(int(status), headers)

    def response(self, method="GET"):
        answer = self.head()
        length = answer.one("content-length")
        require(not answer.all("transfer-encoding"), "no need for that")
        if answer.status in (101, 204, 304) or method == "HEAD":
            require(answer.status not in (101, 204) or length in (None, "0"),
                    f"a {answer.status} of length {length}")
            return answer
        require(length is not None and length.isdigit(),
                f"an answer without a length: {answer}")
        answer.body = self.take(int(length))
        return answer

    def ask(self, request, method="GET"):
        self.send(request)
        return self.response(method)


class RawSession(Raw):
    """A WebSocket."""

    def open(self, token=None, **how):
        """Handshake; returns the answer, which must be a 101 by the letter."""
        key = how.pop("key", None) or new_key()
        self.send(upgrade_head(token, key=key, **how))
        return self.opened(key)

    def opened(self, key):
        answer = self.response()
        require(answer.status == 101, f"no upgrade: {answer}")
        require(answer.one("upgrade").lower() == "websocket", "Upgrade")
        require(answer.one("connection").lower() == "upgrade", "Connection")
        require(answer.one("sec-websocket-accept") == accept_of(key), "Accept")
        return answer

    def take_frame(self):
        """The next frame, checked as a client has to check it."""
        first, second = self.take(2)
        fin, rsv, opcode = first >> 7, first >> 4 & 7, first & 15
        length = second & 127
        require(not second & 128, "a server's frame was masked")
        require(rsv == 0, f"RSV {rsv}")
        require(opcode in (TEXT, CLOSE, PING, PONG), f"opcode {opcode}")
        require(fin, "the gateway never fragments")
        if length == 126:
            length, = struct.unpack(">H", self.take(2))
            require(length > 125, "a length that is not minimal")
        elif length == 127:
            length, = struct.unpack(">Q", self.take(8))
            require(65535 < length < 1 << 63, "a length that is not minimal")
        require(opcode < 8 or length < 126, "a control frame too long")
        found = Frame(opcode, self.take(length))
        if opcode == CLOSE:
            require(length != 1, "a close frame of one byte")
            code, reason = found.close
            require(code is None or valid_close(code), f"close {code}")
            found.payload[2:].decode()
        if opcode == TEXT:
            found.payload.decode()
        return found

    def json(self, want):
        """The next event for which want(event) is true; others, and pings, are
        read over. The server's closing is an Ended with the close frame's
        `close`."""
        while True:
            found = self.take_frame()
            if found.opcode == CLOSE:
                end = Ended("close")
                end.close = found.close
                raise end
            if found.opcode == TEXT and want(found.json):
                return found.json

    def control(self, opcode):
        """The next control frame of this kind; events are read over."""
        while True:
            found = self.take_frame()
            if found.opcode == opcode:
                return found
            require(found.opcode != CLOSE, f"closed: {found.close}")

    def closing(self, hang_up=False):
        """(code, reason) of the server's close frame; reads on to the end of the
        connection, which must be an orderly one. `hang_up`: ends it from here,
        as our close frame would be taken for the rest of another."""
        try:
            while True:
                found = self.take_frame()
                if found.opcode == CLOSE:
                    break
        except Ended as end:
            raise AssertionError(f"no close frame: {end}") from None
        self.send(frame(found.payload[:2], CLOSE))
        if hang_up:
            self.end_sending()
        data, how = self.rest()
        require(not data, f"after the close frame: {data[:80]!r}")
        require(how == "fin", "a reset after the close frame")
        return found.close


def valid_close(code):
    return code in (1000, 1001, 1002, 1003) or 1007 <= code <= 1014 \
        or 3000 <= code <= 4999
