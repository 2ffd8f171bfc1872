"""People who chat on whatever happens to the servers, as a careful client does:
who is cut off connects again, to any gateway, sends again what was not answered
under the same front_msg_id, and asks for what it missed.

What they went through is kept to be judged afterwards: every error, every close,
every message held.

SPDX-License-Identifier: MIT
"""

import asyncio
import itertools

import websockets

from .client import Closed, DEADLINE, Session, new_id

# What a client may ask at any time beside sending; the last may not be repeated
# by the servers themselves.
ASIDE = ("get_contacts", "open_chat", "chat_messages_read", "change_name")


class Chatter:
    def __init__(self, stack, session, chats):
        self.stack = stack
        self.session = session
        self.account = session.account
        self.chats = chats
        self.acked = {}          # front_msg_id -> message
        self.sent = {}           # front_msg_id -> (chat, text)
        self.held = {chat: {} for chat in chats}   # chat -> seq -> id
        self.errors = []
        self.closes = []
        self.cuts = 0
        self.place = 0
        self.stopping = False
        self.failed = False
        self.aside = itertools.cycle(ASIDE)
        self.asked = 0
        self.session.invariants.lenient = True

    # ---- connecting ---------------------------------------------------------

    async def reconnect(self):
        """To any gateway that takes us, for as long as it takes."""
        end = asyncio.get_running_loop().time() + 3 * DEADLINE
        for gateway in itertools.cycle(self.stack.gateways):
            try:
                self.session = await Session.open(gateway, self.account)
                break
            except Closed:
                session_end = self.last_opened_close(gateway)
                self.closes.append(session_end)
            except (OSError, websockets.InvalidHandshake,
                    websockets.ConnectionClosed):
                self.cuts += 1
            assert asyncio.get_running_loop().time() < end, "nobody takes us"
            await asyncio.sleep(0.05)
        self.session.invariants.lenient = True
        self.place = 0
        await self.sync()

    @staticmethod
    def last_opened_close(gateway):
        from .client import open_sessions
        return next(s.close_code for s in reversed(open_sessions)
                    if s.gateway is gateway)

    async def sync(self):
        """What was missed, up to the last page."""
        while not self.failed:
            marks = [{"chat_id": c, "last_seq": self.frontier(c)}
                     for c in self.chats]
            place = self.session.mark()
            done = await self.session.ask("sync", chats=marks)
            if done["type"] == "chat_messages":     # its pages come first
                done = await self.session.wait("sync_done", since=place)
            if done["type"] == "error":
                self.errors.append(done)
                await asyncio.sleep(0.1)
                continue
            pages = self.session.all("chat_messages", place)
            for page in pages:
                for message in page["messages"]:
                    self.hold(message)
            if not any(page["has_more"] for page in pages):
                return

    def frontier(self, chat):
        seq = 0
        while seq + 1 in self.held[chat]:
            seq += 1
        return seq

    # ---- what comes ---------------------------------------------------------

    def hold(self, message):
        held = self.held[message["chat_id"]]
        before = held.setdefault(message["seq"], message["id"])
        assert before == message["id"], "two messages have one seq"

    def take(self):
        frames = self.session.frames
        while self.place < len(frames):
            frame = frames[self.place]
            self.place += 1
            if frame["type"] == "new_message":
                self.hold(frame["message"])
            elif frame["type"] == "error":
                self.errors.append(frame)

    # ---- speaking -----------------------------------------------------------

    async def say(self, chat, text):
        """Until it is acknowledged, on whatever connection, or all has failed.
        """
        front = new_id()
        self.sent[front] = (chat, text)
        while not self.failed:
            try:
                answer = await self.session.say(chat, text, front)
            except Closed:
                await self.lost()
                continue
            if answer["type"] == "new_message":
                self.acked[front] = answer["message"]
                return
            self.errors.append(answer)
            await asyncio.sleep(0.1)

    async def ask_aside(self, number):
        kind = next(self.aside)
        fields = {}
        if kind in ("open_chat", "chat_messages_read"):
            fields["chat_id"] = self.chats[number % len(self.chats)]
        elif kind == "change_name":
            fields["new_name"] = f"Name {number}"
        try:
            answer = await self.session.ask(kind, **fields)
            self.asked += 1
        except Closed:
            await self.lost()
            return
        if answer["type"] == "error":
            self.errors.append(answer)

    async def lost(self):
        self.take()
        await self.session.wait_closed()
        self.closes.append(self.session.close_code)
        await self.reconnect()

    async def run(self):
        """Until `stopping`."""
        number = 0
        while not self.stopping:
            number += 1
            await self.say(self.chats[number % len(self.chats)],
                           f"{self.account.username} says {number}")
            if number % 3 == 0:
                await self.ask_aside(number)
            self.take()
            await asyncio.sleep(0.005)
        return self

    async def hold_all(self, counts):
        """Until every message up to counts[chat] is here."""
        def complete():
            self.take()
            return all(self.frontier(c) >= n for c, n in counts.items()
                       if c in self.held)
        if not self.session.is_open():
            await self.lost()
        try:
            await self.session.until(complete, "every message", 3 * DEADLINE)
        except AssertionError as error:
            missing = {c: [s for s in range(1, n + 1) if s not in self.held[c]]
                       for c, n in counts.items() if c in self.held}
            raise AssertionError(f"{error}; missing: {missing}") from None


async def chat_through(chatters, torment):
    """All chat while the coroutine `torment` goes on, and a little longer; then
    nothing acknowledged is lost, nothing is doubled, and everyone has it all."""
    runs = [asyncio.ensure_future(c.run()) for c in chatters]
    try:
        await torment
    except BaseException:
        for chatter in chatters:
            chatter.failed = chatter.stopping = True
        await asyncio.gather(*runs, return_exceptions=True)
        raise
    try:
        after = [len(c.acked) for c in chatters]
        while any(len(c.acked) < n + 3 for c, n in zip(chatters, after)):
            assert not any(r.done() for r in runs), \
                [r.exception() for r in runs if r.done()]
            await asyncio.sleep(0.02)
    finally:
        for chatter in chatters:
            chatter.stopping = True
        results = await asyncio.gather(*runs, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    await check_all(chatters)


async def check_all(chatters):
    stack = chatters[0].stack
    counts = {}
    for chat in {c for chatter in chatters for c in chatter.chats}:
        rows = {front: (message_id, seq) for front, message_id, seq in
                stack.sql("SELECT front_msg_id::text, id::text, seq FROM "
                          "messages WHERE chat_id = %s", chat)}
        assert sorted(seq for _, seq in rows.values()) == \
            list(range(1, len(rows) + 1))
        counts[chat] = len(rows)
        for chatter in chatters:
            for front, message in chatter.acked.items():
                if message["chat_id"] == chat:
                    assert rows[front] == (message["id"], message["seq"])
        sent = {f for c in chatters for f, (to, _) in c.sent.items()
                if to == chat}
        assert sent == set(rows), "stored is what was sent, once"
    for chatter in chatters:
        await chatter.hold_all(counts)
