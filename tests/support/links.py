"""The link between processes, spoken by hand: TLS, NNG's framing, our envelope. For
tests of who may say what.

SPDX-License-Identifier: MIT
"""

import socket
import struct

from .client import DEADLINE

# NNG's protocols: who calls, who answers.
REQ, REP = 0x30, 0x31
ENVELOPE_VERSION = 1
HELLO, CHECK_TOKEN, PRESENCE_CHANGED = 2000, 2001, 2201
UNAUTHORIZED = 6
HEADER = b"\x00SP\x00%s\x00\x00"


def greeting(protocol):
    return HEADER % struct.pack(">H", protocol)


def frame(kind, body=b""):
    return struct.pack(">IHHQQQQ", len(body), kind, 0, 7, 0, 0, 0) + \
        bytes(64) + body


def envelope(kind, body=b""):
    return b"PRLY" + struct.pack(">HH", ENVELOPE_VERSION, 1) + frame(kind, body)


def read_exactly(link, count):
    data = b""
    while len(data) < count:
        more = link.recv(count - len(data))
        if not more:
            raise ConnectionResetError("the other side hung up")
        data += more
    return data


class Caller:
    """A connection as a process of ours would make it."""

    def __init__(self, address, context, host="127.0.0.1"):
        self.link = context.wrap_socket(
            socket.create_connection(address, DEADLINE), server_hostname=host)
        self.link.sendall(greeting(REQ))
        assert read_exactly(self.link, 8) == greeting(REP)
        self.number = 0x80000000

    def call(self, kind, body=b""):
        """The status of the answer."""
        self.number += 1
        message = struct.pack(">I", self.number) + envelope(kind, body)
        self.link.sendall(struct.pack(">Q", len(message)) + message)
        length, = struct.unpack(">Q", read_exactly(self.link, 8))
        answer = read_exactly(self.link, length)
        assert answer[4:8] == b"PRLY"
        got, status = struct.unpack(">HH", answer[16:20])
        assert got == kind
        return status

    def close(self):
        self.link.close()
