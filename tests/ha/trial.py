"""A trial: people write all the time, a script makes faults and does what an
operator does, and the checker of the chaos runs judges what everybody saw.

SPDX-License-Identifier: MIT
"""

import asyncio
import time

from chaos import checker
from chaos.history import Blow, Seen
from chaos.link import http_faults
from chaos.people import TALKER
from chaos.run import Options, World
from support.client import PATIENCE
from support.process import Process

from .hosts import Network
from .installation import HOSTS, Installation

# What our web client does: without an answer for so long it connects anew.
ANSWER_SECONDS = 10


class Trial(World):
    """The world of the chaos runs, on another stack, with a script in place of a
    plan."""

    def __init__(self, stack, options, script):
        super().__init__(stack, options)
        self.script = script
        self.faults = []        # (what, when): see figures.py
        self.faults_end = 0.0   # what is sent from then on is not measured
        self.counts = {}        # as chaos' nemesis, for its reports
        self.skipped = {}
        self.nemesis = self

    # ---- in place of the nemesis ----------------------------------------------

    async def run(self):
        await self.script(self)
        self.faults_end = self.history.now()

    async def heal(self):
        pass                    # each script leaves all as it was

    def corpses(self):
        return [p for p in self.stack.everyone()
                if p.child is not None and p.child.poll() is not None]

    # ---- for scripts ------------------------------------------------------------

    def fault(self, name):
        """From now on it is measured what this one does to people."""
        now = self.history.now()
        self.faults.append((name, now))
        self.counts[name] = self.counts.get(name, 0) + 1
        self.history.add(Blow(now, now, name, "", ""))
        return now

    async def start(self, *processes):
        """By this thread, with which they would end."""
        for process in processes:
            Process.start(process)
        for process in processes:
            await self.thread(process.wait_ready)

    async def pass_by(self, seconds):
        """People write meanwhile; what is measured needs such time."""
        await asyncio.sleep(seconds)

    async def until(self, condition, what, seconds=60 * PATIENCE):
        end = time.monotonic() + seconds
        while not await self.thread(condition):
            assert time.monotonic() < end, f"in {seconds:g} s: no {what}"
            await asyncio.sleep(0.05)

    def acked(self, since):
        """How many sends were acknowledged since then."""
        return sum(1 for r in self.history.records if isinstance(r, Seen)
                   and r.how == "answer" and r.at > since)

    # ---- people -----------------------------------------------------------------

    async def meet(self):
        await super().meet()
        for person in self.people:
            person.habits = TALKER

    async def keep_sleepers(self):
        """Nobody sleeps here; who gets no answer connects anew."""
        while True:
            now = self.history.now()
            for device in self.devices():
                link = device.link
                if link is not None and any(
                        now - began > ANSWER_SECONDS
                        for _, began, *_ in link.asked.values()):
                    link.cut()
            await asyncio.sleep(0.25)


def options(people=20, rate=1.5):
    return Options(seed=7, seconds=0, people=people, rate=rate)


def run(tests, script):
    """(trial, faults) of one script."""
    tests.stacks += 1
    directory = tests.directory / f"ha-{tests.stacks}"
    with Network(HOSTS) as network:
        stack = Installation(tests, directory, network)
        trial = None
        try:
            stack.start()
            trial = Trial(stack, options(), script)
            asyncio.run(within_limit(trial))
            for text in http_faults():
                trial.wrong(text)
        except BaseException:
            tests.faulty = True
            raise
        finally:
            stopped = stack.close()
            if trial is not None:
                trial.pool.shutdown(wait=False, cancel_futures=True)
    for text in stopped:
        trial.wrong(text)
    return trial, checker.check(trial.history, trial.database)


async def within_limit(trial):
    try:
        await asyncio.wait_for(trial.whole(), 280 * PATIENCE)
    finally:
        await asyncio.wait_for(trial.go_home(), 30 * PATIENCE)
