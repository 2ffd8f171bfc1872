"""One run: an installation of its own, people on it, faults; then peace, and the
checking.

    lay out -> meet -> trouble (people act, the nemesis strikes) -> heal
    -> all come online, all is answered -> everything has arrived
    -> presence -> fresh sessions -> the database -> check

Whatever happens, a run ends within its limit and leaves nothing running.

SPDX-License-Identifier: MIT
"""

import asyncio
import concurrent.futures
import functools
import random
import signal

from support.client import PATIENCE, Session, close_all, login, register
from support.process import children_of, clean_environment
from support.stack import BUILD, Stack

from . import checker
from .history import (History, Inbox, Opened, Presence, Sample, Settled, Token,
                      Upload, Wrong)
from .link import Link, http_faults
from .nemesis import ALL_LINKS, Clock, Nemesis, mount_disk, unmount_disk
from .oracle import Oracle
from .people import (Group, NETWORK, Person, RESTLESS, TALKER, upload_once)
from .plan import PROCESSES, Plan

SETTINGS = {
    "gateway": {"heartbeat": "500ms", "request_timeout": "3s",
                "recheck_interval": "5s", "drain_spread": "500ms",
                "connections_max": 1000},
    "presenced": {"lease": "2s", "grace": "1s"},
    # So that small groups go the way of large ones.
    "chatd": {"message_spread_min": 2},
}
SETTLE_SECONDS = 90 * PATIENCE
PRESENCE_SECONDS = 60 * PATIENCE


class Options:
    def __init__(self, seed=1, seconds=45.0, people=24, gateways=2, lanes=3,
                 short=True, rate=0.5, blows=True, settings=None):
        self.seed = seed
        self.seconds = seconds
        self.people = people
        self.gateways = gateways
        self.lanes = lanes
        self.short = short
        self.rate = rate        # actions a second of each device
        self.blows = blows
        self.settings = settings or {}

    def limit(self):
        """The longest that all of it may take."""
        return self.seconds + 300 * PATIENCE + self.seconds * 0.2


class World:
    """What people, nemesis and checking share."""

    def __init__(self, stack, options):
        self.stack = stack
        self.options = options
        self.seed = options.seed
        self.rate = options.rate
        self.history = History()
        self.oracle = Oracle(stack)
        self.rng = random.Random(f"{options.seed}/world")
        self.pool = concurrent.futures.ThreadPoolExecutor(24)
        self.people = []
        self.groups = {}
        self.old_tokens = []
        self.tokens = 0
        self.reconnects = 0
        self.late_answers = 0
        self.quiet = False
        self.deadline = None
        self.disk = False
        self.disk_full = False
        self.clocks = {}
        self.shifted = {}
        self.nemesis = None
        self.database = None

    # ---- for all -----------------------------------------------------------

    async def thread(self, function, *arguments):
        return await asyncio.get_running_loop().run_in_executor(
            self.pool, functools.partial(function, *arguments))

    def wrong(self, text, session=None):
        self.history.add(Wrong(self.history.now(), session, text))

    def broke(self, error):
        self.wrong(f"the test itself: {type(error).__name__}: {error}")

    def new_token(self):
        self.tokens += 1
        return self.tokens

    def devices(self):
        return [d for p in self.people for d in p.devices]

    def any_device(self, number):
        awake = [d for d in self.devices() if d.account is not None] or \
            self.devices()
        return awake[number % len(awake)]

    def some_devices(self, number, count):
        rng = random.Random(f"{self.seed}/{number}/{count}")
        return rng.sample(self.devices(), min(count, len(self.devices())))

    def blows_end(self):
        return self.deadline is not None and \
            self.history.now() > self.deadline

    # ---- what needs the whole ------------------------------------------------

    async def upload(self, device, certain=False):
        """`certain`: large enough to fail when there is no room."""
        account, full = device.account, self.disk_full
        gateway = device.rng.choice(self.stack.gateways)
        if account is None or full is None:
            return
        try:
            status, body = await self.thread(
                upload_once, gateway, account,
                300_000 if certain else 5_000)
        except Exception:
            return              # the gateway was stopped or killed
        if self.disk_full is not full or device.account is not account or \
                device.asked_logout:
            return              # it may have been either way
        clear = status == 200 or (isinstance(body, dict) and "error" in body)
        if certain:
            clear = clear and (status in (500, 503, 429)) if full else \
                clear and status in (200, 503, 429)
        self.history.add(Upload(self.history.now(), full, status, bool(clear)))

    async def try_old_token(self, device):
        """A token that was logged out must not let anyone in."""
        account, number = device.rng.choice(self.old_tokens)
        account.device = device
        link = None
        try:
            link = await Link.open(device.rng.choice(self.stack.gateways),
                                   account, wait=False)
            await asyncio.wait([link.info_came, link.reader], timeout=10,
                               return_when=asyncio.FIRST_COMPLETED)
        except NETWORK:
            return
        finally:
            if link is not None:
                await device.leave(link)
        came = link.info_came
        if came.done() and not came.cancelled():
            self.history.add(Token(self.history.now(), device.person.id,
                                   number, "let in"))
        elif link.close_code == 1008:
            self.history.add(Token(self.history.now(), device.person.id,
                                   number, "refused"))

    # ---- the beginning -------------------------------------------------------

    def lay_out(self):
        """Before anything starts: clocks that can be shifted, a small disk."""
        library = BUILD / "tests" / "support" / "shift_clock.so"
        assert library.exists(), f"{library} is not built"
        for part in PROCESSES:
            process = self.stack.lists[part][-1] if part in self.stack.lists \
                else getattr(self.stack, part)
            clock = Clock(self.stack.directory, part, library,
                          process.argv[0] if part in self.stack.lists else None)
            process.env = clean_environment(**{**process.env, **clock.env})
            self.clocks[process.name] = clock
            self.shifted[part] = process
        self.disk = mount_disk(self.stack.directory / "media")

    async def meet(self):
        """People register and connect; the first chats are made."""
        count = self.options.people
        sleepers = max(2, count // 12)
        for i in range(count):
            quiet = i < count // 4 or i >= count - sleepers
            person = Person(self, i + 1, TALKER if quiet else RESTLESS,
                            2 if i % 5 == 0 else 1)
            person.account = await self.thread(
                register, self.stack.gateways[i % len(self.stack.gateways)],
                None, f"Chaos {i + 1}")
            self.people.append(person)
        self.sleepers = self.people[-sleepers:]
        self.quiet = True
        for person in self.people:
            await self.introduce(person)
        await self.all_online(60 * PATIENCE)
        await self.make_chats()
        self.quiet = False

    async def introduce(self, person):
        """The id is told by user_info alone."""
        first = await Session.open(self.stack.gateways[0], person.account)
        person.id = person.account.id
        await first.close()
        for number, device in enumerate(person.devices):
            account = person.account if number == 0 else \
                await self.thread(login, self.stack.gateways[0],
                                  person.account)
            copy = type(account)(account.username, account.name,
                                 account.token)
            device.start(copy)

    async def make_chats(self):
        rng, people = self.rng, self.people
        sizes = [min(30, len(people)), 12, 6, 5, 4]
        for number, size in enumerate(sizes):
            admin = people[number % len(people)]
            others = rng.sample([p for p in people if p is not admin],
                                min(size, len(people)) - 1)
            chat = await admin.devices[0].create(f"Group {number + 1}", others)
            self.groups[chat] = Group(admin, others)
        for one in people:
            for other in rng.sample(people, 2):
                link = await one.devices[0].online()
                await link.ask("create_private_chat", user_id=other.id)

    # ---- the middle ----------------------------------------------------------

    async def trouble(self):
        self.deadline = self.history.now() + self.options.seconds
        helpers = [asyncio.ensure_future(self.watch()),
                   asyncio.ensure_future(self.sample())]
        for number, (chat, group) in enumerate(self.groups.items()):
            if number != 3:     # one group stays as it is
                helpers.append(asyncio.ensure_future(group.churn(
                    chat, random.Random(f"{self.seed}/churn/{number}"), self,
                    3 if self.options.short else 6)))
        helpers.append(asyncio.ensure_future(self.keep_sleepers()))
        try:
            await asyncio.gather(
                self.nemesis.run() if self.options.blows else asyncio.sleep(0),
                self.until_deadline())
        finally:
            self.quiet = True
            for helper in helpers:
                helper.cancel()
            for result in await asyncio.gather(*helpers,
                                               return_exceptions=True):
                if isinstance(result, Exception):
                    self.broke(result)

    async def until_deadline(self):
        await asyncio.sleep(max(0, self.deadline - self.history.now()))

    async def keep_sleepers(self):
        """Some are away for most of the run: of them no state may be guessed."""
        await asyncio.sleep(self.options.seconds * 0.1)
        for person in self.sleepers:
            person.sleep()
        await asyncio.sleep(self.options.seconds * 0.8)
        for person in self.sleepers:
            person.wake()

    async def watch(self):
        """Processes that end by themselves."""
        told = set()
        while True:
            for process in self.nemesis.corpses():
                if process.pid not in told:
                    told.add(process.pid)
                    self.wrong(f"{process.name} ended by itself with status "
                               f"{process.child.returncode}:\n"
                               f"{process.log_tail()}")
            await asyncio.sleep(0.5)

    async def sample(self):
        while True:
            await self.one_sample()
            await asyncio.sleep(1.5 if self.options.short else 4)

    async def one_sample(self):
        found = await self.thread(self.oracle.sample)
        if found is not None:
            self.history.add(Sample(self.history.now(), *found))

    # ---- the end -------------------------------------------------------------

    async def settle(self):
        """All are online, every send is answered, everything has arrived."""
        for person in self.people:
            person.wake()
        await self.all_online(SETTLE_SECONDS)
        await self.within(SETTLE_SECONDS, lambda: not any(
            d.pending for d in self.devices()), "answers to all sends")
        await self.within_thread(SETTLE_SECONDS, self.marks_are_full,
                                 "marks of what was delivered")
        await self.arrived()
        self.history.add(Settled(self.history.now(), frozenset(
            d.link.number for d in self.devices()
            if d.link is not None and d.link.is_open())))

    async def all_online(self, seconds):
        await self.within(seconds, lambda: all(
            d.ready.is_set() for d in self.devices()), "everybody to connect")

    async def within(self, seconds, condition, what):
        end = self.history.now() + seconds
        while not condition():
            if self.history.now() > end:
                self.wrong(f"waited {seconds:g} s in vain for {what}")
                return
            await asyncio.sleep(0.05)

    async def within_thread(self, seconds, condition, what):
        end = self.history.now() + seconds
        while not await self.thread(condition):
            if self.history.now() > end:
                return          # the checker says what is missing
            await asyncio.sleep(0.2)

    def marks_are_full(self):
        return self.oracle.undelivered() == 0

    async def arrived(self):
        """Until a check of what has to arrive unasked finds nothing missing."""
        end = self.history.now() + 20 * PATIENCE
        while self.history.now() < end:
            database = await self.thread(self.oracle.read)
            trial = History()
            trial.records = self.history.records + [Settled(
                self.history.now(), frozenset(
                    d.link.number for d in self.devices()
                    if d.link is not None))]
            case = await self.thread(checker.Case, trial, database)
            if not any(await self.thread(lambda: [
                    next(rule(case), None) for rule in (
                        checker.nobody_needs_to_ask, checker.senders_are_told,
                        checker.everyone_has_all)])):
                return
            await asyncio.sleep(1)

    async def presence(self):
        """A third goes away; until all read as they are."""
        for person in self.people[1::3]:
            person.sleep()
        end = self.history.now() + PRESENCE_SECONDS
        found = []
        while self.history.now() < end:
            try:
                found = await self.statuses()
            except NETWORK:
                continue
            if all(p.said == p.true for p in found):
                break
            await asyncio.sleep(0.5)
        for record in found:
            self.history.add(record)
        for person in self.people:
            person.wake()

    async def statuses(self):
        link = await self.people[0].devices[0].online()
        found = []
        for person in self.people:
            answer = await link.ask("get_person_info", person_id=person.id)
            info = answer.get("person_info")
            found.append(Presence(
                self.history.now(), person.id,
                bool(info) and info["status"] == "Online",
                person.is_online()))
        return found

    async def read_afresh(self):
        """A new session of each reads everything from the beginning."""
        for person in self.people:
            device = person.devices[0]
            account = device.account
            if account is None:
                self.wrong(f"{device.name} is not logged in at the end")
                continue
            link = await Link.open(self.rng.choice(self.stack.gateways),
                                   account, wait=False)
            link.how = "final"
            info = await asyncio.wait_for(link.info_came, 20 * PATIENCE)
            self.history.add(Opened(link.began, self.history.now(),
                                    link.number, person.id, "final",
                                    link.gateway.name))
            for item in info["last_chats"]:
                self.history.add(Inbox(self.history.now(), person.id,
                                       item["id"], item["unread_messages"]))
            await link.fetch({c["id"]: 0 for c in info["last_chats"]})
            await device.leave(link)

    async def go_home(self):
        for device in self.devices():
            device.over = True
            for task in list(device.tasks):
                task.cancel()
        tasks = [t for d in self.devices() for t in d.tasks]
        await asyncio.gather(*tasks, return_exceptions=True)
        await close_all()

    async def whole(self):
        await self.thread(self.oracle.install)
        await self.meet()
        try:
            await self.trouble()
        finally:
            await self.nemesis.heal()
        await self.one_sample()
        await self.settle()
        # From here on nothing is sent or read.
        await self.presence()
        await self.all_online(SETTLE_SECONDS)
        await self.read_afresh()
        self.database = await self.thread(self.oracle.read)


def run(world_of_tests, options):
    """Returns (world, faults). Raises what broke the run itself."""
    world_of_tests.stacks += 1
    stack = ChaosStack(
        world_of_tests,
        world_of_tests.directory / f"stack-{world_of_tests.stacks}",
        gateways=options.gateways, chatds=2, presenceds=2,
        settings=merged(options.settings), own_postgres=True, start=False,
        relays=ALL_LINKS)
    world = None
    try:
        world = World(stack, options)
        world.lay_out()
        # The stores run already; with clocks that can be shifted they have to
        # start anew.
        stack.redis.terminate()
        stack.postgres.stop()
        stack.postgres.start()
        stack.redis.start()
        stack.start()
        world.nemesis = Nemesis(world, Plan(
            options.seed, options.seconds, options.lanes, options.short))
        asyncio.run(within_limit(world))
        for text in http_faults():
            world.wrong(text)
    finally:
        stopped = stack.close()
        unmount_disk(stack.directory / "media")
        if world is not None:
            world.pool.shutdown(wait=False, cancel_futures=True)
    for text in stopped:
        world.wrong(text)
    return world, checker.check(world.history, world.database)


async def within_limit(world):
    try:
        await asyncio.wait_for(world.whole(), world.options.limit())
    finally:
        await asyncio.wait_for(world.go_home(), 30 * PATIENCE)


def merged(more):
    settings = {kind: dict(values) for kind, values in SETTINGS.items()}
    for kind, values in more.items():
        settings.setdefault(kind, {}).update(values)
    return settings


class ChaosStack(Stack):
    """Also on the way out: whoever is stopped goes on, so that it can end."""

    def close(self):
        for process in self.processes() + [self.redis, self.postgres]:
            if process.child is not None and process.paused:
                Nemesis.signal(children_of(process.pid), signal.SIGCONT)
                process.resume()
        return super().close()


__all__ = ["Options", "World", "run"]
