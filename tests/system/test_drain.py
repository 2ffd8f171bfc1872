"""Rolling restarts under load: every process is stopped and started again, one by
one, while people chat in private and in a group. Restarting gateways, chatds and
presenceds costs nobody an error: the clients of a gateway that ends are told 1012
and go elsewhere, all else waits a moment and is answered.

SPDX-License-Identifier: MIT
"""

import asyncio
import http.client
import json
import socket
import threading

import pytest

from support.chatter import chat_through
from support.client import DEADLINE, PASSWORD, http_request, login
from support.process import poll
from support.rolling import company, nobody_saw_an_error, progress, restart
from support.scene import person


class Asker:
    """Asks without a pause for what its servers may not repeat."""

    def __init__(self, session):
        self.session = session
        self.number = 0
        self.stopping = False

    async def run(self):
        while not self.stopping:
            self.number += 1
            answer = await self.session.ask(
                "change_name", new_name=f"Name {self.number}")
            assert answer["type"] == "name_change_result", answer


@pytest.mark.parametrize("each", [1, 2])
async def test_restarting_every_process_under_load_costs_nobody_an_error(
        new_stack, each):
    stack = new_stack(gateways=each, chatds=each, presenceds=each)
    chatters = await company(stack)

    async def rounds():
        for _ in range(2):
            for process in stack.processes():
                await progress(chatters)
                await restart(process)
    await chat_through(chatters, rounds())
    nobody_saw_an_error(chatters)
    assert any(1012 in c.closes for c in chatters)


async def test_restarting_chatd_again_and_again_costs_nobody_an_error(
        new_stack):
    stack = new_stack(gateways=2)
    chatters = await company(stack)
    askers = [Asker(await person(stack, i % 2)) for i in range(12)]
    asking = [asyncio.ensure_future(a.run()) for a in askers]

    async def rounds():
        for _ in range(4):
            await progress(chatters)
            numbers = [a.number for a in askers]
            while any(a.number < n + 2 for a, n in zip(askers, numbers)):
                await asyncio.sleep(0.02)
                assert not any(a.done() for a in asking), \
                    [a.exception() for a in asking if a.done()]
            await restart(stack.chatds[0])
    try:
        await chat_through(chatters, rounds())
        assert not any(a.done() for a in asking), \
            [a.exception() for a in asking if a.done()]
    finally:
        for asker in askers:
            asker.stopping = True
        await asyncio.gather(*asking, return_exceptions=True)
    nobody_saw_an_error(chatters)
    assert not any(c.closes for c in chatters)


async def test_restarting_the_stores_loses_and_doubles_nothing(new_stack):
    stack = new_stack(gateways=2, chatds=2, own_postgres=True)
    chatters = await company(stack)

    async def rounds():
        loop = asyncio.get_running_loop()
        for _ in range(2):
            await progress(chatters)
            await loop.run_in_executor(None, stack.redis.terminate)
            await progress(chatters)
            stack.redis.start()
            await progress(chatters)
            await loop.run_in_executor(None, stack.postgres.stop)
            stack.postgres.start()
    await chat_through(chatters, rounds())
    assert {e["reason"] for c in chatters for e in c.errors} <= {"unavailable"}
    assert not any(c.closes for c in chatters)


# ---- HTTP ---------------------------------------------------------------------

def slow_post(gateway, body):
    """A POST of which the gateway has the head and half of the body."""
    link = socket.create_connection((gateway.host, gateway.port), DEADLINE)
    link.sendall(b"POST /api/login HTTP/1.1\r\nHost: parley.test\r\n"
                 b"Content-Type: application/json\r\n"
                 b"Content-Length: %d\r\n\r\n" % len(body))
    link.sendall(body[:len(body) // 2])
    return link


async def test_http_requests_in_flight_are_finished(new_stack):
    stack = new_stack(tls=())
    gateway = stack.gateways[0]
    ann = await person(stack)
    body = json.dumps({"username": ann.account.username,
                       "password": PASSWORD}).encode()
    link = slow_post(gateway, body)
    poll(lambda: gateway.metric("parley_gateway_sockets") >= 2, "the request")
    # The gateway has read the head: a request on a later connection is done.
    assert http_request(gateway, "GET", "/api/health").status in (200, 404)
    before = len(gateway.log_text())
    gateway.begin_terminate()
    gateway.wait_log("drain ", before)
    link.sendall(body[len(body) // 2:])
    answer = http.client.HTTPResponse(link)
    answer.begin()
    assert answer.status == 200 and json.loads(answer.read())["token"]
    assert answer.getheader("connection") == "close"
    link.close()
    assert gateway.end_terminate() == 0


async def test_who_is_in_the_middle_of_connecting_is_served(new_stack):
    """To whom the kernel has answered, he is connected, though his last packet
    of the greeting, here with his request, has yet to come."""
    stack = new_stack()
    gateway = stack.gateways[0]
    links = []
    for _ in range(5):
        link = socket.socket()
        link.settimeout(DEADLINE)
        # On whoever connects, Linux takes it as: acknowledge with what is sent.
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 1)
        link.connect((gateway.host, gateway.port))
        links.append(link)
    before = len(gateway.log_text())
    gateway.begin_terminate()
    gateway.wait_log("drain ", before)
    for link in links:
        link.sendall(b"GET / HTTP/1.1\r\nHost: parley.test\r\n\r\n")
    for link in links:
        answer = http.client.HTTPResponse(link)
        answer.begin()
        assert answer.status == 200
        link.close()
    assert gateway.end_terminate() == 0
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((gateway.host, gateway.port), DEADLINE)


def ask_until(gateway, account, stop, outcome):
    """Requests, each over a connection of its own. One that was taken is
    answered; else there was no connection."""
    while not stop.is_set():
        try:
            answer = http_request(gateway, "GET", "/", timeout=DEADLINE)
            outcome.append(answer.status)
        except ConnectionRefusedError:
            outcome.append("refused")
            stop.wait(0.01)
        except Exception as error:   # whatever else is a fault
            outcome.append(repr(error))


async def test_a_connection_is_served_or_refused_when_a_gateway_restarts(
        new_stack):
    stack = new_stack()
    account = (await person(stack)).account
    stop, outcome = threading.Event(), []
    threads = [threading.Thread(target=ask_until, args=(
        stack.gateways[0], account, stop, outcome)) for _ in range(6)]
    for thread in threads:
        thread.start()
    loop = asyncio.get_running_loop()
    try:
        for _ in range(4):
            served = len(outcome)
            await loop.run_in_executor(None, lambda: poll(
                lambda: len(outcome) > served + 50, "answers"))
            await restart(stack.gateways[0])
    finally:
        stop.set()
        for thread in threads:
            await loop.run_in_executor(None, thread.join)
    assert set(outcome) <= {200, "refused"}, set(outcome)
    assert login(stack.gateways[0], account).token
