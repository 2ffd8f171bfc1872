"""A sender that does what a careful client does when services fail: repeats what
was not acknowledged, under the same front_msg_id, until it is.

SPDX-License-Identifier: MIT
"""

import asyncio
import time

from .client import Closed, DEADLINE, new_id


class Sender:
    """Sends `count` messages from a session, `window` of them unanswered at a
    time. What came back is in `acked` (front_msg_id -> message); `errors` counts
    the refusals, `slowest` the longest wait for any answer."""

    def __init__(self, session, chat_id, count, label, window=50):
        self.session = session
        self.chat_id = chat_id
        self.texts = {new_id(): f"{label} number {i} of {count}"
                      for i in range(count)}
        self.waiting = list(self.texts)
        self.unanswered = {}
        self.acked = {}
        self.errors = 0
        self.slowest = 0.0
        self.window = window
        self.place = session.mark()
        self.retry_pause = 0.1

    async def send_next(self):
        while self.waiting and len(self.unanswered) < self.window:
            front = self.waiting.pop(0)
            self.unanswered[front] = time.monotonic()
            await self.session.send({
                "type": "send_message", "chat_id": self.chat_id,
                "msg": {"front_msg_id": front, "content": self.texts[front],
                        "format": "text"}})

    def take_answers(self):
        """True when an error asks for a pause."""
        pause = False
        frames = self.session.frames
        while self.place < len(frames):
            frame, at = frames[self.place], self.session.times[self.place]
            self.place += 1
            if frame["type"] == "new_message":
                front = frame["message"]["front_msg_id"]
            elif frame["type"] == "error":
                front = frame["front_msg_id"]
            else:
                continue
            sent_at = self.unanswered.pop(front, None)
            if sent_at is None:
                continue
            self.slowest = max(self.slowest, at - sent_at)
            if frame["type"] == "new_message":
                self.acked[front] = frame["message"]
            else:
                assert frame["reason"] == "unavailable", frame
                self.errors += 1
                self.waiting.append(front)
                pause = True
        return pause

    def done(self):
        return len(self.acked) == len(self.texts)

    async def run(self, limit=DEADLINE * 9):
        end = time.monotonic() + limit
        while not self.done():
            assert time.monotonic() < end, (
                f"{len(self.acked)} of {len(self.texts)} acknowledged, "
                f"{len(self.unanswered)} unanswered")
            await self.send_next()
            await self.session.until(
                lambda: len(self.session.frames) > self.place,
                f"answers to {len(self.unanswered)} sends")
            if self.take_answers():
                await asyncio.sleep(self.retry_pause)
        return self

    async def until_acked(self, count):
        await self.session.until(lambda: len(self.acked) >= count,
                                 f"{count} acknowledgements")


async def resume(sender, session):
    """Goes on over another connection: what was unanswered is sent again."""
    sender.session = session
    sender.place = session.mark()
    sender.waiting = list(sender.unanswered) + sender.waiting
    sender.unanswered.clear()
    return await sender.run()


__all__ = ["Closed", "Sender", "resume"]
