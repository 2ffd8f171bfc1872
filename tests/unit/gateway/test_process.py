"""The gateway as a process of its own, against a stand-in for chatd.

What a client sees when events are lost, doubled or late, when frames are
malformed, when it does not read, when tokens end, when the process is asked to
stop. Needs redis-server; nothing else of the installation runs.

SPDX-License-Identifier: MIT
"""
import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
import uuid

import pytest
import redis
import websockets
from websockets.legacy.client import connect as connect_socket

BUILD = os.environ["PARLEY_BUILD"]
GATEWAY = os.path.join(BUILD, "gateway", "gateway")
STAND_IN = os.path.join(BUILD, "tests", "unit", "gateway", "stand_in_chatd")
CHAT = "01900000-0000-7000-8000-000000000001"
NEW_CHAT = "01900000-0000-7000-8000-000000000002"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(check, what, seconds=10):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if check():
                return
        except OSError:
            pass
        time.sleep(0.02)
    raise AssertionError(f"timed out: {what}")


class Stack:
    """One redis-server, one stand-in, one gateway in a directory of its own."""

    def __init__(self, directory, **settings):
        self.dir = directory
        self.port = free_port()
        self.admin = free_port()
        self.redis_port = free_port()
        self.settings = settings
        self.running = {}

    def spawn(self, name, *command):
        log = open(os.path.join(self.dir, name + ".log"), "ab")
        self.running[name] = subprocess.Popen(
            command, cwd=self.dir, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL)
        log.close()

    def start_redis(self):
        self.spawn("redis", "redis-server", "--port", str(self.redis_port),
                   "--save", "", "--bind", "127.0.0.1")
        self.redis = redis.Redis(port=self.redis_port)

        def answers():
            try:
                return self.redis.ping()
            except redis.exceptions.ConnectionError:
                return False
        wait_until(answers, "redis")

    def start_stand_in(self):
        self.spawn("stand-in", STAND_IN, "ipc://chatd.sock",
                   "ipc://presenced.sock",
                   f"redis://127.0.0.1:{self.redis_port}")

    def start_gateway(self):
        flags = {
            "listen": f"127.0.0.1:{self.port}",
            "admin-listen": f"127.0.0.1:{self.admin}",
            "chatd": "ipc://chatd.sock",
            "presenced": "ipc://presenced.sock",
            "redis-url": f"redis://127.0.0.1:{self.redis_port}",
            "public-url": f"http://127.0.0.1:{self.port}",
            "www-dir": ".", "media-dir": ".", "log-level": "debug",
            "request-timeout": "1s", "drain-spread": "200ms",
            "rate-searches": "off",
        }
        flags.update(self.settings)
        self.spawn("gateway", GATEWAY,
                   *[f"--{k}={v}" for k, v in flags.items()])
        wait_until(lambda: self.get("/readyz", self.admin) == 200, "readyz")

    def get(self, path, port=None):
        url = f"http://127.0.0.1:{port or self.port}{path}"
        try:
            with urllib.request.urlopen(url, timeout=5) as r:
                return r.status
        except urllib.error.HTTPError as e:
            return e.code

    def presence(self):
        """What presenced was told, line by line."""
        with open(os.path.join(self.dir, "stand-in.log")) as f:
            return [line.strip() for line in f
                    if line.split()[0] in ("up", "down", "logged_out")]

    def missed(self, who):
        """The times for which he was asked what he missed, in ms."""
        with open(os.path.join(self.dir, "stand-in.log")) as f:
            lines = [line.split() for line in f]
        return [int(words[2]) for words in lines
                if words[:2] == ["catch_up", who]]

    def said(self, line):
        with open(os.path.join(self.dir, "stand-in.log")) as f:
            return line in [text.strip() for text in f]

    def metric(self, name):
        url = f"http://127.0.0.1:{self.admin}/metrics"
        with urllib.request.urlopen(url, timeout=5) as r:
            for line in r.read().decode().splitlines():
                if line.startswith(name + " "):
                    return float(line.split()[1])
        return 0.0

    def stop(self, name):
        """Asks it to stop; its exit status."""
        p = self.running.pop(name)
        p.send_signal(signal.SIGTERM)
        return p.wait(timeout=20)

    def kill(self, name):
        p = self.running.pop(name)
        p.kill()
        p.wait()

    def finish(self):
        status = self.stop("gateway") if "gateway" in self.running else 0
        for name in list(self.running):
            self.kill(name)
        with open(os.path.join(self.dir, "gateway.log"), "rb") as f:
            text = f.read().decode(errors="replace")
        for word in ("Sanitizer", "runtime error", "token-ann", "token-bob"):
            assert word not in text, text[-4000:]
        assert status == 0, text[-4000:]

    def url(self, token=None):
        query = f"?token={token}" if token else ""
        return f"ws://127.0.0.1:{self.port}/ws{query}"


@pytest.fixture
def make_stack(tmp_path):
    made = []

    def make(**settings):
        s = Stack(tmp_path, **settings)
        made.append(s)
        s.start_redis()
        s.start_stand_in()
        s.start_gateway()
        return s
    yield make
    for s in made:
        s.finish()
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture
def stack(make_stack):
    return make_stack()


opened = []


class Client:
    def __init__(self, ws):
        self.ws = ws
        opened.append(ws)
        self.frames = []

    async def next(self, seconds=5):
        frame = json.loads(await asyncio.wait_for(self.ws.recv(), seconds))
        self.frames.append(frame)
        return frame

    async def wait(self, check, seconds=5):
        """Reads until a frame fits; frames on the way are kept."""
        while True:
            frame = await self.next(seconds)
            if check(frame):
                return frame

    async def send(self, **frame):
        await self.ws.send(json.dumps(frame))

    async def say(self, content, front=None, chat=CHAT, **more):
        front = front or str(uuid.uuid4())
        await self.send(type="send_message", msg={
            "chat_id": chat, "front_msg_id": front, "content": content},
            **more)
        return front

    async def closed(self, seconds=8):
        async def read():
            try:
                while True:
                    self.frames.append(json.loads(await self.ws.recv()))
            except websockets.ConnectionClosed:
                pass
        await asyncio.wait_for(read(), seconds)
        return self.ws.close_code, self.ws.close_reason

    def messages(self):
        return [f for f in self.frames if f["type"] == "new_message"]

    def seqs(self):
        return [m["message"]["seq"] for m in self.messages()]


def is_type(name):
    return lambda f: f["type"] == name


def is_seq(n):
    return lambda f: f["type"] == "new_message" and f["message"]["seq"] == n


async def connect(stack, who, live=True, **kw):
    c = Client(await connect_socket(
        stack.url(f"token-{who}"), max_size=None, **kw))
    if live:
        assert (await c.next())["type"] == "user_info"
    return c


def run(coroutine):
    async def go():
        try:
            await asyncio.wait_for(coroutine, 60)
        finally:
            for ws in opened:
                ws.transport.abort()
            opened.clear()
    asyncio.run(go())


# ---- letting in ---------------------------------------------------------------

@pytest.mark.parametrize("url,headers,close", [
    ("", {}, (1008, "Token missing")),
    ("?token=", {}, (1008, "Token missing")),
    ("?token=nope", {}, (1008, "Unauthorized")),
    ("?token=token-old", {}, (1008, "Token expired")),
    ("?token=" + "x" * 6000, {}, (1008, "Unauthorized")),
    ("", {"Authorization": "Basic x"}, (1008, "Token missing")),
    ("", {"Cookie": "token=token-ann", "Origin": "http://evil.example"},
     (1008, "Token missing")),
])
def test_refused(stack, url, headers, close):
    async def go():
        ws = await connect_socket(stack.url() + url,
                                      extra_headers=headers)
        assert await Client(ws).closed() == close
    run(go())


def test_token_places(stack):
    async def go():
        for url, headers in [
                (stack.url("token-ann"), {"Cookie": "token=nope"}),
                (stack.url(), {"Authorization": "Bearer token-ann",
                               "Cookie": "token=nope"}),
                (stack.url(), {"Cookie": "a=b; token=token-ann"}),
                (stack.url(), {"Cookie": "token=token-ann",
                               "Origin": f"http://127.0.0.1:{stack.port}"})]:
            ws = await connect_socket(url, extra_headers=headers)
            assert (await Client(ws).next())["type"] == "user_info"
            await ws.close()
    run(go())


def test_frames_before_user_info_follow_it(stack):
    async def go():
        ann = await connect(stack, "ann", live=False)
        for i in range(200):
            await ann.send(type="search_people", input="", request_id=str(i))
        for i in range(201):
            await ann.next()
        assert [f["type"] for f in ann.frames] == (
            ["user_info"] + ["search_people_results"] * 200)
    run(go())


def test_chatd_away(stack):
    stack.kill("stand-in")

    async def go():
        ws = await connect_socket(stack.url("token-ann"))
        assert await Client(ws).closed() == (1013, "Service unavailable")
    run(go())


def test_over_capacity(make_stack):
    stack = make_stack(**{"connections-max": 1})

    async def go():
        await connect(stack, "ann")
        ws = await connect_socket(stack.url("token-bob"))
        assert await Client(ws).closed() == (1013, "Over capacity")
    run(go())


# ---- messages and faults --------------------------------------------------------

def test_both_ways(stack):
    async def go():
        ann, bob = await connect(stack, "ann"), await connect(stack, "bob")
        for c in (ann, bob):
            for _ in range(300):
                await c.say("hello")
        for c in (ann, bob):
            while len(c.messages()) < 600:
                await c.next()
        assert bob.seqs().count(1) == 1
        for c in (ann, bob):
            assert sorted(c.seqs()) == list(range(1, 601))
            incoming = [m["message"]["seq"] for m in c.messages()
                        if m["message"]["type"] == "incoming"]
            assert incoming == sorted(incoming)
            assert not any("catch_up" in m for m in c.messages())
    run(go())


def test_delivered_is_reported(stack):
    async def go():
        ann, bob = await connect(stack, "ann"), await connect(stack, "bob")
        await ann.say("hello")
        sent = await ann.wait(is_type("new_message"))
        told = await ann.wait(is_type("messages_delivered"))
        assert told["message_ids"] == [sent["message"]["id"]]
        assert bob.frames[0]["type"] == "user_info"
    run(go())


def test_delivered_by_user_info(stack):
    async def go():
        ann = await connect(stack, "ann")
        await ann.say("hello")
        await ann.wait(is_type("new_message"))
        with pytest.raises(asyncio.TimeoutError):
            await ann.next(0.3)
        await connect(stack, "bob")
        await ann.wait(is_type("messages_delivered"))
    run(go())


def test_lost_event_is_caught_up(stack):
    async def go():
        ann, bob = await connect(stack, "ann"), await connect(stack, "bob")
        for content in ("one", "lose", "three"):
            await ann.say(content)
        await bob.wait(is_seq(2))
        assert bob.seqs() == [1, 3, 2]
        assert bob.messages()[2]["catch_up"] is True
        assert "catch_up" not in bob.messages()[1]
        assert stack.metric("parley_gateway_holes_total") == 1
    run(go())


def test_who_is_far_ahead_waits_but_not_for_ever(make_stack):
    """Ann hears her own messages, and none of Bob's between them. She has to wait
    until she has caught up; when that fails, an answer is better than none."""
    stack = make_stack(**{"request-timeout": "4s"})

    async def go():
        ann, bob = await connect(stack, "ann"), await connect(stack, "bob")
        await bob.say("secret")
        await ann.wait(is_seq(1))
        last = 1
        with pytest.raises(asyncio.TimeoutError):
            while last < 200:
                await bob.say("lose")
                await bob.wait(is_seq(last + 1))
                await ann.say("mine")
                last += 2
                await ann.wait(is_seq(last), 1)
        assert last > 60, last
        assert stack.metric("parley_gateway_catch_ups_failed_total") == 0
        await ann.wait(is_seq(last), 8)
        assert stack.metric("parley_gateway_catch_ups_failed_total") == 1
        for _ in range(70):
            last += 1
            await ann.say("mine again")
            await ann.wait(is_seq(last), 8)
        assert len(ann.seqs()) == len(set(ann.seqs()))
    run(go())


def test_doubled_event_is_written_once(stack):
    async def go():
        ann, bob = await connect(stack, "ann"), await connect(stack, "bob")
        await ann.say("double")
        await ann.say("two")
        await bob.wait(is_seq(2))
        assert bob.seqs() == [1, 2]
    run(go())


def test_late_event_is_marked(stack):
    async def go():
        ann, bob = await connect(stack, "ann"), await connect(stack, "bob")
        await ann.say("late")
        await ann.say("two")
        await bob.wait(is_seq(1))
        assert bob.seqs() == [2, 1]
        assert bob.messages()[1]["catch_up"] is True
        assert bob.messages()[1]["message"]["content"] == "late"
    run(go())


def test_own_message_without_answer_comes_back(stack):
    async def go():
        ann, bob = await connect(stack, "ann"), await connect(stack, "bob")
        front = await ann.say("mute", request_id="r")
        error = await ann.wait(is_type("error"))
        assert error == {
            "type": "error", "request": "send_message",
            "reason": "unavailable", "field": None, "chat_id": CHAT,
            "front_msg_id": front, "request_id": "r"}
        await bob.say("next")
        own = await ann.wait(is_seq(1))
        assert own["message"]["front_msg_id"] == front
        assert own["catch_up"] is True
    run(go())


def test_receipt_waits_for_the_answer(stack):
    async def go():
        ann = await connect(stack, "ann")
        await ann.say("early")
        await ann.wait(is_type("messages_delivered"))
        assert [f["type"] for f in ann.frames[1:]] == [
            "new_message", "messages_delivered"]
    run(go())


def test_redis_gone_and_back(stack):
    async def go():
        ann, bob = await connect(stack, "ann"), await connect(stack, "bob")
        await ann.say("one")
        await bob.wait(is_seq(1))
        stack.kill("redis")
        await ann.say("two")
        await ann.wait(is_seq(2))
        stack.start_redis()
        await bob.wait(is_seq(2), 10)
        await ann.say("three")
        await bob.wait(is_seq(3))
        assert bob.seqs() == [1, 2, 3]
    run(go())


def test_what_is_asked_again_covers_the_time_meanwhile(make_stack):
    """While nobody tells what was missed, more and more may be missing."""
    stack = make_stack(**{"request-timeout": "1s"})

    async def go():
        ann = await connect(stack, "ann")
        await ann.say("secret")
        await ann.wait(is_seq(1))
        stack.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        await asyncio.to_thread(
            wait_until, lambda: len(stack.missed("ann")) >= 3, "asked thrice")
    run(go())
    first, second, third = stack.missed("ann")[:3]
    # One is given up after the timeout, before the next is asked.
    assert 0 < first <= second - 1000 <= third - 2000, stack.missed("ann")


def test_connecting_while_redis_is_away(stack):
    async def go():
        stack.kill("redis")
        bob = await connect(stack, "bob")
        ann = await connect(stack, "ann")
        await ann.say("one")
        await ann.wait(is_seq(1))
        stack.start_redis()
        await bob.wait(is_seq(1), 10)
    run(go())


def test_unknown_chat_is_asked_for(stack):
    async def go():
        ann, bob = await connect(stack, "ann"), await connect(stack, "bob")
        await ann.send(type="create_private_chat", user_id=str(uuid.uuid4()))
        await ann.wait(is_type("private_chat_created"))
        # The stand-in tells bob nothing; a reconnect of the bus does.
        stack.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        created = await bob.wait(is_type("private_chat_created"))
        assert created["chat_item"]["id"] == NEW_CHAT
        stack.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")
        with pytest.raises(asyncio.TimeoutError):
            await bob.next(1.5)
    run(go())


def test_read_names_what_was_written(stack):
    async def go():
        ann, bob = await connect(stack, "ann"), await connect(stack, "bob")
        for _ in range(3):
            await ann.say("x")
        await bob.wait(is_seq(3))
        await bob.send(type="chat_messages_read", chat_id=CHAT)
        assert (await bob.wait(is_type("unread_changed")))["read_upto"] == 3
    run(go())


# ---- presence ---------------------------------------------------------------------

def test_presence_is_told(stack):
    async def go():
        ann, bob = await connect(stack, "ann"), await connect(stack, "bob")
        # Never live, never told.
        ws = await connect_socket(stack.url("token-old"))
        await Client(ws).closed()
        await ann.ws.close()
        wait_until(lambda: len(stack.presence()) == 3, "down")
        await bob.send(type="logout")
        await bob.closed()
        wait_until(lambda: len(stack.presence()) == 4, "logged_out")
    run(go())
    assert stack.presence() == ["up ann", "up bob", "down ann",
                                "logged_out bob"]


def test_presence_is_registered_again(make_stack):
    stack = make_stack(heartbeat="100ms")

    async def go():
        await connect(stack, "ann")
        await connect(stack, "bob")
        wait_until(lambda: len(stack.presence()) == 2, "up")
        stack.running["stand-in"].send_signal(signal.SIGUSR1)
        wait_until(lambda: len(stack.presence()) == 4, "registration")
    run(go())
    assert stack.presence()[2:4] == ["up ann complete", "up bob complete"]


def test_an_end_refused_by_presenced_goes_with_the_registration(stack):
    # presenced may still hold the session: without its end it would never go.
    async def go():
        ann = await connect(stack, "ann")
        await connect(stack, "bob")
        wait_until(lambda: len(stack.presence()) == 2, "up")
        stack.running["stand-in"].send_signal(signal.SIGUSR2)
        wait_until(lambda: stack.said("wants_all"), "wants_all")
        await ann.ws.close()
        wait_until(lambda: len(stack.presence()) == 4, "registration")
    run(go())
    assert stack.presence()[2:4] == ["down ann complete", "up bob complete"]


def test_presence_changes_wait_for_presenced(stack):
    async def go():
        ann = await connect(stack, "ann")
        wait_until(lambda: len(stack.presence()) == 1, "up")
        stack.kill("stand-in")
        await ann.ws.close()
        stack.start_stand_in()
        wait_until(lambda: stack.presence()[-1] == "down ann", "down")
    run(go())


# ---- bad clients ------------------------------------------------------------------

@pytest.mark.parametrize("frame,close", [
    (b"\x00\x01", (1003, "Text frames only")),
    ("x" * 65537, (1009, "Message too large")),
    (["x" * 40000, "y" * 40000], (1009, "Message too large")),
])
def test_frames_that_end_it(stack, frame, close):
    async def go():
        ann = await connect(stack, "ann")
        await ann.ws.send(frame)
        assert await ann.closed() == close
    run(go())


def test_large_frame_is_discarded_to_its_end(stack):
    async def go():
        ann = await connect(stack, "ann")
        # The close comes while it is being sent; no reset eats it.
        with contextlib.suppress(websockets.ConnectionClosed):
            await asyncio.wait_for(ann.ws.send("x" * 8_000_000), 5)
        assert await ann.closed() == (1009, "Message too large")
    run(go())


def test_largest_frame_passes(stack):
    async def go():
        ann = await connect(stack, "ann")
        text = json.dumps({"type": "search_people", "input": ""})
        await ann.ws.send(text + " " * (65536 - len(text)))
        await ann.wait(is_type("search_people_results"))
        half = len(text) // 2
        await ann.ws.send([text[:half], text[half:]])
        await ann.wait(is_type("search_people_results"))
    run(go())


@pytest.mark.parametrize("payload", [
    b'{"type":"\xff"}', b'{"type":"\xc3', b'\xed\xa0\x80', b'\xf8\x88\x80'])
@pytest.mark.parametrize("cut", [0, 1])
def test_bad_utf8(stack, payload, cut):
    async def go():
        ann = await connect(stack, "ann")
        # Past the client library's own check.
        frame, op = websockets.frames.Frame, websockets.frames.Opcode
        if cut:
            parts = [frame(op.TEXT, payload[:1], fin=False),
                     frame(op.CONT, payload[1:])]
        else:
            parts = [frame(op.TEXT, payload)]
        for part in parts:
            ann.ws.transport.write(part.serialize(mask=True))
        code, _ = await ann.closed()
        assert code == 1007
    run(go())


def test_errors_keep_it_open(stack):
    async def go():
        ann = await connect(stack, "ann")
        for text, want in [
                ("", {"reason": "invalid_json", "request": None}),
                ("[]", {"reason": "invalid_json", "request": None}),
                ('{"type":"nope","request_id":"7"}',
                 {"reason": "unknown_type", "request": "nope",
                  "request_id": "7"}),
                ('{"type":1}', {"reason": "unknown_type", "request": None})]:
            await ann.ws.send(text)
            error = await ann.wait(is_type("error"))
            for key, value in want.items():
                assert error[key] == value
    run(go())


def test_abuse(make_stack):
    stack = make_stack(**{"abuse-max": 20, "abuse-window": "2s"})

    async def go():
        ann = await connect(stack, "ann")
        # chatd's verdicts count like the gateway's own.
        for _ in range(10):
            await ann.ws.send("{")
            await ann.send(type="open_chat")
        for _ in range(20):
            await ann.wait(is_type("error"))
        await asyncio.sleep(2.2)
        for _ in range(20):
            await ann.ws.send("{")
            await ann.wait(is_type("error"))
        await ann.ws.send("{")
        assert await ann.closed() == (1008, "Too many errors")
    run(go())


def test_refusals_are_no_abuse(make_stack):
    stack = make_stack(**{"abuse-max": 5})

    async def go():
        ann = await connect(stack, "ann")
        for _ in range(20):
            await ann.send(type="get_person_info", person_id=CHAT)
            await ann.wait(is_type("error"))
    run(go())


def test_thousands_of_frames_at_once(stack):
    """More than may wait: reading pauses and goes on, nothing is dropped."""
    async def go():
        ann = await connect(stack, "ann")

        async def write():
            for i in range(5000):
                await ann.send(type="search_people", input="x" * (i % 300),
                               request_id=str(i))

        async def read():
            for i in range(5000):
                await ann.wait(is_type("search_people_results"), 20)
        await asyncio.gather(write(), read())
        assert stack.metric("parley_gateway_reads_paused_total") > 0
    run(go())


def test_slow_reader_is_closed(make_stack):
    stack = make_stack()

    async def go():
        ann, bob = await connect(stack, "ann"), await connect(stack, "bob")
        bob.ws.transport.pause_reading()
        sock = bob.ws.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        for _ in range(20):
            await ann.say("flood")
            for _ in range(1000):
                await ann.wait(is_type("flood"), 20)
        for _ in range(100):
            if stack.metric("parley_gateway_slow_closes_total") > 0:
                break
            await asyncio.sleep(0.1)
        assert stack.metric("parley_gateway_slow_closes_total") == 1
        # Ann, who reads, is not touched.
        await ann.say("still here")
        await ann.wait(lambda f: f["type"] == "new_message" and
                       f["message"]["content"] == "still here")
    run(go())


def test_slow_reader_learns_why(make_stack):
    """One who reads again in time is told 1013."""
    stack = make_stack()

    async def go():
        ann, bob = await connect(stack, "ann"), await connect(stack, "bob")
        bob.ws.transport.pause_reading()
        for _ in range(20):
            await ann.say("flood")
            for _ in range(1000):
                await ann.wait(is_type("flood"), 20)
        for _ in range(100):
            if stack.metric("parley_gateway_slow_closes_total") > 0:
                break
            await asyncio.sleep(0.05)
        bob.ws.transport.resume_reading()
        assert await bob.closed() == (1013, "Too slow")
    run(go())


# ---- ends ------------------------------------------------------------------------

def test_logout_ends_all_of_the_token(stack):
    async def go():
        one, two = await connect(stack, "ann"), await connect(stack, "ann")
        bob = await connect(stack, "bob")
        await one.send(type="logout")
        assert await one.closed() == (1000, "logout")
        assert await two.closed() == (1000, "logout")
        await bob.say("x")
        await bob.wait(is_type("new_message"))
    run(go())


def test_revocation_is_found_without_its_event(make_stack):
    stack = make_stack(**{"recheck-interval": "300ms"})

    async def go():
        one = await connect(stack, "ann")
        two = await connect(stack, "ann")
        stack.redis.execute_command("CLIENT", "PAUSE", "3000", "ALL")
        await one.send(type="logout")
        assert await one.closed() == (1000, "logout")
        assert await two.closed() == (1008, "Unauthorized")
    run(go())


def test_only_a_pong_counts_as_life(make_stack):
    stack = make_stack(**{"ping-interval": "300ms", "ping-timeout": "300ms"})

    async def go():
        alive = await connect(stack, "ann", ping_interval=None)
        dead = await connect(stack, "bob", ping_interval=None)
        dead.ws.pong = lambda *a: asyncio.sleep(0)
        start = time.monotonic()

        async def chatter():
            try:
                while True:
                    await dead.send(type="search_people", input="")
                    await asyncio.sleep(0.05)
            except websockets.ConnectionClosed:
                return time.monotonic() - start
        assert await asyncio.wait_for(chatter(), 5) < 2
        await alive.send(type="search_people", input="")
        await alive.wait(is_type("search_people_results"))
    run(go())


def test_graceful_stop(stack):
    async def go():
        clients = [await connect(stack, "ann") for _ in range(20)]
        loop = asyncio.get_running_loop()
        stopping = loop.run_in_executor(None, stack.stop, "gateway")
        for c in clients:
            assert await c.closed() == (1012, "Gateway restarting")
        assert await stopping == 0
    run(go())


def test_graceful_stop_waits_for_the_answer(stack):
    async def go():
        ann = await connect(stack, "ann")
        await ann.say("early")  # answered after 100 ms
        await asyncio.sleep(0.02)
        stopping = asyncio.get_running_loop().run_in_executor(
            None, stack.stop, "gateway")
        assert await ann.closed() == (1012, "Gateway restarting")
        assert ann.seqs() == [1]
        assert await stopping == 0
    run(go())


def test_busy_port(stack):
    p = subprocess.run(
        [GATEWAY, f"--listen=127.0.0.1:{stack.port}", "--admin-listen="],
        cwd=stack.dir, capture_output=True, text=True, timeout=20)
    assert p.returncode == 1
    lines = [x for x in p.stderr.splitlines() if " error " in x]
    assert len(lines) == 1
    assert f"127.0.0.1:{stack.port}" in lines[0] and "listen" in lines[0]


# ---- HTTP ------------------------------------------------------------------------

def request(stack, method, path, body=None, headers=()):
    r = urllib.request.Request(
        f"http://127.0.0.1:{stack.port}{path}", method=method, data=body,
        headers=dict(headers))
    try:
        with urllib.request.urlopen(r, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()


JSON = [("Content-Type", "application/json")]


@pytest.mark.parametrize("method,path,body,status,answer", [
    ("GET", "/api/health", None, 200, {"status": "ok"}),
    ("POST", "/api/login", b"{}", 200, {"token": "token-ann"}),
    ("POST", "/api/register", b"{}", 201, {"token": "token-ann"}),
    ("POST", "/api/login", b"{", 400, {"error": "Bad request"}),
    ("POST", "/api/register", b"[]", 400, {"error": "Bad request"}),
    ("GET", "/api/login", None, 405, {"error": "Method not allowed"}),
    ("GET", "/api/nope", None, 404, {"error": "Not found"}),
    ("POST", "/api/login", b" " * 70000, 413,
     {"error": "Request too large"}),
])
def test_api(stack, method, path, body, status, answer):
    got, data = request(stack, method, path, body, JSON)
    assert (got, json.loads(data)) == (status, answer)


def test_api_without_chatd(stack):
    stack.kill("stand-in")
    status, data = request(stack, "POST", "/api/login", b"{}", JSON)
    assert (status, json.loads(data)) == (
        503, {"error": "Service unavailable"})


def form(file=None):
    parts = [b'--XX\r\nContent-Disposition: form-data; name="username"\r\n'
             b'\r\nann\r\n']
    if file is not None:
        parts.append(b'--XX\r\nContent-Disposition: form-data; '
                     b'name="avatar"; filename="a"\r\n\r\n' + file + b"\r\n")
    return b"".join(parts) + b"--XX--\r\n"


FORM = [("Content-Type", "multipart/form-data; boundary=XX")]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(1000)


def test_register_form(stack):
    assert request(stack, "POST", "/api/register", form(), FORM)[0] == 201
    for body, error in [(b"nonsense", "Invalid multipart data"),
                        (form()[:-4], "Invalid multipart data"),
                        (form(b"GIF89a"), "Invalid avatar type"),
                        (form(PNG + bytes(2 << 20)), "Avatar too large")]:
        status, data = request(stack, "POST", "/api/register", body, FORM)
        assert (status, json.loads(data)) == (400, {"error": error})


def test_picture_is_stored_and_served(stack):
    assert request(stack, "POST", "/api/register", form(PNG), FORM)[0] == 201
    names = [n for n in os.listdir(stack.dir) if n.endswith(".png")]
    assert len(names) == 1
    r = urllib.request.urlopen(
        f"http://127.0.0.1:{stack.port}/media/{names[0]}", timeout=5)
    assert r.read() == PNG
    assert r.headers["Content-Type"] == "image/png"
    assert r.headers["X-Content-Type-Options"] == "nosniff"
    for path in ("/media/gateway.log", "/media/..%2Fx.png", "/gateway.log"):
        assert request(stack, "GET", path)[0] == 404


def test_refused_picture_is_removed(stack):
    stack.kill("stand-in")
    assert request(stack, "POST", "/api/register", form(PNG), FORM)[0] == 503
    # A worker thread does it, after the answer.
    wait_until(lambda: not [n for n in os.listdir(stack.dir)
                            if "png" in n], "the picture's removal")
