"""The fuzzer's loop and what it watches:

    no process dies, no log has a sanitizer's report
    /api/health answers 200 throughout
    the pair goes on talking, every invariant of theirs holds
    all that anyone receives keeps the letter of HTTP, RFC 6455 and the schemas
    no stranger sees what the pair has said
    afterwards connections, descriptors and memory are back where they were

SPDX-License-Identifier: MIT
"""

import asyncio
import os
import random
import sys
import time
import uuid

from support import client
from support.client import (DEADLINE, Session, http_request, login, new_id,
                            private_chat, register)
from support.process import poll

from .actions import Pool
from .spoil import chance
from .stranger import Stranger

STRANGERS = 24
ACCOUNTS = 6
# Steps between two words of the pair.
TALK_EVERY = 40
MEMORY_MORE = 48 << 20
SETTINGS = {"gateway": {
    "rate_address_registrations": "off", "rate_address_logins": "off",
    "rate_address_login_failures": "off", "rate_address_requests": "off",
    "rate_address_connects": "off", "rate_address_refusals": "off",
    "rate_sends": "off", "rate_reads": "off", "rate_searches": "off",
    "rate_changes": "off", "rate_uploads": "off"}}
LAYOUT = {"gateways": 2, "chatds": 2, "presenceds": 1, "settings": SETTINGS}


class Fuzz:
    def __init__(self, stack, seed):
        self.stack = stack
        self.seed = seed
        self.step = 0
        self.secret = f"said-in-confidence-{uuid.uuid4().hex}"
        self.slots = [None] * STRANGERS
        self.heard = 0
        self.talks = 0

    # ---- before ------------------------------------------------------------------------

    async def prepare(self):
        gateways = self.stack.gateways
        self.accounts = [register(gateways[i % 2]) for i in range(ACCOUNTS)]
        self.ann = await Session.open(gateways[0], register(gateways[0]))
        self.ben = await Session.open(gateways[1], register(gateways[1]))
        self.chat = await private_chat(self.ann, self.ben)
        sessions = [await Session.open(gateways[0], a) for a in self.accounts]
        chats = [await private_chat(a, b)
                 for a, b in zip(sessions, sessions[1:])]
        group = await sessions[0].ask(
            "create_group", name="Strangers", description=None,
            avatar_url=None,
            member_ids=[a.id for a in self.accounts])
        chats.append(group["chat_item"]["id"])
        for session in sessions:
            await session.close()
        # The pair's ids are no secret, and must be of no use.
        self.pool = Pool(self.accounts,
                         [a.id for a in self.accounts]
                         + [self.ann.account.id, self.ben.account.id],
                         chats * 2 + [self.chat])
        self.files = [g.open_files() for g in gateways]
        self.memory = None

    # ---- one step ----------------------------------------------------------------------

    def act(self, rng):
        number = rng.randrange(STRANGERS)
        stranger = self.slots[number]
        if stranger is None:
            account = rng.choice(self.accounts)
            stranger = self.slots[number] = Stranger(
                rng.choice(self.stack.gateways), account, self.secret.encode())
        if not stranger.act(rng, self.pool):
            self.drop(number)
        if chance(rng, .02):
            # Its token may have been logged out.
            number = rng.randrange(ACCOUNTS)
            self.renew(number)

    def renew(self, number):
        account = self.accounts[number]
        answer = http_request(self.stack.gateways[0], "POST", "/api/login", {
            "username": account.username, "password": client.PASSWORD})
        if answer.status == 200:
            account.token = client.hygiene.secret(answer.json["token"])

    def drop(self, number):
        self.heard += self.slots[number].heard
        self.slots[number].socket.close()
        self.slots[number] = None

    def hear(self, rng):
        for number, stranger in enumerate(self.slots):
            # Some read late, or never.
            if stranger is not None and chance(rng, .5) and \
                    not stranger.hear():
                self.drop(number)

    async def talk(self):
        """The pair says a word each way; the gateways are well."""
        for one, other in ((self.ann, self.ben), (self.ben, self.ann)):
            answer = await one.say(self.chat, f"{self.secret} {new_id()}")
            assert answer["type"] == "new_message", answer
            await other.wait("new_message", lambda f: f["message"]["id"] ==
                             answer["message"]["id"])
            # What was looked through need not be kept.
            one.frames.clear()
        for gateway in self.stack.gateways:
            answer = http_request(gateway, "GET", "/api/health")
            assert answer.status == 200, answer
        for process in self.stack.processes():
            process.require_alive()
        assert not client.faults, "\n".join(client.faults[:5])
        self.talks += 1

    async def run(self, seconds, steps=None):
        start = time.monotonic()
        while (time.monotonic() - start < seconds if steps is None
               else self.step < steps):
            self.step += 1
            rng = random.Random(f"{self.seed}/{self.step}")
            self.act(rng)
            self.hear(rng)
            if self.step % TALK_EVERY == 0:
                await self.talk()
            elif self.step % 8 == 0:
                await asyncio.sleep(0)
            if self.memory is None and time.monotonic() - start > seconds / 3:
                self.memory = [g.memory() for g in self.stack.gateways]

    # ---- afterwards --------------------------------------------------------------------

    async def finish(self):
        for number, stranger in enumerate(self.slots):
            if stranger is not None:
                self.drop(number)
        await self.talk()
        for i, gateway in enumerate(self.stack.gateways):
            poll(lambda g=gateway: g.metric("parley_gateway_connections") == 1,
                 f"end of the strangers' connections at {gateway.name}",
                 DEADLINE * 3)
            poll(lambda g=gateway, n=self.files[i]: g.open_files() <= n + 2,
                 f"end of the strangers' sockets at {gateway.name}",
                 DEADLINE * 3)
            # A sanitizer keeps what was freed.
            if self.memory and "ASAN_OPTIONS" not in os.environ:
                grown = gateway.memory() - self.memory[i]
                assert grown < MEMORY_MORE, \
                    f"{gateway.name} has grown by {grown >> 20} MiB"
        await self.ann.close()
        await self.ben.close()


async def fuzz(stack, seconds, seed, steps=None):
    """Raises whatever was found, with what repeats it."""
    fuzz = Fuzz(stack, seed)
    await fuzz.prepare()
    try:
        await fuzz.run(seconds, steps)
        await fuzz.finish()
    except BaseException as error:
        print(f"live fuzz: found at step {fuzz.step} of seed {seed}: "
              f"{type(error).__name__}: {error}\n"
              f"    repeat: /usr/bin/python3 -m fuzz.live --seed {seed} "
              f"--steps {fuzz.step}", file=sys.stderr)
        raise
    print(f"live fuzz: seed {seed}, {fuzz.step} steps, "
          f"{fuzz.heard} answers heard, {fuzz.talks} times the pair talked")
    assert fuzz.heard > fuzz.step / 20 or fuzz.step < 200, \
        "hardly an answer was heard: this run has tested nothing"


__all__ = ["LAYOUT", "fuzz", "login"]
