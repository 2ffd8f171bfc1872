"""A relay between two parts, over TCP or unix sockets, that makes a link fail in
every way a link can fail:

    relay = Relay(("127.0.0.1", 5432))      where to; "/a/path" for a unix socket
    relay.address                           where to connect instead

    relay.cut()                 ends all connections, by RST; cut("fin") politely
    relay.refuse()              new connections are refused, until accept()
    relay.hold()                forwards nothing and ends nothing, as if the cable
    relay.hold("down")          were pulled; one direction alone; until release()
    relay.delay(0.2, "up")      everything comes later; until delay(0)
    relay.limit(10000)          bytes a second, each direction; until limit(None)

    watch = relay.watch(b"PUBLISH", then="hold", nth=3)
    watch.wait()                until the pattern passed (a deadline fails)

`up` is from who connects to the target, `down` is back. A watch is for one
direction (up) and counts over all connections. `then` is one of

    None            nothing but wait() and count
    "cut", "fin"    this connection (all="cut": all of the relay)
    "hold"          this direction of this connection
    a function      called with the Connection, in the relay's thread: let it be
                    short (os.kill, connection.hold(), relay.refuse())

and `when` says where: "before" (the bytes before the pattern were forwarded, of
the pattern itself nothing) or "after" (its last byte was given to the kernel,
nothing behind it was). A watch fires once, at the nth time, unless always=True.

`relay.connections` are those open now; each has cut(), hold(), release() and
`opening`, the first bytes that went up, to tell them apart by. What is held stays
held in a connection until released; connections made while the relay holds are
accepted and held as well.

Methods may be called from any thread and have taken effect when they return. All
relays of a process share one thread. What a relay buffers is bounded (it stops
reading), so that a held link fills up as a real one does.

SPDX-License-Identifier: MIT
"""

import asyncio
import os
import socket
import struct
import threading
from collections import deque

from .client import PATIENCE
from .process import free_port

CHUNK = 65536
# What one direction keeps while it is held, delayed or limited.
KEPT = 32 * CHUNK
OPENING = 4096
DIRECTIONS = ("up", "down")
END, RESET = "end", "reset"


class _Thread:
    """The loop that all relays share."""

    lock = threading.Lock()
    loop = None

    @classmethod
    def get(cls):
        with cls.lock:
            if cls.loop is None:
                cls.loop = asyncio.new_event_loop()
                threading.Thread(target=cls.loop.run_forever, daemon=True,
                                 name="relay").start()
            return cls.loop


def _do(function, *arguments):
    """Runs it in the relays' thread; returns when it is done."""
    loop = _Thread.get()
    try:
        inside = asyncio.get_running_loop() is loop
    except RuntimeError:
        inside = False
    if inside:
        result = function(*arguments)
        return loop.create_task(result) if asyncio.iscoroutine(result) \
            else result

    async def run():
        result = function(*arguments)
        return await result if asyncio.iscoroutine(result) else result
    return asyncio.run_coroutine_threadsafe(run(), loop).result(30 * PATIENCE)


def _both(direction):
    assert direction in (None, *DIRECTIONS), direction
    return DIRECTIONS if direction is None else (direction,)


class Watch:
    """A pattern that is waited for."""

    def __init__(self, relay, pattern, direction, then, nth, when, always):
        self.relay = relay
        self.pattern = pattern
        self.direction = direction
        self.then = then
        self.nth = nth
        self.when = when
        self.always = always
        self.count = 0
        self.fired = threading.Event()
        self.connection = None

    def wait(self, seconds=10 * PATIENCE):
        assert self.fired.wait(seconds), \
            f"{self.relay.name}: {self.pattern!r} did not pass " \
            f"({self.count} of {self.nth})"
        return self

    async def passed(self, seconds=10 * PATIENCE):
        """wait() for a coroutine."""
        await asyncio.get_running_loop().run_in_executor(
            None, self.wait, seconds)
        return self

    def cancel(self):
        _do(self.relay._forget, self)

    def _hit(self, connection):
        """Whether the pattern, found once more, is the one to act on."""
        self.count += 1
        if self.count < self.nth:
            return False
        if not self.always:
            self.relay._forget(self)
        self.connection = connection
        return True

    def _act(self, connection):
        if callable(self.then):
            self.then(connection)
        elif self.then == "hold":
            connection.ways[self.direction].hold()
        elif self.then in ("cut", "fin"):
            connection._cut(self.then == "cut")
        self.fired.set()


class _Way:
    """One direction of a connection: reader -> kept pieces -> writer."""

    def __init__(self, connection, direction, reader, writer):
        self.connection = connection
        self.relay = connection.relay
        self.direction = direction
        self.reader = reader
        self.writer = writer
        # drain() returns when the kernel has all of it.
        writer.transport.set_write_buffer_limits(high=0)
        self.pieces = deque()   # (due, bytes, Watch, END or RESET)
        self.kept = 0
        self.tail = b""         # may become a pattern: not yet in pieces
        self.held = False
        self.changed = asyncio.Event()

    def hold(self):
        self.held = True

    def release(self):
        self.held = False
        self.changed.set()

    def is_held(self):
        return self.held or self.direction in self.relay.held

    def put(self, what):
        due = asyncio.get_running_loop().time() + \
            self.relay.delays[self.direction]
        self.pieces.append((due, what))
        if isinstance(what, bytes):
            self.kept += len(what)
        self.changed.set()

    async def read(self):
        while True:
            while self.kept >= KEPT:
                self.changed.clear()
                await self.changed.wait()
            try:
                data = await self.reader.read(CHUNK)
            except OSError:
                self.put(RESET)
                return
            if self.direction == "up" and len(self.connection.opening) < \
                    OPENING:
                self.connection.opening += data[:OPENING]
            if not data:
                if self.tail:
                    self.put(self.tail)
                self.put(END)
                return
            self.split(self.tail + data)

    def split(self, data):
        """Cuts the stream at what is watched for."""
        watches = [w for w in self.relay.watches
                   if w.direction == self.direction]
        at = 0
        while watches:
            found = [(data.find(w.pattern, at), w) for w in watches]
            found = [f for f in found if f[0] >= 0]
            if not found:
                break
            place = min(f[0] for f in found)
            first = [w for p, w in found if p == place]
            end = place + min(len(w.pattern) for w in first)
            hits = [w for w in first if w._hit(self.connection)]
            for watch in (w for w in hits if w.when == "before"):
                if data[at:place]:
                    self.put(data[at:place])
                at = place
                self.put(watch)
            if any(w.when == "after" for w in hits):
                self.put(data[at:end])
                for watch in (w for w in hits if w.when == "after"):
                    self.put(watch)
            elif data[at:end]:
                self.put(data[at:end])
            at = end
            watches = [w for w in watches if w in self.relay.watches]
        rest = data[at:]
        keep = max((_overlap(rest, w.pattern) for w in watches), default=0)
        if len(rest) > keep:
            self.put(rest[:len(rest) - keep])
        self.tail = rest[len(rest) - keep:]

    async def write(self):
        try:
            await self.write_all()
        except OSError:
            # Who listens here is gone; the other direction tells the other end
            # when it may.
            self.writer.transport.abort()

    async def write_all(self):
        loop = asyncio.get_running_loop()
        while True:
            while self.is_held() or not self.pieces:
                self.changed.clear()
                await self.changed.wait()
            due, what = self.pieces[0]
            if due > loop.time():
                await asyncio.sleep(due - loop.time())
                continue        # it may be held by now
            self.pieces.popleft()
            if what == RESET:
                self.connection._cut(True)
                return
            if what == END:
                self.writer.write_eof()
                return
            if isinstance(what, Watch):
                what._act(self.connection)
                continue
            rate = self.relay.rates[self.direction]
            if rate is not None:
                part = max(1, int(rate / 20))
                if len(what) > part:
                    self.pieces.appendleft((due, what[part:]))
                    what = what[:part]
                await asyncio.sleep(len(what) / rate)
            self.writer.write(what)
            await self.writer.drain()
            self.kept -= len(what)
            self.changed.set()


def _overlap(data, pattern):
    """How many of the last bytes may be the beginning of the pattern."""
    for n in range(min(len(data), len(pattern) - 1), 0, -1):
        if data.endswith(pattern[:n]):
            return n
    return 0


class Connection:
    """One connection through a relay."""

    def __init__(self, relay, reader, writer):
        self.relay = relay
        self.reader = reader
        self.writer = writer
        self.target = None      # its writer
        self.opening = b""
        self.ways = {}
        self.ended = asyncio.get_running_loop().create_future()

    def cut(self, how="rst"):
        _do(self._cut, how == "rst")

    def hold(self, direction=None):
        _do(lambda: [self.ways[d].hold() for d in _both(direction)])

    def release(self, direction=None):
        _do(lambda: [self.ways[d].release() for d in _both(direction)])

    def _cut(self, reset):
        if not self.ended.done():
            self.ended.set_result(None)
        for writer in (self.writer, self.target):
            if writer is None:
                continue
            link = writer.get_extra_info("socket")
            if reset and link is not None and link.family != socket.AF_UNIX:
                try:
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                    struct.pack("ii", 1, 0))
                except OSError:
                    pass
            writer.transport.abort()
        if self in self.relay.connections:
            self.relay.connections.remove(self)

    async def _reach(self):
        """A target that is not there yet is waited for; one that stays away is
        as a refusal, though a late one."""
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE
        while True:
            try:
                reader, self.target = await self.relay._connect()
                return reader
            except OSError:
                if loop.time() > end:
                    return None
            await asyncio.sleep(0.02)

    async def _run(self):
        reader = await self._reach()
        if reader is None:
            self._cut(True)
            return
        self.ways["up"] = _Way(self, "up", self.reader, self.target)
        self.ways["down"] = _Way(self, "down", reader, self.writer)
        if self.ended.done():
            self._cut(True)
            return
        self.relay.connections.append(self)
        tasks = [asyncio.ensure_future(t) for way in self.ways.values()
                 for t in (way.read(), way.write())]
        try:
            # One end closing its side is passed on; both, and it is over.
            await asyncio.wait([asyncio.gather(tasks[1], tasks[3],
                                               return_exceptions=True),
                                self.ended],
                               return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            self.relay.faults += [
                f"{self.relay.name}: {end!r}" for end in ends
                if isinstance(end, Exception)]
            self._cut(False)


class Relay:
    """See the head of this file. `listen`: an address to listen on, else a free
    port, or for a unix target a path beside it."""

    def __init__(self, target, listen=None, name=None):
        self.target = target if isinstance(target, tuple) else str(target)
        if listen is None:
            listen = ("127.0.0.1", free_port()) \
                if isinstance(target, tuple) else f"{target}.relay"
        self.address = listen if isinstance(listen, tuple) else str(listen)
        self.name = name or f"relay to {target}"
        self.connections = []
        self.watches = []
        self.held = set()
        self.delays = dict.fromkeys(DIRECTIONS, 0)
        self.rates = dict.fromkeys(DIRECTIONS)
        self.accepted = 0
        self.faults = []        # of the relay itself: none, one hopes
        self.server = None
        _do(self._listen)

    @property
    def port(self):
        return self.address[1]

    # ---- what goes wrong ---------------------------------------------------

    def cut(self, how="rst"):
        """Ends what is open now; what connects later is served."""
        _do(lambda: [c._cut(how == "rst") for c in list(self.connections)])

    def refuse(self):
        _do(self._unlisten)

    def accept(self):
        _do(self._listen)

    def down(self, how="rst"):
        """cut and refuse: the link is away until accept()."""
        self.refuse()
        self.cut(how)

    def hold(self, direction=None):
        _do(lambda: self.held.update(_both(direction)))

    def release(self, direction=None):
        """Also what single connections held."""
        def release():
            self.held.difference_update(_both(direction))
            for connection in self.connections:
                for one in _both(direction):
                    connection.ways[one].release()
        _do(release)

    def delay(self, seconds, direction=None):
        _do(lambda: self.delays.update(
            dict.fromkeys(_both(direction), seconds)))

    def limit(self, bytes_per_second, direction=None):
        _do(lambda: self.rates.update(
            dict.fromkeys(_both(direction), bytes_per_second)))

    def watch(self, pattern, then=None, direction="up", nth=1, when="after",
              always=False):
        assert pattern and when in ("before", "after")
        assert direction in DIRECTIONS
        watch = Watch(self, pattern, direction, then, nth, when, always)
        _do(self.watches.append, watch)
        return watch

    def close(self):
        def close():
            self._unlisten()
            for connection in list(self.connections):
                connection._cut(False)
        _do(close)

    # ---- in the relays' thread ---------------------------------------------

    def _forget(self, watch):
        if watch in self.watches:
            self.watches.remove(watch)

    async def _serve(self, reader, writer):
        self.accepted += 1
        await Connection(self, reader, writer)._run()

    async def _listen(self):
        if self.server is not None:
            return
        if isinstance(self.address, tuple):
            self.server = await asyncio.start_server(
                self._serve, *self.address, limit=CHUNK, backlog=1024)
        else:
            if os.path.exists(self.address):
                os.unlink(self.address)
            self.server = await asyncio.start_unix_server(
                self._serve, self.address, limit=CHUNK, backlog=1024)

    def _unlisten(self):
        if self.server is not None:
            self.server.close()
            self.server = None
            if isinstance(self.address, str) and os.path.exists(self.address):
                os.unlink(self.address)

    async def _connect(self):
        if isinstance(self.target, tuple):
            return await asyncio.open_connection(*self.target, limit=CHUNK)
        return await asyncio.open_unix_connection(self.target, limit=CHUNK)
