"""Clients that read slowly or not at all, that send byte by byte, or that vanish:
each costs a bounded amount for a bounded time, and the others notice nothing.

SPDX-License-Identifier: MIT
"""

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys

from support.client import (DEADLINE, PATIENCE, Session, http_request,
                            private_chat, register)
from support.process import DIE_WITH_PARENT, poll
from support.scene import chat_info, person, pipeline

OUTBOX = 64 * 1024
TEXT = "long enough to fill what holds it " * 100


class StuckReader:
    """A WebSocket whose client reads only when told to."""

    def __init__(self, gateway, account):
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(DEADLINE)
        self.socket.connect((gateway.host, gateway.port))
        self.socket.sendall(
            b"GET /ws HTTP/1.1\r\nHost: parley.test\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Authorization: Bearer " + account.token.encode() + b"\r\n\r\n")
        head = b""
        while b"user_info" not in head:
            head += self.socket.recv(1)
        self.data = b""

    def read(self, size=65536):
        """False when the server has closed."""
        try:
            data = self.socket.recv(size)
        except ConnectionResetError:
            data = b""
        self.data = (self.data + data)[-4096:]
        return bool(data)

    def close_code(self):
        """Reads what is left; the code of the close frame, or None."""
        while self.read():
            pass
        at = self.data.rfind(b"Too slow")
        return int.from_bytes(self.data[at - 2:at], "big") if at > 2 else None


async def crowd(stack):
    """Ann and Ben, and a group of them with one who will not read."""
    ann, ben = await person(stack, 0), await person(stack, 0)
    stuck = await person(stack, 0)
    await stuck.close()
    group = (await ann.ask("create_group", name="Not all of us read",
                           member_ids=[ben.account.id, stuck.account.id])
             )["chat_item"]["id"]
    await ben.wait("group_chat_created")
    return ann, ben, StuckReader(stack.gateways[0], stuck.account), group


async def say_until(ann, ben, group, condition, between=lambda: None):
    """Ann talks until `condition()`; Ben has each message before the next."""
    for number in range(3000):
        if condition():
            return
        seq = (await ann.say(group, TEXT + str(number)))["message"]["seq"]
        await ben.until(lambda: any(
            m["seq"] == seq for m in ben.messages(group)), "the message")
        between()
    raise AssertionError("never")


def bounded(gateway):
    held = gateway.metric("parley_gateway_outbox_bytes")
    assert held <= OUTBOX + 3 * len(TEXT), held


async def test_who_stops_reading_is_closed_and_delays_nobody(new_stack):
    stack = new_stack(tls=(), settings={"gateway": {"outbox_max": OUTBOX}})
    gateway = stack.gateways[0]
    ann, ben, stuck, group = await crowd(stack)
    before = gateway.metric("process_resident_memory_bytes")
    await say_until(
        ann, ben, group,
        lambda: gateway.metric("parley_gateway_slow_closes_total") > 0,
        lambda: bounded(gateway))
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, stuck.close_code) == 1013
    # Everything he was not sent would have been some of these.
    assert gateway.metric("process_resident_memory_bytes") - before < \
        32 * 1024 * 1024
    poll(lambda: gateway.metric("parley_gateway_outbox_bytes") == 0,
         "empty outboxes")
    assert ann.is_open() and ben.is_open()


async def test_who_reads_slowly_for_ever_is_bounded_as_well(new_stack):
    stack = new_stack(tls=(), settings={"gateway": {"outbox_max": OUTBOX}})
    gateway = stack.gateways[0]
    ann, ben, slow, group = await crowd(stack)

    def sip():
        slow.read(200)
        bounded(gateway)
    await say_until(
        ann, ben, group,
        lambda: gateway.metric("parley_gateway_slow_closes_total") > 0, sip)
    assert ann.is_open() and ben.is_open()


async def test_a_reader_that_is_busy_when_the_ping_is_due_is_not_taken_for_dead(
        new_stack):
    # The ping cannot be sent into the frame under way; it follows it.
    stack = new_stack(tls=(), settings={"gateway": {
        "ping_interval": f"{int(2000 * PATIENCE)}ms",
        "ping_timeout": f"{int(8000 * PATIENCE)}ms", "outbox_max": 1 << 20}})
    gateway = stack.gateways[0]
    ann, ben, busy, group = await crowd(stack)
    await pipeline(ann, group, [TEXT + str(i) for i in range(100)])
    assert gateway.metric("parley_gateway_outbox_bytes") > len(TEXT)
    await asyncio.get_running_loop().run_in_executor(None, lambda: poll(
        lambda: gateway.metric("parley_gateway_pings_delayed_total") > 0,
        "a ping that waits"))

    def read_on():
        """Until a ping is seen behind the messages."""
        while True:
            assert busy.read(), "closed"
            at = busy.data.find(b"\x89\x06parley")
            if at >= 0:
                return
    await asyncio.get_running_loop().run_in_executor(None, read_on)
    assert gateway.metric("parley_gateway_slow_closes_total") == 0


# ---- those who send slowly ------------------------------------------------------

HALF = {
    "nothing": b"",
    "half a head": b"GET / HTTP/1.1\r\nHost: parley.test\r\nX-Slow: ",
    "half a handshake": b"GET /ws HTTP/1.1\r\nHost: parley.test\r\n"
                        b"Upgrade: websocket\r\nX-Slow: ",
    "half a body": b"POST /api/login HTTP/1.1\r\nHost: parley.test\r\n"
                   b"Content-Type: application/json\r\n"
                   b"Content-Length: 1000\r\n\r\n{\"username\": \"",
}


async def test_those_who_send_byte_by_byte_are_ended_and_hinder_nobody(
        new_stack):
    stack = new_stack(tls=(), settings={"gateway": {
        "header_timeout": "2s", "body_timeout": "3s"}})
    gateway = stack.gateways[0]
    account = register(gateway)
    loris = []
    for first in HALF.values():
        for _ in range(100):
            link = socket.create_connection((gateway.host, gateway.port),
                                            DEADLINE)
            link.sendall(first)
            link.setblocking(False)
            loris.append((link, first))
    poll(lambda: gateway.metric("parley_gateway_sockets") >= len(loris),
         "all of them")
    served = 0
    end = asyncio.get_running_loop().time() + 30 * PATIENCE
    while loris:
        assert asyncio.get_running_loop().time() < end, \
            f"{len(loris)} are still there"
        still = []
        for link, first in loris:
            try:
                if first:
                    link.send(b"a")
                if not link.recv(4096):
                    raise ConnectionResetError
                still.append((link, first))
            except BlockingIOError:
                still.append((link, first))
            except OSError:
                link.close()
        loris = still
        # Meanwhile others are served.
        assert http_request(gateway, "GET", "/").status == 200
        session = await Session.open(gateway, account)
        await session.close()
        served += 1
        await asyncio.sleep(0.2)
    assert served > 3
    poll(lambda: gateway.metric("parley_gateway_sockets") <= 1, "few sockets")


def test_who_does_not_read_his_answer_is_ended(new_stack):
    stack = new_stack(tls=(), settings={"gateway": {"body_timeout": "2s"}})
    gateway = stack.gateways[0]
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    link.connect((gateway.host, gateway.port))
    # Answers that together are more than the kernel takes.
    big = max((f for f in os.scandir(stack.gateways[0].settings["www_dir"])
               if f.is_file()), key=lambda f: f.stat().st_size)
    try:
        link.sendall(b"GET /%s HTTP/1.1\r\nHost: parley.test\r\n\r\n"
                     % big.name.encode() * 60)
    except OSError:
        pass
    poll(lambda: gateway.metric("parley_gateway_sockets") == 0, "its end",
         4 * DEADLINE)
    link.close()


# ---- those who vanish -----------------------------------------------------------

SILENT = """
import socket, sys, time
link = socket.create_connection((sys.argv[1], int(sys.argv[2])))
link.sendall(("GET /ws HTTP/1.1\\r\\nHost: parley.test\\r\\n"
    "Upgrade: websocket\\r\\nConnection: Upgrade\\r\\n"
    "Sec-WebSocket-Version: 13\\r\\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n"
    "Authorization: Bearer " + sys.stdin.readline().strip()
    + "\\r\\n\\r\\n").encode())
while True:
    time.sleep(60)
"""


async def test_a_peer_that_vanished_is_found_by_ping_and_is_offline(new_stack):
    stack = new_stack(tls=(), settings={"gateway": {
        "ping_interval": "500ms", "ping_timeout": f"{int(500 * PATIENCE)}ms"}})
    gateway = stack.gateways[0]
    ann, ben = await person(stack), await person(stack)
    chat = await private_chat(ann, ben)
    await ben.close()
    await ann.wait("user_status_changed", lambda f: not f["is_online"])
    mark = ann.mark()
    # A process that holds the socket, and no more turns its hand.
    gone = subprocess.Popen(
        DIE_WITH_PARENT + [sys.executable, "-c", SILENT, gateway.host,
                           str(gateway.port)],
        stdin=subprocess.PIPE, text=True)
    try:
        gone.stdin.write(ben.account.token + "\n")
        gone.stdin.flush()
        await ann.wait("user_status_changed", lambda f: f["is_online"],
                       since=mark)
        gone.send_signal(signal.SIGSTOP)
        await ann.wait("user_status_changed", lambda f: not f["is_online"],
                       since=mark, timeout=3 * DEADLINE)
        assert (await chat_info(ann, chat))["status"] == "Offline"
        assert gateway.metric("parley_gateway_connections") == 1
    finally:
        gone.kill()
        gone.wait()
