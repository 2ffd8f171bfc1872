"""A client of the gateways for tests: accounts over HTTP, sessions over WebSocket.

A session keeps every frame it receives, holds it against the contract and the
invariants at once, and notes what was wrong in `faults`, which conftest.py turns
into a failure. Waiting is always for an event, with a deadline.

SPDX-License-Identifier: MIT
"""

import asyncio
import json
import os
import time
import uuid

import websockets
from websockets.legacy.client import connect
from websockets.legacy.protocol import OP_TEXT

from . import hygiene
from .answers import check_answer
from .frames import Wrong, check_frame, check_request
from .invariants import Invariants

# Sanitizers slow everything down; a deadline is no measurement.
PATIENCE = float(os.environ.get("PARLEY_TEST_PATIENCE", "1"))
DEADLINE = 10 * PATIENCE
PASSWORD = hygiene.secret("pass-" + uuid.uuid4().hex[:12])

faults = []
open_sessions = []


def new_id():
    return str(uuid.uuid4())


def new_username(prefix="u"):
    return f"{prefix}_{uuid.uuid4().hex[:14]}"


class Answer:
    """An HTTP answer."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self):
        assert self.headers.get_content_type() == "application/json", \
            f"{self.status} {self.headers.get_content_type()}"
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


def note_secrets(body):
    """The password or token of a JSON body. Short ones, as tests of the rules
    have them, may stand in a log by chance."""
    for key in ("password", "token"):
        value = body.get(key) if isinstance(body, dict) else None
        if isinstance(value, str) and len(value) >= 12 and value.isascii():
            hygiene.secret(value)


def http_request(gateway, method, path, body=None, headers=None,
                 timeout=DEADLINE, source=None):
    """`source`: the address of ours to call from (all of 127.0.0.0/8 is)."""
    link = gateway.connection(timeout)
    link.source_address = (source, 0) if source else None
    try:
        headers = dict(headers or {})
        note_secrets(body)
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        link.request(method, path, body, headers)
        answer = link.getresponse()
        answer = Answer(answer.status, answer.headers, answer.read())
    finally:
        link.close()
    if answer.headers.get_content_type() == "application/json" and \
            b'"token"' in answer.body:
        note_secrets(answer.json)
    try:
        check_answer(method, path, answer)
    except (ValueError, Wrong) as error:
        faults.append(str(error))
    return answer


def http_form(gateway, path, fields, boundary="parley-test-boundary",
              headers=None, source=None):
    """POST as multipart/form-data; a field is text or (filename, type, bytes).
    """
    parts = []
    for name, value in fields.items():
        disposition = f'form-data; name="{name}"'
        kind = b""
        if isinstance(value, tuple):
            disposition += f'; filename="{value[0]}"'
            kind = f"Content-Type: {value[1]}\r\n".encode()
            value = value[2]
        elif isinstance(value, str):
            value = value.encode()
        parts.append(b"--%s\r\nContent-Disposition: %s\r\n%s\r\n%s\r\n" % (
            boundary.encode(), disposition.encode(), kind, value))
    parts.append(b"--%s--\r\n" % boundary.encode())
    return http_request(
        gateway, "POST", path, b"".join(parts),
        {"Content-Type": f"multipart/form-data; boundary={boundary}",
         **(headers or {})}, source=source)


class Account:
    def __init__(self, username, name, token):
        self.username = username
        self.name = name
        self.token = token
        self.id = None


def register(gateway, username=None, name=None, **fields):
    username = username or new_username()
    name = name or "Person " + username[-6:]
    body = {"username": username, "password": PASSWORD, "name": name,
            "email": f"{username}@example.org"}
    body.update(fields)
    answer = http_request(gateway, "POST", "/api/register", body)
    assert answer.status == 201, answer
    return Account(username, name, hygiene.secret(answer.json["token"]))


def login(gateway, account):
    answer = http_request(gateway, "POST", "/api/login",
                          {"username": account.username, "password": PASSWORD})
    assert answer.status == 200, answer
    again = Account(account.username, account.name,
                    hygiene.secret(answer.json["token"]))
    again.id = account.id
    return again


class Closed(Exception):
    """The server closed the connection while a frame was awaited."""


class Session:
    """One WebSocket connection."""

    def __init__(self, gateway, account):
        self.gateway = gateway
        self.account = account
        self.frames = []
        self.times = []
        self.info = None
        self.invariants = Invariants()
        self.close_code = None
        self.close_reason = None
        self.socket = None
        self.reader = None
        self.news = None

    # ---- life --------------------------------------------------------------

    @classmethod
    async def open(cls, gateway, account, wait=True, place="header",
                   token=None, first=(), source=None, more_headers=()):
        """`first`: frames sent before anything was received; `source`: as in
        http_request."""
        self = cls(gateway, account)
        token = token if token is not None else account.token
        path, headers = "/ws", dict(more_headers)
        local = {"local_addr": (source, 0)} if source else {}
        if place == "query":
            path += "?token=" + token
        elif place == "header":
            headers["Authorization"] = "Bearer " + token
        elif place == "cookie":
            headers["Cookie"] = "theme=dark; token=" + token
        self.news = asyncio.Condition()
        self.socket = await connect(
            gateway.ws_url(path), ssl=gateway.tls, extra_headers=headers,
            ping_interval=None, compression=None, max_size=None,
            max_queue=None, close_timeout=2, open_timeout=DEADLINE, **local)
        open_sessions.append(self)
        for frame in first:
            await self.send(frame)
        self.reader = asyncio.get_running_loop().create_task(self.read())
        if wait:
            self.info = await self.wait("user_info")
            account.id = self.info["user"]["id"]
        return self

    async def read(self):
        try:
            async for data in self.socket:
                self.take(data)
                async with self.news:
                    self.news.notify_all()
        except websockets.ConnectionClosed:
            pass
        self.close_code = self.socket.close_code
        self.close_reason = self.socket.close_reason
        async with self.news:
            self.news.notify_all()

    def take(self, data):
        wrong = []
        frame = {"type": None}
        try:
            frame = json.loads(data)
            check_frame(frame)
        except (ValueError, Wrong) as error:
            wrong.append(str(error))
        try:
            wrong += self.invariants.see(frame)
        except (KeyError, TypeError) as error:
            wrong.append(f"not to be understood: {error!r}")
        faults.extend(f"{self.name()}: {w}" for w in wrong)
        self.frames.append(frame)
        self.times.append(time.monotonic())

    def name(self):
        return (self.account.username if self.account else "?") + \
            "@" + self.gateway.name

    async def close(self):
        if self.socket is not None:
            await self.socket.close()
        if self.reader is not None:
            await self.reader

    def cut(self):
        """The connection dies without a word."""
        self.socket.transport.abort()

    def is_open(self):
        return self.close_code is None and self.socket.open

    # ---- speaking ----------------------------------------------------------

    async def send(self, frame):
        if frame.get("type") == "send_message":
            self.note(frame)
        await self.send_text(json.dumps(frame))

    def note(self, frame):
        message = frame.get("msg")
        if isinstance(message, dict) and message.get("front_msg_id"):
            front = str(message["front_msg_id"]).lower()
            fresh = front not in self.fronts
            self.fronts.add(front)
            self.invariants.sending(front, fresh, "request_id" in frame)
            hygiene.body(message.get("content"))

    # Every front_msg_id sent by any session: one sent again is not fresh.
    fronts = set()

    async def send_text(self, data):
        try:
            await self.socket.send(data)
        except websockets.ConnectionClosed as error:
            raise Closed(f"{self.name()}: {error}") from error

    async def send_raw(self, opcode, data, fin=True):
        await self.socket.write_frame(fin, opcode, data)

    async def send_bad_utf8(self):
        await self.send_raw(OP_TEXT, b'{"type":"\xff"}')

    async def ask(self, kind, **fields):
        """Sends a request and returns its direct answer."""
        request = dict(fields, type=kind, request_id=new_id())
        mark = self.mark()
        await self.send(request)
        answer = await self.wait(
            lambda f: f.get("request_id") == request["request_id"],
            since=mark)
        self.check_taken(request, answer)
        return answer

    def check_taken(self, request, answer):
        """What the server takes is in the documented contract."""
        if answer["type"] == "error" and answer["reason"] != "unavailable":
            return
        try:
            check_request(request)
        except Wrong as error:
            faults.append(f"{self.name()}: taken, though {error}")

    async def say(self, chat_id, content, front_msg_id=None, **fields):
        return await self.ask("send_message", **message_frame(
            chat_id, content, front_msg_id, **fields))

    # ---- listening ---------------------------------------------------------

    def mark(self):
        """A place in the frames received, for `since`."""
        return len(self.frames)

    def all(self, kind, since=0):
        return [f for f in self.frames[since:] if f["type"] == kind]

    def messages(self, chat_id=None, since=0):
        return [f["message"] for f in self.all("new_message", since)
                if chat_id in (None, f["message"]["chat_id"])]

    async def wait(self, what, where=None, since=0, timeout=None):
        """The first frame from `since` on that is of type `what` (or for which
        `what` is true) and fulfils `where`."""
        place = since

        def found():
            nonlocal place
            while place < len(self.frames):
                frame = self.frames[place]
                place += 1
                if (what(frame) if callable(what) else frame["type"] == what) \
                        and (where is None or where(frame)):
                    return frame
            return None
        return await self.until(found, what, timeout)

    async def until(self, condition, what="a condition", timeout=None):
        """Until `condition()` is true; it is asked after each frame."""
        limit = DEADLINE if timeout is None else timeout

        async def loop():
            async with self.news:
                while True:
                    result = condition()
                    if result:
                        return result
                    if self.close_code is not None:
                        raise Closed(f"{self.name()} was closed "
                                     f"({self.close_code} {self.close_reason})"
                                     f" while waiting for {what}")
                    await self.news.wait()
        try:
            return await asyncio.wait_for(loop(), limit)
        except asyncio.TimeoutError:
            kinds = [f["type"] for f in self.frames[-20:]]
            raise AssertionError(
                f"{self.name()} waited {limit:g} s in vain for {what}; "
                f"last frames: {kinds}") from None

    async def wait_closed(self, timeout=None):
        await asyncio.wait_for(asyncio.shield(self.reader),
                               DEADLINE if timeout is None else timeout)
        return self.close_code, self.close_reason

    async def fence(self):
        """All that was answered before is received."""
        await self.ask("get_person_info", person_id=self.account.id)


def message_frame(chat_id, content, front_msg_id=None, **fields):
    message = {"front_msg_id": front_msg_id or new_id(), "content": content,
               "format": "text"}
    message.update(fields)
    return {"chat_id": chat_id, "msg": message}


async def private_chat(one, other):
    """Makes the chat of two sessions' users; returns its id."""
    created = await one.ask("create_private_chat", user_id=other.account.id)
    chat_id = created["chat_item"]["id"]
    await other.wait("private_chat_created",
                     lambda f: f["chat_item"]["id"] == chat_id)
    return chat_id


async def close_all():
    for session in open_sessions:
        if session.reader is not None and not session.reader.done():
            await session.close()
    open_sessions.clear()
