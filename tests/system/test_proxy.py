"""The configurations in deploy/proxy: clients are spread over the gateways, each is
known by his own address and by no other, and who loses his gateway loses nothing.

SPDX-License-Identifier: MIT
"""

import asyncio
import http.client

import pytest

from support.chatter import Chatter, chat_through
from support.client import (DEADLINE, Session, close_all, http_form,
                            http_request, login, private_chat, register)
from support.process import poll
from support.proxies import ADDRESS, Haproxy, Nginx

# Of one address, at one gateway.
CONNECTIONS_MAX = 4


class Site:
    """Two gateways behind a proxy, which is all that clients know of."""

    def __init__(self, stack, proxy):
        self.stack = stack
        self.sql = stack.sql
        self.proxy = proxy
        self.gateways = [proxy]

    def held(self):
        """WebSockets at each gateway."""
        return [g.metric("parley_gateway_connections")
                for g in self.stack.gateways]

    async def person(self, source=None):
        account = register(self.proxy)
        return await Session.open(self.proxy, account, source=source)

    async def chatters(self):
        """Two people who chat with each other, each on two devices, and so two
        at each gateway."""
        ann, ben = await self.person(), await self.person()
        chat = await private_chat(ann, ben)
        devices = [await Session.open(self.proxy, login(
            self.proxy, session.account)) for session in (ann, ben)]
        return [Chatter(self, s, [chat]) for s in (ann, ben, *devices)]


@pytest.fixture(params=[Haproxy, Nginx])
def site(request, world):
    stack = world.new_stack(gateways=2, tls=(), settings={"gateway": {
        "trusted_proxies": ADDRESS,
        "address_connections_max": CONNECTIONS_MAX}})
    proxy = request.param(stack).start()
    yield Site(stack, proxy)
    proxy.terminate()
    faults = world.faults_of([proxy]) + stack.close()
    assert not faults, "\n".join(faults)


async def is_known_by_address(site):
    """Too many connections of one client, whatever he says about himself, cost
    nobody else his."""
    crowd, other = "127.0.0.77", "127.0.0.78"
    person = await site.person(crowd)
    for _ in range(2 * CONNECTIONS_MAX - 1):
        await Session.open(site.proxy, person.account, source=crowd)
    for headers in ({}, {"X-Forwarded-For": "198.51.100.1"},
                    {"Forwarded": "for=198.51.100.1"}):
        late = await Session.open(site.proxy, person.account, wait=False,
                                  source=crowd, more_headers=headers)
        assert await late.wait_closed() == (1013, "Too many connections")
    await Session.open(site.proxy, person.account, source=other)
    assert site.held() == [CONNECTIONS_MAX + i for i in (1, 0)] or \
        site.held() == [CONNECTIONS_MAX + i for i in (0, 1)]


def passes_http_on(site):
    link = site.proxy.connection()
    link.request("GET", "/api/health")
    assert link.getresponse().status == 200
    link.close()
    account = register(site.proxy)
    answer = http_form(
        site.proxy, "/api/chat/upload",
        {"file": ("large.bin", "application/octet-stream", b"x" * 3000000)},
        headers={"Authorization": "Bearer " + account.token})
    assert answer.status == 200, answer


async def progress(chatters):
    wanted = [len(c.acked) + 3 for c in chatters]
    while any(len(c.acked) < n for c, n in zip(chatters, wanted)):
        await asyncio.sleep(0.01)


async def in_thread(function, *values):
    return await asyncio.get_running_loop().run_in_executor(
        None, function, *values)


async def loses_a_gateway_and_nothing_else(site, chatters, one, how):
    """`how` ends the gateway `one`; those it had go to the other."""
    for chatter in chatters:
        chatter.stopping = False

    async def end():
        await progress(chatters)
        assert site.held()[one] >= 2
        await how(site.stack.gateways[one])
        await in_thread(poll, lambda: site.held()[1 - one] == 4,
                        "everybody at the other gateway")
        await progress(chatters)
    await chat_through(chatters, end())
    assert [c.errors for c in chatters if c.errors] == []


async def drain(gateway):
    gateway.begin_terminate()
    assert await in_thread(gateway.end_terminate) == 0


async def kill(gateway):
    gateway.kill()


def answers_for_itself(site):
    """In the form of the API, when there is no gateway."""
    answer = http_request(site.proxy, "POST", "/api/login", {
        "username": "nobody", "password": "whatever it is"})
    assert (answer.status, answer.json) == (
        503, {"error": "Service unavailable"})
    assert answer.headers["Retry-After"] == "1"


def leads_to_https(site):
    link = http.client.HTTPConnection(site.proxy.host, site.proxy.plain_port,
                                      timeout=DEADLINE)
    link.request("GET", "/api/health", headers={"Host": "chat.test"})
    answer = link.getresponse()
    assert answer.status == 308
    assert answer.getheader("Location") == "https://chat.test/api/health"
    link.close()


async def test_a_proxy_before_two_gateways(site):
    await is_known_by_address(site)
    await close_all()
    leads_to_https(site)
    passes_http_on(site)
    await in_thread(poll, lambda: site.held() == [0, 0], "quiet")
    chatters = await site.chatters()
    one, two = site.stack.gateways
    await loses_a_gateway_and_nothing_else(site, chatters, 0, drain)
    # Told to come again, and there always was a gateway.
    assert {code for c in chatters for code in c.closes} == {1012}
    assert not any(c.cuts for c in chatters)
    one.start().wait_ready()
    await loses_a_gateway_and_nothing_else(site, chatters, 1, kill)
    one.kill()
    answers_for_itself(site)
