"""One connection of the fuzzer, which never blocks: what cannot be sent is left
out, what has come is read strictly as far as it is whole.

SPDX-License-Identifier: MIT
"""

import re
import socket
import struct

from support.frames import check_frame
from support.rawws import CLOSE, TEXT, Ended, RawSession, require

from . import actions
from .spoil import chance, frames_of, pieces, text_of, wrong_frame


LENGTH = re.compile(rb"\ncontent-length: (\d+)\r\n")


class NotYet(Exception):
    """The rest has not come."""


class Stranger(RawSession):
    def __init__(self, gateway, account, secret):
        super().__init__(gateway)
        self.socket.setblocking(False)
        self.account = account
        self.secret = secret
        self.is_websocket = False
        self.methods = []   # of HTTP requests without an answer yet; None: a
        #                     head was spoilt, they can no longer be told
        self.stuck = False  # the kernel takes no more from us
        self.heard = 0

    def fill(self):
        if self.over is not None:
            raise Ended(self.over)
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            raise NotYet() from None
        except OSError:
            self.over = "reset"
            raise Ended("reset") from None
        if not data:
            self.over = "fin"
            raise Ended("fin")
        require(self.secret not in data, "a stranger was shown what the pair "
                                         "has said to each other")
        self.buffer += data

    def put(self, rng, data):
        if self.stuck:
            return
        try:
            for piece in pieces(rng, data):
                if self.socket.send(piece) < len(piece):
                    self.stuck = True
                    return
        except OSError:
            self.stuck = True

    # ---- acting ----------------------------------------------------------------------

    def act(self, rng, pool):
        """One thing to do. False: the connection was ended from here."""
        if chance(rng, .04):
            return self.leave(rng)
        if self.is_websocket:
            self.speak(rng, pool)
        elif self.methods == [] and chance(rng, .6):
            data, exact = actions.handshake(rng, self.account.token)
            self.methods = ["GET"] if exact else None
            self.put(rng, data)
            if chance(rng, .3):
                # Frames straight behind it, before any answer.
                self.speak(rng, pool)
        else:
            method, data, exact = actions.http(rng, pool, self.account.token)
            if not exact:
                self.methods = None
            elif self.methods is not None:
                self.methods.append(method)
            self.put(rng, data)
        return True

    def speak(self, rng, pool):
        if chance(rng, .03):
            self.put(rng, wrong_frame(rng))
            return
        data = b"".join(frames_of(rng, text_of(rng, actions.request(rng, pool)))
                        for _ in range(rng.choice([1, 1, 1, 3, 20])))
        if chance(rng, .02):
            data = data[:rng.randrange(len(data) + 1)]
        self.put(rng, data)

    def leave(self, rng):
        how = rng.randrange(3)
        if how == 0:
            self.end_sending()
            return True
        if how == 1:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack("ii", 1, 0))
        self.socket.close()
        return False

    # ---- hearing ---------------------------------------------------------------------

    def hear(self):
        """Reads what has come; nothing is taken from the buffer unless it is there
        as a whole. False: the server has ended the connection."""
        try:
            while True:
                if self.is_websocket:
                    if not self.hear_frame():
                        return False
                elif self.methods is None:
                    self.hear_anything()
                else:
                    self.hear_answer()
        except NotYet:
            return True
        except Ended:
            return False

    def need(self, count):
        while len(self.buffer) < count:
            self.fill()

    def hear_frame(self):
        self.need(2)
        length, head = self.buffer[1] & 127, 2
        if length == 126:
            self.need(4)
            length, head = struct.unpack(">H", self.buffer[2:4])[0], 4
        elif length == 127:
            self.need(10)
            length, head = struct.unpack(">Q", self.buffer[2:10])[0], 10
        self.need(head + length)
        found = self.take_frame()
        self.heard += 1
        if found.opcode == TEXT:
            check_frame(found.json)
        return found.opcode != CLOSE

    def head_length(self):
        while b"\r\n\r\n" not in self.buffer:
            self.fill()
        return self.buffer.index(b"\r\n\r\n") + 4

    def hear_answer(self):
        end = self.head_length()
        status = int(self.buffer[9:12])
        length = LENGTH.search(self.buffer[:end])
        method = self.methods[0] if self.methods else "GET"
        body = int(length[1]) if length and method != "HEAD" and \
            status not in (100, 101, 204, 304) else 0
        self.need(end + body)
        answer = self.head()
        self.take(body)
        self.heard += 1
        require(status < 500 or status == 503, f"an answer of {status}")
        if status != 100 and self.methods:
            self.methods.pop(0)
        self.is_websocket = answer.status == 101

    def hear_anything(self):
        """After a head that was spoilt nobody knows how many answers come, and
        which of them have bodies."""
        self.need(12)
        if self.buffer.startswith(b"HTTP/1.1 101"):
            self.head_length()
            self.head()
            self.is_websocket = True
        else:
            self.buffer.clear()
