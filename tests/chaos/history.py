"""The history of a run: one record for each thing a client did or saw.

Times are seconds since the run's beginning, by the monotonic clock. Sessions are
numbers, given anew at each connection. Contents are told by a digest.

SPDX-License-Identifier: MIT
"""

import hashlib
import json
import sys
import time
from typing import NamedTuple


def digest(content):
    return sys.intern(hashlib.md5(content.encode()).hexdigest()[:16])


class Attempt(NamedTuple):
    """A send, also a repeated one."""
    at: float
    session: int
    user: str
    chat: str
    front: str
    digest: str


class Seen(NamedTuple):
    """A message in a frame. how: answer (to the own send: the acknowledgement),
    live, page (sync, get_messages), info (chat_info), final (what a fresh session
    reads after the run)."""
    at: float
    session: int
    how: str
    chat: str
    seq: int
    id: str
    sender: str
    front: object
    digest: str
    state: str
    late: bool


class Refused(NamedTuple):
    """A send that was answered for good with no."""
    at: float
    session: int
    user: str
    chat: str
    front: str
    reason: str


class Told(NamedTuple):
    """messages_delivered."""
    at: float
    session: int
    ids: tuple


class ToldRead(NamedTuple):
    """chat_read."""
    at: float
    session: int
    chat: str
    reader: str


class Read(NamedTuple):
    """A chat_messages_read; at: when it was answered or given up."""
    began: float
    at: float
    session: int
    user: str
    chat: str


class Opened(NamedTuple):
    """A session that got its user_info."""
    began: float
    at: float
    session: int
    user: str
    device: str
    gateway: str


class Ended(NamedTuple):
    at: float
    session: int
    code: object
    reason: object


class Synced(NamedTuple):
    """After its first sync the session holds each chat up to its floor."""
    at: float
    session: int
    floors: dict


class Joined(NamedTuple):
    """A chat became known in the middle of a session. last: its last message's
    id then; asked: it is the answer to the session's own request."""
    at: float
    session: int
    chat: str
    last: object
    asked: bool


class Left(NamedTuple):
    at: float
    session: int
    chat: str


class Change(NamedTuple):
    """add, remove or create. outcome: ok, no, or unknown."""
    began: float
    at: float
    by: str
    op: str
    chat: object
    users: tuple
    outcome: str
    request: object = None


class Forbidden(NamedTuple):
    began: float
    at: float
    session: int
    user: str
    chat: str
    request: str


class Token(NamedTuple):
    """what: ended (by a logout that was answered), let in or refused
    (afterwards)."""
    at: float
    user: str
    number: int
    what: str


class Inbox(NamedTuple):
    """A chat in a fresh user_info after the run."""
    at: float
    user: str
    chat: str
    unread: int


class Presence(NamedTuple):
    """After the run: what the server says of a user, and how it is."""
    at: float
    user: str
    said: bool
    true: bool


class Upload(NamedTuple):
    at: float
    full: bool
    status: object
    clear: bool


class Sample(NamedTuple):
    """The watermarks in the database. chats: id -> (last, announced); members:
    (chat, user) -> (joined, delivered, read)."""
    at: float
    chats: dict
    members: dict


class Blow(NamedTuple):
    """A fault that was made."""
    began: float
    at: float
    kind: str
    part: str
    detail: str


class Settled(NamedTuple):
    """All was healed and answered; these sessions were open then."""
    at: float
    sessions: frozenset


class Wrong(NamedTuple):
    """What was wrong at first sight: a frame, a process, a silence."""
    at: float
    session: object
    text: str


class History:
    def __init__(self):
        self.start = time.monotonic()
        self.records = []
        self.names = {}         # session -> text
        self.count = 0

    def now(self):
        return round(time.monotonic() - self.start, 4)

    def add(self, record):
        self.records.append(record)

    def new_session(self, name):
        self.count += 1
        self.names[self.count] = f"{name} #{self.count}"
        return self.count

    def all(self, kind):
        return [r for r in self.records if isinstance(r, kind)]

    def write(self, path):
        """One JSON object a line."""
        with open(path, "w", encoding="utf-8") as out:
            for record in self.records:
                line = {"record": type(record).__name__, **{
                    k: v for k, v in record._asdict().items()
                    if k not in ("members", "chats")}}
                if "session" in line:
                    line["name"] = self.names.get(line["session"])
                out.write(json.dumps(line, default=list) + "\n")
