"""Makes the faults of a plan, and heals them all.

Each blow has its part to itself: two lanes never hurt the same process at once,
but whatever else. What was hurt is whole again when its blow is over; `heal` makes
sure of it whatever happened.

Processes are started in the main thread alone: the kernel ends them with the
thread that started them.

SPDX-License-Identifier: MIT
"""

import asyncio
import os
import signal
import struct
import subprocess

import psycopg
import redis

from support.client import PATIENCE
from support.process import Process, children_of

from .history import Blow
from .plan import LINKS, MORE_LINKS

READY_SECONDS = 60 * PATIENCE
DISK = "32m"


def sanitizers_of(program):
    """Their libraries, which want to be the first that is loaded."""
    needed = subprocess.run(["ldd", program], capture_output=True, text=True,
                            check=True).stdout
    return [word for line in needed.splitlines()
            if line.split()[0].startswith(("libasan", "libtsan"))
            for word in line.split() if word.startswith("/")]


class Clock:
    """The shift of one process's wall clock: see support/shift_clock.c."""

    def __init__(self, directory, name, library, program=None):
        self.path = directory / f"{name}.clock"
        self.set(0)
        self.path.chmod(0o644)
        before = sanitizers_of(program) if program else []
        self.env = {"LD_PRELOAD": ":".join(before + [str(library)]),
                    "SHIFT_CLOCK_FILE": str(self.path)}

    def set(self, seconds):
        with open(self.path, "r+b" if self.path.exists() else "wb") as out:
            out.write(struct.pack("=q", seconds))


class Nemesis:
    def __init__(self, world, plan):
        self.world = world
        self.stack = world.stack
        self.plan = plan
        self.history = world.history
        self.locks = {}
        self.counts = {}
        self.down = set()       # whose end is no surprise
        self.skipped = {}
        self.slow = set()

    # ---- the parts -----------------------------------------------------------

    def process(self, part, number):
        if part in ("redis", "postgres"):
            return getattr(self.stack, part)
        processes = self.stack.lists[part]
        return processes[number % len(processes)]

    def relay(self, part, number):
        names = sorted(n for n in self.stack.relays if part in (
            "any", f"{n[0].rsplit('-', 1)[0]}-{n[1].rsplit('-', 1)[0]}"))
        name = names[number % len(names)]
        return "-".join(name), self.stack.relays[name]

    def everyone(self):
        return self.stack.processes() + [self.stack.redis,
                                         self.stack.postgres]

    # ---- going on --------------------------------------------------------------

    async def run(self):
        await asyncio.gather(*(self.lane(steps) for steps in self.plan.lanes))

    async def lane(self, steps):
        for step in steps:
            await asyncio.sleep(step.pause)
            if self.world.blows_end():
                return
            try:
                await self.blow(step)
            except (AssertionError, OSError) as error:
                self.world.wrong(f"{step.kind} {step.part}: {error}")

    async def blow(self, step):
        act = getattr(self, "do_" + step.kind + "_" + step.part, None) or \
            getattr(self, "do_" + step.kind)
        name, target = step.part, None
        if step.part in LINKS or step.part == "any":
            name, target = self.relay(step.part, step.number)
        elif step.part not in ("clients", "media"):
            target = self.process(step.part, step.number)
            if step.kind == "clock":
                target = self.world.shifted[step.part]
            name = target.name
        if step.kind in self.skipped:
            return
        async with self.locks.setdefault(name, asyncio.Lock()):
            began = self.history.now()
            detail = await act(target, step) or ""
            self.history.add(Blow(began, self.history.now(), step.kind, name,
                                  detail))
        key = f"{step.kind} {step.part}"
        self.counts[key] = self.counts.get(key, 0) + 1

    # ---- processes -------------------------------------------------------------

    async def begin(self, process):
        """Starts it; until it is ready. What it depends on may be down."""
        if process is self.stack.postgres:
            return await self.begin_postgres()
        Process.start(process)
        self.down.discard(process.name)
        if process is self.stack.redis:
            return await self.until(self.redis_answers, "Redis")
        # Not until it is ready: what it waits for may be away.
        return True

    async def begin_postgres(self):
        """A killed one's shared memory may be in use for a moment."""
        postgres = self.stack.postgres
        for _ in range(50):
            Process.start(postgres)
            if await self.until(lambda: self.postgres_answers() or
                                not postgres.alive(), "PostgreSQL") and \
                    postgres.alive():
                self.down.discard("postgres")
                return
            postgres.child = None
            await asyncio.sleep(0.2)
        raise AssertionError("PostgreSQL does not start:\n"
                             + postgres.log_tail())

    async def until(self, condition, what):
        end = self.history.now() + READY_SECONDS
        while not await self.world.thread(condition):
            assert self.history.now() < end, f"{what} does not come up"
            await asyncio.sleep(0.05)
        return True

    def redis_answers(self):
        try:
            return self.stack.redis.connect().ping()
        except redis.RedisError:
            return False

    def postgres_answers(self):
        try:
            self.stack.postgres.connect("postgres").close()
            return True
        except psycopg.Error:
            return False

    async def do_kill(self, process, step):
        self.down.add(process.name)
        process.kill()
        await asyncio.sleep(step.seconds * step.amount)
        await self.begin(process)

    async def do_kill_postgres(self, process, step):
        """All of its processes at once."""
        self.down.add(process.name)
        pids = children_of(process.pid)
        process.kill()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        await asyncio.sleep(step.seconds * step.amount)
        await self.begin(process)

    async def do_pause(self, process, step):
        pids = []
        process.pause()
        if process is self.stack.postgres:
            # All of them: one alone might hold what the others wait for.
            pids = children_of(process.pid)
        self.signal(pids, signal.SIGSTOP)
        try:
            await asyncio.sleep(step.seconds)
        finally:
            self.signal(pids, signal.SIGCONT)
            process.resume()

    @staticmethod
    def signal(pids, what):
        for pid in pids:
            try:
                os.kill(pid, what)
            except ProcessLookupError:
                pass

    async def do_restart(self, process, step):
        self.down.add(process.name)
        how = signal.SIGINT if process is self.stack.postgres \
            else signal.SIGTERM
        process.begin_terminate(how)
        await self.world.thread(process.end_terminate, 30 * PATIENCE)
        await self.begin(process)

    async def do_immediate(self, process, step):
        """Shutdown as after a crash: what is not committed is lost."""
        self.down.add(process.name)
        process.child.send_signal(signal.SIGQUIT)
        await self.world.thread(process.child.wait, 30 * PATIENCE)
        process.child = None
        await asyncio.sleep(step.seconds * step.amount)
        await self.begin(process)

    async def do_clock(self, process, step):
        """Jumps to hours ahead or behind, and back again."""
        jump = int(round((step.amount * 2 - 1) * 7200)) or 60
        clock = self.world.clocks[process.name]
        clock.set(jump)
        try:
            await asyncio.sleep(step.seconds)
        finally:
            clock.set(0)
        return f"{jump:+d} s"

    # ---- links -----------------------------------------------------------------

    async def do_cut(self, relay, step):
        await self.world.thread(relay.down)
        await asyncio.sleep(step.seconds)
        await self.world.thread(relay.accept)

    async def do_hold(self, relay, step):
        which = (None, "up", "down")[int(step.amount * 3) % 3]
        await self.world.thread(relay.hold, which)
        await asyncio.sleep(step.seconds)
        await self.world.thread(relay.release)
        return which or "both ways"

    async def do_delay(self, relay, step):
        delay = round(0.02 + 0.3 * step.amount, 3)
        await self.world.thread(relay.delay, delay)
        await asyncio.sleep(step.seconds)
        await self.world.thread(relay.delay, 0)
        return f"{delay} s"

    # ---- the rest --------------------------------------------------------------

    async def do_flushall(self, process, step):
        def flush():
            try:
                return self.stack.redis.connect().flushall()
            except redis.RedisError:
                return False        # another blow holds it
        await self.until(flush, "Redis for FLUSHALL")

    async def do_disk(self, _, step):
        """The media store's file system has no room; uploads fail clearly."""
        if not self.world.disk:
            self.skipped["disk"] = "this account may not mount file systems"
            return
        self.world.disk_full = True
        filler = self.stack.directory / "media" / ".filler"
        try:
            with open(filler, "wb") as out:
                try:
                    while True:
                        out.write(bytes(1 << 16))
                        out.flush()
                except OSError:
                    pass
            device = self.world.any_device(step.number)
            await self.world.upload(device, certain=True)
            await asyncio.sleep(step.seconds)
        finally:
            # No upload is judged while room comes back.
            self.world.disk_full = None
            filler.unlink(missing_ok=True)
        self.world.disk_full = False
        await self.world.upload(device, certain=True)

    async def do_slow_clients(self, _, step):
        """Some stop reading for a while."""
        devices = self.world.some_devices(step.number, 3)
        links = [d.link for d in devices if d.link is not None]
        for link in links:
            link.socket.transport.pause_reading()
            self.slow.add(link)
        await asyncio.sleep(step.seconds * 2)
        self.read_again(links)
        return ", ".join(link.device.name for link in links)

    def read_again(self, links):
        for link in links:
            self.slow.discard(link)
            try:
                link.socket.transport.resume_reading()
            except RuntimeError:
                pass

    async def do_cut_clients(self, _, step):
        """The clients' own network is gone for a moment."""
        devices = self.world.some_devices(step.number, 6)
        for device in devices:
            if device.link is not None:
                device.link.cut()
        return ", ".join(d.name for d in devices)

    # ---- healing ---------------------------------------------------------------

    async def heal(self):
        for relay in self.stack.relays.values():
            await self.world.thread(relay.release)
            await self.world.thread(relay.delay, 0)
            await self.world.thread(relay.accept)
        for clock in self.world.clocks.values():
            clock.set(0)
        self.read_again(list(self.slow))
        (self.stack.directory / "media" / ".filler").unlink(missing_ok=True)
        self.world.disk_full = False
        for process in (self.stack.postgres, self.stack.redis,
                        *self.stack.processes()):
            if process.alive() and process.paused:
                self.signal(children_of(process.pid), signal.SIGCONT)
                process.resume()
            elif process.child is None:
                await self.begin(process)
        for process in self.stack.processes():
            try:
                await self.until(
                    lambda p=process: p.admin("/readyz")[0] == 200,
                    f"/readyz of {process.name}")
            except AssertionError as error:
                self.world.wrong(f"{error}: {process.admin('/readyz')}\n"
                                 + process.log_tail())

    def corpses(self):
        """Processes that ended though nobody wanted it."""
        return [p for p in self.everyone() if p.name not in self.down and
                p.child is not None and p.child.poll() is not None]


def mount_disk(directory):
    """Whether the media store is now a small file system of its own."""
    return subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "parley-chaos",
         directory], capture_output=True, check=False).returncode == 0


def unmount_disk(directory):
    # Lazily: a gateway may have a file open.
    subprocess.run(["umount", "-l", directory], capture_output=True,
                   check=False)


ALL_LINKS = LINKS + MORE_LINKS
