"""A stand-in for a gateway: speaks the envelope to a chatd, byte by byte.

Written from docs/wire.md and not from the C code, so that it also tests that what
is written there is true. NNG's transport is spoken by hand: a REQ peer over a
unix socket, several requests under way at once.

SPDX-License-Identifier: MIT
"""

import hashlib
import json
import os
import re
import socket
import struct
import time
import uuid

from support.frames import check_frame
from support.stack import ROOT

NIL = uuid.UUID(int=0)
FRAME = struct.Struct(">IHHQQQQ16s16s16s16s")
PROTO_REQ = 0x30

KINDS, STATUS = {}, {}


def read_tables():
    text = (ROOT / "common" / "contract.def").read_text()
    for number, name in re.findall(
            r"^(?:REQUEST|HTTP_CALL|CALL)\((\d+), (\w+),", text, re.M):
        KINDS[name] = int(number)
    text = (ROOT / "common" / "err.def").read_text()
    for number, reason in re.findall(r'^ERR\(\w+, (\d+), "(\w+)"', text, re.M):
        STATUS[int(number)] = reason


read_tables()


class Frame:
    """A request or a reply."""

    def __init__(self, kind, body=b"", status=0, id=0, trace=1, seq=0, user=NIL,
                 session=NIL, token=NIL, chat=NIL):
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        self.kind, self.body, self.status, self.id = kind, body, status, id
        self.trace, self.seq, self.user = trace, seq, user
        self.session, self.token, self.chat = session, token, chat

    def pack(self):
        return FRAME.pack(
            len(self.body), self.kind, self.status, self.id, 0, self.trace,
            self.seq, self.user.bytes, self.session.bytes, self.token.bytes,
            self.chat.bytes) + self.body

    @property
    def reason(self):
        return STATUS[self.status]

    def json(self):
        return json.loads(self.body)

    def frame(self):
        """The client's frame in the body, checked against the contract."""
        frame = self.json()
        check_frame(frame)
        return frame


def unpack(data):
    magic, version, count = struct.unpack_from(">4sHH", data)
    assert magic == b"PRLY" and version == 1, data[:8]
    at, frames = 8, []
    for _ in range(count):
        length, kind, status, id, _, trace, seq, user, session, token, chat = \
            FRAME.unpack_from(data, at)
        at += FRAME.size
        frames.append(Frame(
            kind, data[at:at + length], status, id, trace, seq,
            uuid.UUID(bytes=user), uuid.UUID(bytes=session),
            uuid.UUID(bytes=token), uuid.UUID(bytes=chat)))
        at += length
    assert at == len(data)
    return frames


class Peer:
    def __init__(self, path):
        self.link = socket.socket(socket.AF_UNIX)
        self.link.settimeout(20)
        # The path from here: a unix socket's name may have 107 bytes.
        self.link.connect(os.path.relpath(path))
        self.link.sendall(struct.pack(">B2sBHH", 0, b"SP", 0, PROTO_REQ, 0))
        assert self.read(8)[:3] == b"\0SP"
        self.next = 1

    def read(self, n):
        data = b""
        while len(data) < n:
            more = self.link.recv(n - len(data))
            assert more, "chatd closed the connection"
            data += more
        return data

    def send_batch(self, frames):
        for frame in frames:
            frame.id = self.next
            self.next += 1
        body = struct.pack(">4sHH", b"PRLY", 1, len(frames)) + \
            b"".join(f.pack() for f in frames)
        request = struct.pack(">I", 0x80000000 | self.next)
        self.next += 1
        self.link.sendall(struct.pack(">BQ", 1, len(request + body)) +
                          request + body)

    def receive_batch(self):
        kind, length = struct.unpack(">BQ", self.read(9))
        assert kind == 1
        return unpack(self.read(length)[4:])

    def ask_all(self, frames, batch=64, window=4):
        """The replies in the order of the frames. Frames of one batch are handled
        in order; batches under way at the same time may overtake each other."""
        batches = [frames[i:i + batch] for i in range(0, len(frames), batch)]
        replies = {}
        for batch in batches[:window]:
            self.send_batch(batch)
        for i in range(len(batches)):
            for reply in self.receive_batch():
                replies[reply.id] = reply
            if i + window < len(batches):
                self.send_batch(batches[i + window])
        return [replies[f.id] for f in frames]

    def ask(self, frame):
        return self.ask_all([frame])[0]

    def call(self, name, body=b"", **fields):
        return self.ask(Frame(KINDS[name], body, **fields))

    def close(self):
        self.link.close()


class Session:
    """One WebSocket connection of one user, as a gateway would stamp it."""

    def __init__(self, peer, account):
        self.peer, self.account = peer, account
        self.user, self.token = account.user, account.token_id
        self.id = uuid.uuid4()
        self.versions = {}      # of the chats in the last user_info

    def frame(self, name, seq=0, chat=NIL, **fields):
        body = dict(fields, type=name) if name in KINDS and KINDS[name] < 1000 \
            else b""
        return Frame(KINDS[name], body, user=self.user, session=self.id,
                     token=self.token, chat=chat, seq=seq)

    def ask(self, name, **fields):
        reply = self.peer.ask(self.frame(name, **fields))
        return reply

    def message(self, chat, content, front=None, **msg):
        front = front or str(uuid.uuid4())
        return self.frame("send_message", chat_id=str(chat), msg={
            "front_msg_id": front, "content": content, **msg})

    def say(self, chat, content, front=None, **msg):
        return self.peer.ask(self.message(chat, content, front, **msg))

    def user_info(self):
        reply = self.peer.call("user_info", user=self.user, token=self.token,
                               session=self.id)
        if reply.reason != "ok":
            return reply, None, None
        (count,) = struct.unpack_from(">I", reply.body)
        marks, at = {}, 4
        for _ in range(count):
            chat, last, delivered, version = struct.unpack_from(
                ">16sQQI", reply.body, at)
            marks[str(uuid.UUID(bytes=chat))] = (last, delivered)
            self.versions[str(uuid.UUID(bytes=chat))] = version
            at += 36
        (length,) = struct.unpack_from(">I", reply.body, at)
        frame = json.loads(reply.body[at + 4:])
        assert length == len(reply.body) - at - 4
        check_frame(frame)
        return reply, marks, frame

    def catch_up(self, known, all_chats=False, away_ms=0):
        """known: {chat: (after_seq, known)} or with the group's version as a
        third; gives (more, parts)."""
        body = struct.pack(">BII", all_chats, away_ms, len(known))
        for chat, (after, is_known, *version) in known.items():
            body += struct.pack(">16sQIB", uuid.UUID(str(chat)).bytes, after,
                                version[0] if version else 0, is_known)
        reply = self.peer.call("catch_up", body, user=self.user,
                               session=self.id)
        assert reply.reason == "ok", reply.reason
        more, count = struct.unpack_from(">BI", reply.body)
        at, parts = 5, []
        for _ in range(count):
            kind, chat, seq, version, length = struct.unpack_from(
                ">B16sQII", reply.body, at)
            at += 33
            text = reply.body[at:at + length]
            at += length
            frame = json.loads(text) if text else None
            if frame:
                check_frame(frame)
            parts.append((kind, str(uuid.UUID(bytes=chat)),
                          version if kind == 5 else seq, frame))
        assert at == len(reply.body)
        return bool(more), parts


def report(peer, chat, marks):
    """report_delivered: marks is [(user, upto)]."""
    body = struct.pack(">I", len(marks)) + b"".join(
        struct.pack(">16sQ", user.bytes, upto) for user, upto in marks)
    return peer.call("report_delivered", body, chat=uuid.UUID(str(chat)))


class Event:
    EVENT = struct.Struct(">BBQQI16s16s16sI")
    KINDS = {1: "frame", 2: "message", 3: "receipt", 4: "chat_added",
             5: "chat_lost", 6: "token_ended", 7: "resync",
             8: "spread", 11: "message_spread"}

    def __init__(self, topic, data):
        version, kind, self.trace, self.seq, self.change, chat, skip, token, \
            length = self.EVENT.unpack_from(data)
        assert version == 2
        self.topic = topic.decode()
        self.kind = self.KINDS[kind]
        self.chat = str(uuid.UUID(bytes=chat))
        self.skip = uuid.UUID(bytes=skip)
        self.token = uuid.UUID(bytes=token)
        text = data[self.EVENT.size:self.EVENT.size + length]
        rest = data[self.EVENT.size + length:]
        assert len(text) == length
        assert bool(rest) == self.kind.endswith("spread")
        self.spread = spread(text, rest[4:]) if rest else None
        self.frame = json.loads(text) if text else None
        if self.frame:
            check_frame(self.frame)


def spread(text, data):
    """What each user of a spread gets."""
    (count,) = struct.unpack_from(">I", data)
    at, frames = 4, {}
    for _ in range(count):
        user, splices = struct.unpack_from(">16sI", data, at)
        at += 20
        own, done = b"", 0
        for _ in range(splices):
            where, gone, length = struct.unpack_from(">III", data, at)
            at += 12
            own += text[done:where] + data[at:at + length]
            done = where + gone
            at += length
        frames[uuid.UUID(bytes=user)] = own + text[done:]
    assert at == len(data)
    return frames


class Ear:
    """Hears what is published to some topics."""

    def __init__(self, redis, *users, topics=()):
        self.pubsub = redis.connect().pubsub()
        topics = [f"user:{u}" for u in users] + list(topics) or ["gateways"]
        self.pubsub.subscribe(*topics)
        self.events = []
        for _ in topics:
            assert self.pubsub.get_message(timeout=5)["type"] == "subscribe"

    def hear(self, count=1, seconds=5.0):
        """The next `count` events, at most so many seconds long."""
        heard, end = [], time.monotonic() + seconds
        while len(heard) < count and time.monotonic() < end:
            got = self.pubsub.get_message(timeout=end - time.monotonic())
            if got:
                heard.append(Event(got["channel"], got["data"]))
        return heard

    def silence(self, seconds=0.15):
        heard = self.hear(1, seconds)
        assert not heard, [(e.topic, e.kind, e.frame) for e in heard]


class Account:
    def __init__(self, peer, username, password, token):
        self.username, self.password, self.token = username, password, token
        reply = check_token(peer, token)
        assert reply.reason == "ok", reply.reason
        self.user, self.token_id = reply.user, reply.token
        self.expires_at = reply.seq


def check_token(peer, token):
    return peer.call("check_token", hashlib.sha256(token.encode()).digest())
