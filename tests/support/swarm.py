"""Thousands of WebSocket clients in one thread: bare sockets under epoll, which do
the handshake, read frames and answer pings, and no more.

SPDX-License-Identifier: MIT
"""

import base64
import errno
import hashlib
import os
import resource
import select
import socket
import struct
import time
import uuid

from . import hygiene
from .client import DEADLINE

KEY = base64.b64encode(b"parley-swarm-key").decode()
MASK = b"\x11\x22\x33\x44"


def raise_descriptor_limit(wanted):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise OSError(f"the limit of open files is {hard}, {wanted} are "
                      f"needed: ulimit -n {wanted}")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def make_accounts(stack, count):
    """So many users with a token each, straight into the database; returns the
    tokens."""
    tokens = [base64.urlsafe_b64encode(os.urandom(32)).decode().rstrip("=")
              for _ in range(count)]
    prefix = "s" + uuid.uuid4().hex[:10]
    with stack.postgres.connect(stack.database) as link:
        ids = [uuid.uuid4() for _ in tokens]
        with link.cursor() as cursor:
            with cursor.copy("COPY users (id, username, name, email, "
                             "password_hash) FROM STDIN") as copy:
                for i, user in enumerate(ids):
                    name = f"{prefix}_{i}"
                    copy.write_row((str(user), name, name,
                                    f"{name}@example.org", "none"))
            with cursor.copy("COPY tokens (id, hash, user_id, expires_at) "
                             "FROM STDIN") as copy:
                for token, user in zip(tokens, ids):
                    digest = hashlib.sha256(token.encode()).digest()
                    copy.write_row((str(uuid.uuid4()), digest, str(user),
                                    "2099-01-01"))
    hygiene.secret(tokens[0])
    return tokens


class Bee:
    """One connection. `got`: texts received (only their types are kept, by
    count); `code`: of the close frame; `ended`: how the socket went."""

    def __init__(self, swarm, token, gateway):
        self.swarm = swarm
        self.token = token
        self.gateway = gateway
        self.socket = None
        self.reset()

    def reset(self):
        self.data = b""
        self.upgraded = False
        self.informed = False
        self.texts = 0
        self.code = None
        self.ended = None

    def connect(self):
        self.reset()
        self.socket = socket.socket()
        self.socket.setblocking(False)
        error = self.socket.connect_ex((self.gateway.host, self.gateway.port))
        if error not in (0, errno.EINPROGRESS):
            self.end(os.strerror(error))
            return
        self.swarm.watch(self, select.EPOLLOUT)

    def end(self, how):
        self.ended = how
        self.swarm.forget(self)
        self.socket.close()
        self.socket = None

    def writable(self):
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self.end(os.strerror(error))
            return
        self.socket.send(
            f"GET /ws HTTP/1.1\r\nHost: parley.test\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\n"
            f"Authorization: Bearer {self.token}\r\n\r\n".encode())
        self.swarm.watch(self, select.EPOLLIN)

    def readable(self):
        try:
            data = self.socket.recv(65536)
        except OSError as error:
            self.end(error.strerror)
            return
        if not data:
            self.end("closed")
            return
        self.data += data
        if not self.upgraded:
            head, found, rest = self.data.partition(b"\r\n\r\n")
            if not found:
                return
            if b" 101 " not in head.split(b"\r\n")[0]:
                self.end(head.split(b"\r\n")[0].decode())
                return
            self.upgraded, self.data = True, rest
        while self.socket is not None and self.take_frame():
            pass

    def take_frame(self):
        data = self.data
        if len(data) < 2:
            return False
        length, start = data[1] & 127, 2
        if length == 126:
            if len(data) < 4:
                return False
            length, start = struct.unpack(">H", data[2:4])[0], 4
        elif length == 127:
            if len(data) < 10:
                return False
            length, start = struct.unpack(">Q", data[2:10])[0], 10
        if len(data) < start + length:
            return False
        payload = data[start:start + length]
        self.data = data[start + length:]
        opcode = data[0] & 15
        if opcode == 1:
            self.texts += 1
            self.informed = self.informed or b'"user_info"' in payload[:40]
            if self.swarm.on_text is not None:
                self.swarm.on_text(self, payload)
        elif opcode == 8:
            self.code = struct.unpack(">H", payload[:2])[0] if payload else 1005
            self.send_frame(8, payload[:2])
        elif opcode == 9:
            self.send_frame(10, payload)
        return True

    def send_frame(self, opcode, payload):
        key = (MASK * (len(payload) // 4 + 1))[:len(payload)]
        length = bytes([0x80 | len(payload)]) if len(payload) < 126 else \
            b"\xfe" + struct.pack(">H", len(payload))
        try:
            self.socket.send(bytes([0x80 | opcode]) + length + MASK + bytes(
                a ^ b for a, b in zip(payload, key)))
        except OSError as error:
            self.end(error.strerror)


class Swarm:
    def __init__(self):
        self.poll = select.epoll()
        self.bees = []
        self.by_fd = {}
        self.on_text = None      # called with (bee, bytes)

    def add(self, token, gateway):
        bee = Bee(self, token, gateway)
        self.bees.append(bee)
        return bee

    def watch(self, bee, events):
        fd = bee.socket.fileno()
        if fd in self.by_fd:
            self.poll.modify(fd, events)
        else:
            self.by_fd[fd] = bee
            self.poll.register(fd, events)

    def forget(self, bee):
        fd = bee.socket.fileno()
        if self.by_fd.pop(fd, None) is not None:
            self.poll.unregister(fd)

    def turn(self, seconds=0.05):
        for fd, events in self.poll.poll(seconds):
            bee = self.by_fd.get(fd)
            if bee is None:
                continue
            if events & select.EPOLLOUT:
                bee.writable()
            else:
                bee.readable()

    def until(self, condition, what, seconds=6 * DEADLINE, each_turn=None):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"in {seconds:g} s: no {what}; "
                                     f"{self.summary()}")
            self.turn()
            if each_turn is not None:
                each_turn()

    def summary(self):
        ends = {}
        for bee in self.bees:
            how = (bee.ended, bee.code)
            ends[how] = ends.get(how, 0) + 1
        return (f"{sum(b.informed for b in self.bees)} of {len(self.bees)} "
                f"have user_info; ends: {ends}")

    def close(self):
        for bee in self.bees:
            if bee.socket is not None:
                bee.end("ours")
        if not self.poll.closed:
            self.poll.close()
