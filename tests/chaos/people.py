"""The people of a run, with one or two devices each, and what they do: talk, read,
look things up, are cut off and come back, log out and in, make groups, leave them.

A device does what a careful client does. It keeps what it got; cut off, it connects
to any gateway, after a pause that grows and differs, and syncs; a send that was not
answered it repeats under the same front_msg_id until it is.

SPDX-License-Identifier: MIT
"""

import asyncio
import random

import websockets

from support import hygiene
from support.client import (Closed, PATIENCE, http_form, login, message_frame,
                            new_id)

from .history import (Attempt, Change, Opened, Read, Refused, Synced, Token,
                      digest)
from .link import Link

# Every message begins so: no log may show it.
MARK = hygiene.secret("a body of the chaos run, for no log: ")
WINDOW = 4
CONNECT_SECONDS = 20 * PATIENCE
BACKOFF_MAX = 2.0
NOT_NOW = ("unavailable", "rate_limited")
FILLER = "abcdefghij äöü ßñ 你好 мир 🙂 \"\\/<&> \t"

NETWORK = (OSError, asyncio.TimeoutError, websockets.InvalidHandshake,
           websockets.InvalidMessage, websockets.ConnectionClosed, Closed,
           EOFError)


class Held:
    """Which seqs of a chat a device has."""

    def __init__(self):
        self.upto = 0
        self.beyond = set()

    def add(self, seq):
        if seq > self.upto:
            self.beyond.add(seq)
            while self.upto + 1 in self.beyond:
                self.upto += 1
                self.beyond.discard(self.upto)


class Device:
    def __init__(self, world, person, name):
        self.world = world
        self.history = world.history
        self.person = person
        self.name = f"{person.name}/{name}"
        self.rng = random.Random(f"{world.seed}/{self.name}")
        self.account = None
        self.token = 0          # number of the token in use
        self.asked_logout = False
        self.held = {}
        self.chats = set()
        self.pending = {}
        self.link = None
        self.ready = asyncio.Event()
        self.awake = asyncio.Event()
        self.awake.set()
        self.tasks = set()
        self.over = False

    def start(self, account):
        self.take_account(account)
        self.task(self.live())
        self.task(self.act())

    def take_account(self, account):
        account.device = self
        account.id = self.person.id
        self.account = account
        self.token = self.world.new_token()
        self.asked_logout = False

    def task(self, coroutine):
        task = asyncio.ensure_future(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.finished)
        return task

    def finished(self, task):
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None and \
                not isinstance(task.exception(), NETWORK):
            self.world.broke(task.exception())

    # ---- what it holds -----------------------------------------------------

    def hold(self, chat, seq):
        self.held.setdefault(chat, Held()).add(seq)

    def upto(self, chat):
        return self.held[chat].upto if chat in self.held else 0

    def joined(self, link, chat):
        self.chats.add(chat)
        if link is self.link:
            # What was said before the joining: history, which has to be asked for.
            self.task(self.fetch(link, chat))

    async def fetch(self, link, chat):
        await link.fetch({chat: self.upto(chat)})

    def left(self, chat):
        self.chats.discard(chat)

    # ---- its connection ----------------------------------------------------

    async def live(self):
        tries = 0
        while not self.over:
            await self.awake.wait()
            if tries:
                await asyncio.sleep(self.rng.uniform(
                    0.02, min(BACKOFF_MAX, 0.1 * 2 ** tries)))
            tries = min(tries + 1, 8)
            link = None
            try:
                if self.account is None:
                    await self.log_in()
                link = await self.connect()
                tries = 0
                await self.serve(link)
            except asyncio.CancelledError:
                raise
            except NETWORK:
                pass
            finally:
                self.ready.clear()
                self.link = None
                if link is not None:
                    await self.leave(link)
            if link is not None and link.close_code == 1008:
                self.lost_token()

    async def connect(self):
        gateway = self.rng.choice(self.world.stack.gateways)
        link = await Link.open(gateway, self.account, wait=False)
        try:
            info = await asyncio.wait_for(asyncio.shield(link.info_came),
                                          CONNECT_SECONDS)
        except (asyncio.CancelledError, asyncio.TimeoutError):
            if self.over:
                raise
            await self.leave(link)
            if link.close_code == 1008:
                self.lost_token()
            raise Closed("no user_info") from None
        self.history.add(Opened(link.began, self.history.now(), link.number,
                                self.person.id, self.name, link.gateway.name))
        self.world.reconnects += 1
        link.info = info
        self.chats = {item["id"] for item in info["last_chats"]}
        return link

    async def leave(self, link):
        if link.is_open():
            link.cut()
        await asyncio.wait([link.reader], timeout=5)

    async def serve(self, link):
        # An event of a new chat may come while this sync is under way.
        self.link = link
        floors = await link.fetch({c: self.upto(c) for c in self.chats})
        self.history.add(Synced(self.history.now(), link.number, floors))
        self.ready.set()
        await asyncio.wait([link.reader])

    def lost_token(self):
        if self.account is not None and not self.asked_logout:
            self.history.add(Token(self.history.now(), self.person.id,
                                   self.token, "refused in error"))
        self.account = None

    async def log_in(self):
        gateway = self.rng.choice(self.world.stack.gateways)
        try:
            account = await self.world.thread(login, gateway,
                                              self.person.account)
        except AssertionError as error:
            # 503, or 429: later. Anything else is wrong.
            if "<503" not in str(error) and "<429" not in str(error):
                self.world.wrong(f"login: {error}")
            raise Closed("login") from None
        except Exception as error:
            raise Closed(str(error)) from None
        self.take_account(account)

    async def log_out(self):
        link, account, token = self.link, self.account, self.token
        self.asked_logout = True
        await link.send({"type": "logout"})
        await asyncio.wait([link.reader], timeout=15 * PATIENCE)
        if link.close_code == 1000:
            self.history.add(Token(self.history.now(), self.person.id, token,
                                   "ended"))
            self.world.old_tokens.append((account, token))
            self.account = None
        else:
            await self.leave(link)

    # ---- talking -----------------------------------------------------------

    def say(self, chat):
        front = new_id()
        size = self.rng.choice((0, 5, 20, 60, 60, 200, 600))
        filler = "".join(self.rng.choices(FILLER, k=size))
        content = f"{MARK}{front} {filler}."
        self.pending[front] = chat
        self.task(self.deliver(front, chat, content))

    async def online(self):
        while True:
            await self.ready.wait()
            if self.link is not None and self.link.is_open():
                return self.link
            await asyncio.sleep(0.05)

    async def deliver(self, front, chat, content):
        """Until it is acknowledged, or refused for good."""
        pause = 0.05
        frame = message_frame(chat, content, front)
        while True:
            link = await self.online()
            try:
                answer = await self.send(link, frame)
            except NETWORK:
                continue
            if answer["type"] == "new_message":
                break
            if answer.get("reason") not in NOT_NOW:
                self.history.add(Refused(
                    self.history.now(), link.number, self.person.id, chat,
                    front, answer.get("reason", answer["type"])))
                break
            self.world.late_answers += 1
            await asyncio.sleep(self.rng.uniform(pause, 2 * pause))
            pause = min(2 * pause, 1)
        del self.pending[front]
        if self.rng.random() < 0.04:
            await self.send(await self.online(), frame)

    async def send(self, link, frame):
        self.history.add(Attempt(
            self.history.now(), link.number, self.person.id, frame["chat_id"],
            frame["msg"]["front_msg_id"], digest(frame["msg"]["content"])))
        return await link.ask("send_message", **frame)

    # ---- doing other things ------------------------------------------------

    async def act(self):
        while not self.over:
            await asyncio.sleep(self.rng.expovariate(self.world.rate))
            link = await self.online()
            if self.world.quiet:
                continue
            action = self.rng.choices(
                [a for a, _ in self.person.habits],
                [weight for _, weight in self.person.habits])[0]
            try:
                await getattr(self, "do_" + action)(link)
            except NETWORK:
                pass

    def any_chat(self):
        return self.rng.choice(sorted(self.chats)) if self.chats else None

    async def do_talk(self, link):
        chat = self.any_chat()
        if chat and len(self.pending) < WINDOW:
            self.say(chat)

    async def do_read(self, link):
        chat = self.any_chat()
        if chat:
            began = self.history.now()
            try:
                await link.ask("chat_messages_read", chat_id=chat)
            finally:
                self.history.add(Read(began, self.history.now(), link.number,
                                      self.person.id, chat))

    async def do_look(self, link):
        chat = self.any_chat()
        if chat and self.rng.random() < 0.5:
            await link.ask("open_chat", chat_id=chat)
        elif chat:
            await link.ask("get_messages", chat_id=chat, limit=30,
                           before_seq=self.rng.randint(1, 300))

    async def do_ask(self, link):
        other = self.rng.choice(self.world.people)
        await link.ask("get_person_info", person_id=other.id)

    async def do_type(self, link):
        chat = self.any_chat()
        if chat:
            await link.send({"type": "typing", "chat_id": chat,
                             "is_typing": self.rng.random() < 0.5})

    async def do_cut(self, link):
        link.cut()

    async def do_close(self, link):
        await link.socket.close()

    async def do_nap(self, link):
        """Away for a while, on purpose."""
        self.awake.clear()
        link.cut()
        await asyncio.sleep(self.rng.uniform(0.5, 4))
        if not self.person.asleep:
            self.awake.set()

    async def do_logout(self, link):
        await self.log_out()
        if self.world.old_tokens and self.rng.random() < 0.7:
            await self.world.try_old_token(self)

    async def do_upload(self, link):
        await self.world.upload(self)

    async def do_private(self, link):
        other = self.rng.choice(self.world.people)
        await link.ask("create_private_chat", user_id=other.id)

    async def do_group(self, link):
        others = self.rng.sample([p for p in self.world.people
                                  if p is not self.person], 3)
        await self.create(f"Made {self.rng.randrange(1000)}", others)

    async def create(self, name, people):
        """Asks until the group is there. Returns its id."""
        request, began = new_id(), self.history.now()
        while True:
            link = await self.online()
            try:
                answer = await self.create_by(link, request, name, people)
            except NETWORK:
                continue
            if answer["type"] == "group_chat_created":
                chat = answer["chat"]["id"]
                self.history.add(Change(
                    began, self.history.now(), self.person.id, "create", chat,
                    tuple(p.id for p in people), "ok", request))
                return chat
            assert answer.get("reason") in NOT_NOW, answer
            await asyncio.sleep(self.rng.uniform(0.1, 0.5))

    async def create_by(self, link, request, name, people):
        # The request's id is the key by which a repeated one is found.
        future = asyncio.get_running_loop().create_future()
        link.asked[request] = (future, self.history.now(), "create_group", None)
        try:
            await link.send({"type": "create_group", "name": name,
                             "member_ids": [p.id for p in people],
                             "request_id": request})
            return await asyncio.wait_for(future, 40)
        finally:
            link.asked.pop(request, None)

    async def do_leave(self, link):
        groups = [c for c in self.chats if c in self.world.groups and
                  self.world.groups[c].admin is not self.person]
        if groups:
            await self.change(link, "remove", self.rng.choice(sorted(groups)),
                              self.person)

    async def change(self, link, op, chat, person):
        """add or remove; returns the outcome."""
        began = self.history.now()
        outcome = "unknown"
        try:
            if op == "add":
                answer = await link.ask("add_members", chat_id=chat,
                                        member_ids=[person.id])
            else:
                answer = await link.ask("remove_member", chat_id=chat,
                                        member_id=person.id)
            if answer["type"] in ("chat_members_added", "chat_member_removed"):
                outcome = "ok"
            elif answer["reason"] != "unavailable":
                outcome = "no"
        finally:
            self.history.add(Change(began, self.history.now(), self.person.id,
                                    op, chat, (person.id,), outcome))
        return outcome


TALKER = [("talk", 70), ("read", 12), ("look", 6), ("ask", 3), ("type", 3)]
RESTLESS = TALKER + [("cut", 1.2), ("close", 0.8), ("nap", 1), ("logout", 0.7),
                     ("upload", 0.7), ("private", 0.5), ("group", 0.3),
                     ("leave", 0.6)]


class Person:
    def __init__(self, world, number, habits, devices):
        self.world = world
        self.name = f"p{number}"
        self.id = None
        self.account = None
        self.habits = habits
        self.asleep = False
        self.devices = [Device(world, self, ("phone", "desk")[i])
                        for i in range(devices)]

    def sleep(self):
        self.asleep = True
        for device in self.devices:
            device.awake.clear()
            if device.link is not None:
                device.link.cut()

    def wake(self):
        self.asleep = False
        for device in self.devices:
            device.awake.set()

    def is_online(self):
        return any(d.link is not None and d.link.is_open()
                   for d in self.devices)


class Group:
    """Whose admin takes people out and in again, all the time."""

    def __init__(self, admin, people):
        self.admin = admin
        self.people = people
        self.out = set()

    async def churn(self, chat, rng, world, pause):
        device = self.admin.devices[0]
        while not world.quiet:
            await asyncio.sleep(rng.uniform(0.3, 1) * pause)
            link = await device.online()
            person = rng.choice(sorted(
                (p for p in self.people if p is not self.admin),
                key=lambda p: p.name))
            # Whether he is out is not known for sure (he may have left, an
            # answer may be lost): either may be asked in vain.
            op = "add" if person in self.out or rng.random() < 0.4 \
                else "remove"
            try:
                outcome = await device.change(link, op, chat, person)
            except NETWORK:
                continue
            if outcome == "ok":
                (self.out.add if op == "remove" else self.out.discard)(person)


def upload_once(gateway, account, size):
    """The status of an upload, and its JSON; None where it is none."""
    answer = http_form(gateway, "/api/chat/upload",
                       {"file": ("notes.txt", "text/plain", b"x" * size)},
                       headers={"Authorization": "Bearer " + account.token})
    try:
        return answer.status, answer.json
    except AssertionError:
        return answer.status, None
