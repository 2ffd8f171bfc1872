"""One connection of the chaos run: a session of the tests' client that keeps no
frames but writes its part of the history.

SPDX-License-Identifier: MIT
"""

import asyncio
import json

from support.client import Closed, Session, faults, new_id, open_sessions
from support.frames import Wrong as BadFrame, check_frame

from .history import (Ended, Forbidden, Joined, Left, Seen, Told, ToldRead,
                      Wrong, digest)

# No request is met with silence: longer than any fault that is made, and the
# gateway's own timeout after it.
SILENCE = 40.0


class Link(Session):
    """`account.device` is whose link it is."""

    def __init__(self, gateway, account):
        super().__init__(gateway, account)
        self.device = account.device
        self.history = self.device.history
        self.number = self.history.new_session(
            f"{self.device.name}@{gateway.name}")
        self.began = self.history.now()
        self.asked = {}         # request_id -> (future, began, kind, chat)
        self.how = "page"
        self.shown = set()      # ids that a page or a chat_info has shown
        self.invariants.lenient = True
        self.info_came = asyncio.get_running_loop().create_future()

    def note(self, frame):
        front = frame["msg"]["front_msg_id"]
        self.invariants.sending(front, front not in self.fronts, True)
        self.fronts.add(front)

    # ---- receiving ---------------------------------------------------------

    def take(self, data):
        try:
            frame = json.loads(data)
            check_frame(frame)
            self.overtaken(frame)
            wrong = self.invariants.see(frame)
            self.record(frame)
        except (ValueError, BadFrame, KeyError, TypeError) as error:
            wrong = [f"{error!r} in {data[:300]}"]
            frame = {}
        for text in wrong:
            self.history.add(Wrong(self.history.now(), self.number, text))
        self.settle(frame)

    def overtaken(self, frame):
        """An event that a fault has delayed tells how its message began, also
        when a page has shown more of it."""
        if frame["type"] == "new_message" and "request_id" not in frame and \
                frame["message"]["id"] in self.shown:
            self.invariants.state.pop(frame["message"]["id"], None)

    def record(self, frame):
        kind = frame["type"]
        now = self.history.now()
        asked = "request_id" in frame
        if kind == "user_info":
            if not self.info_came.done():
                self.info_came.set_result(frame)
        elif kind == "new_message":
            self.saw(now, frame["message"], "answer" if asked else "live",
                     "catch_up" in frame)
        elif kind == "chat_messages":
            for message in frame["messages"]:
                self.saw(now, message, self.how)
        elif kind == "chat_info":
            for message in frame["chat"]["messages"]:
                self.saw(now, message, "info")
        elif kind == "messages_delivered":
            self.history.add(Told(now, self.number,
                                  tuple(frame["message_ids"])))
        elif kind == "chat_read":
            self.history.add(ToldRead(now, self.number, frame["chat_id"],
                                      frame["reader_user_id"]))
        elif kind in ("private_chat_created", "group_chat_created",
                      "chat_added"):
            item = frame["chat_item"]
            last = item["last_message"]
            self.history.add(Joined(now, self.number, item["id"],
                                    last and last["id"], asked))
            self.device.joined(self, item["id"])
        elif kind == "chat_member_removed" and \
                frame["user_id"] == self.account.id:
            self.history.add(Left(now, self.number, frame["chat_id"]))
            self.device.left(frame["chat_id"])
        elif kind == "chat_forbidden":
            self.device.left(frame["chat_id"])

    def saw(self, now, m, how, late=False):
        self.history.add(Seen(
            now, self.number, how, m["chat_id"], m["seq"], m["id"],
            m["user_id"], m.get("front_msg_id"), digest(m["content"]),
            m["state"], late))
        if how in ("page", "info"):
            self.shown.add(m["id"])
        self.device.hold(m["chat_id"], m["seq"])

    def settle(self, frame):
        """Gives a direct answer to who waits for it."""
        waiting = self.asked.get(frame.get("request_id"))
        if waiting is None:
            return
        future, began, kind, chat = waiting
        if frame["type"] == "chat_forbidden":
            self.history.add(Forbidden(began, self.history.now(), self.number,
                                       self.account.id, frame["chat_id"], kind))
        if kind == "sync" and frame["type"] in ("chat_messages",
                                                "chat_forbidden"):
            chat.append(frame)
            return
        del self.asked[frame["request_id"]]
        if not future.done():
            future.set_result(frame)

    async def read(self):
        await super().read()
        if self in open_sessions:
            open_sessions.remove(self)
        if self.info_came.done():
            self.history.add(Ended(self.history.now(), self.number,
                                   self.close_code, self.close_reason))
        else:
            self.info_came.cancel()
        for future, *_ in self.asked.values():
            if not future.done():
                future.set_exception(Closed(str(self.close_code)))
        self.asked.clear()

    # ---- asking ------------------------------------------------------------

    async def ask(self, kind, pages=None, **fields):
        """The direct answer; of a sync the pages go to the list `pages`."""
        request_id = new_id()
        future = asyncio.get_running_loop().create_future()
        began = self.history.now()
        if not self.is_open():
            raise Closed(str(self.close_code))
        self.asked[request_id] = (future, began, kind, pages)
        try:
            await self.send(dict(fields, type=kind, request_id=request_id))
            return await asyncio.wait_for(future, SILENCE)
        except asyncio.TimeoutError:
            if self.is_open():
                self.history.add(Wrong(
                    self.history.now(), self.number,
                    f"no answer to {kind} for {SILENCE:g} s"))
                self.cut()
            raise Closed("silence") from None
        finally:
            self.asked.pop(request_id, None)

    async def fetch(self, held):
        """sync until nothing is left, from what is held (chat -> seq). Returns
        what is held then; raises Closed."""
        held = dict(held)
        left = list(held)
        pause = 0.1
        while left:
            some, pages = left[:200], []
            answer = await self.ask("sync", pages, chats=[
                {"chat_id": c, "last_seq": held[c]} for c in some])
            more = set()
            for page in pages:
                chat = page["chat_id"]
                if page["type"] == "chat_forbidden":
                    held.pop(chat, None)
                    continue
                for message in page["messages"]:
                    held[chat] = max(held[chat], message["seq"])
                if page["has_more"]:
                    more.add(chat)
            if answer["type"] == "sync_done":
                left = [c for c in left if c in more or c not in some]
                pause = 0.1
                continue
            await asyncio.sleep(pause)
            pause = min(2 * pause, 2)
        return held


def http_faults():
    """What was wrong with HTTP answers since the last call."""
    found = list(faults)
    faults.clear()
    return found
