"""One chatd over a database and a Redis of its own, and a peer to ask it.

SPDX-License-Identifier: MIT
"""

import sys
import uuid
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))

from support import hygiene  # noqa: E402
from support.process import poll  # noqa: E402
from wire import Account, Ear, Peer, Session  # noqa: E402


def lay_out(settings=None, **layout):
    """No gateway and no presenced: the tests are the one and need none of the
    other, whom chatd must do without."""
    settings = {kind: dict(values) for kind, values in (settings or {}).items()}
    settings.setdefault("chatd", {}).setdefault("presenced",
                                                "ipc://presenced-1.sock")
    return dict(layout, gateways=0, presenceds=0, settings=settings)


class Bench:
    """What a test needs: the stack, a peer, people and ears."""

    def __init__(self, stack):
        self.stack = stack
        self.peers = []
        self.peer = self.new_peer()

    def new_peer(self, number=1):
        peer = Peer(self.stack.directory / f"chatd-{number}.sock")
        self.peers.append(peer)
        return peer

    def register(self, username=None, **fields):
        name = username or "u" + uuid.uuid4().hex[:12]
        password = hygiene.secret("pw-" + uuid.uuid4().hex)
        reply = self.peer.call("register", {
            "username": name, "password": password, "name": "Name " + name,
            "email": name + "@example.org", **fields})
        assert reply.reason == "ok", reply.body
        return Account(self.peer, name, password,
                       hygiene.secret(reply.json()["token"]))

    def session(self, account=None, **fields):
        return Session(self.peer, account or self.register(**fields))

    def pair(self):
        """Two people and their private chat."""
        a, b = self.session(), self.session()
        frame = a.ask("create_private_chat", user_id=str(b.user)).frame()
        return a, b, frame["chat"]["id"]

    def ear(self, *sessions):
        """Hears what is published from now on: answers do not wait for Redis,
        so what went before is waited for."""
        for chatd in self.stack.chatds:
            poll(lambda c=chatd: c.metric("parley_chatd_publish_backlog") == 0,
                 "answer of Redis")
        return Ear(self.stack.redis, *(s.user for s in sessions))

    def close(self):
        for peer in self.peers:
            peer.close()


@pytest.fixture(scope="session")
def chatd_stack(world):
    stack = world.new_stack(**lay_out(chatds=2))
    yield stack
    faults = stack.close()
    assert not faults, "\n".join(faults)


@pytest.fixture
def bench(chatd_stack):
    bench = Bench(chatd_stack)
    yield bench
    bench.close()


@pytest.fixture
def new_bench(new_stack):
    benches = []

    def make(**layout):
        benches.append(Bench(new_stack(**lay_out(**layout))))
        return benches[-1]
    yield make
    for bench in benches:
        bench.close()
