"""Metrics and request ids: what docs/metrics.md says of every metric, that the
hops of a message are measured, that what goes wrong is counted, and that one id
leads through the logs of all processes.

SPDX-License-Identifier: MIT
"""

import re

import pytest

from support.client import Session, private_chat, register
from support.metrics_docs import PATH, collect, render, use
from support.process import poll
from support.stack import ROOT

# String literals of the sources that look like metrics: PostgreSQL's roles.
NO_METRICS = {"parley_chatd", "parley_owner"}


def names_in_sources():
    names = set()
    for folder in ("common", "gateway", "chatd", "presenced"):
        for path in (ROOT / folder).rglob("*.c"):
            text = path.read_text()
            prefix = re.search(r'#define P "(parley_\w+)"', text)
            names |= set(re.findall(r'"(parley_\w*[a-z])"', text))
            if prefix:
                names |= {prefix[1] + rest for rest in
                          re.findall(r'(?<!define )\bP "(\w+)"', text)}
    return names - NO_METRICS


@pytest.fixture(scope="module")
def families(world):
    stack = world.new_stack(tls=("links", "clients"))
    try:
        import asyncio
        asyncio.run(use(stack))
        return collect(stack)
    finally:
        faults = stack.close()
        assert not faults, "\n".join(faults)


def test_metrics_md_says_what_metrics_says(families):
    assert PATH.read_text() == render(families), \
        "cd tests && PARLEY_BUILD=build/dev python3 -m support.metrics_docs"


def test_every_metric_of_the_sources_is_on_the_page():
    page = set(re.findall(r"^\| `(\w+)` \|", PATH.read_text(), re.MULTILINE))
    names = names_in_sources()
    assert len(names) > 100
    assert names <= page, names - page


def test_every_metric_has_a_meaning(families):
    for kind, found in families.items():
        for name, (type_, meaning, _) in found.items():
            assert type_ in ("counter", "gauge", "histogram"), (kind, name)
            assert len(meaning.split()) > 1, (kind, name)
            assert name.endswith("_total") == (type_ == "counter"), name


def count(process, name, labels=""):
    _, text = process.admin("/metrics")
    row = re.search(rf"^{name}_count{re.escape(labels)} (\d+)$", text,
                    re.MULTILINE)
    return int(row[1]) if row else 0


async def test_each_hop_of_a_message_is_measured(new_stack):
    stack = new_stack()
    gateway, chatd = stack.gateways[0], stack.chatds[0]
    ann = await Session.open(gateway, register(gateway))
    ben = await Session.open(gateway, register(gateway))
    chat_id = await private_chat(ann, ben)
    hops = [(gateway, "parley_gateway_frame_wait_seconds", ""),
            (gateway, "parley_rpc_seconds", '{service="chatd"}'),
            (chatd, "parley_writer_wait_seconds", ""),
            (chatd, "parley_db_wait_seconds", ""),
            (chatd, "parley_writer_store_seconds", ""),
            (chatd, "parley_bus_publish_seconds", ""),
            (gateway, "parley_gateway_request_seconds",
             '{type="send_message",result="ok"}'),
            (gateway, "parley_gateway_delivery_seconds", "")]
    before = [count(*hop) for hop in hops]
    await ann.say(chat_id, "one text")
    await ben.wait("new_message")
    for hop, old in zip(hops, before):
        poll(lambda hop=hop, old=old: count(*hop) > old, f"{hop[1]} to move")
    assert count(gateway, "parley_gateway_delivery_seconds") == 1
    assert count(chatd, "parley_writer_wait_seconds") == 1
    assert count(gateway, "parley_gateway_opening_seconds") == 2
    # A round trip of the beat, which runs every 2 s.
    poll(lambda: count(gateway, "parley_bus_beat_seconds",
                       '{link="subscriptions"}') > 0, "a beat that is heard")


async def test_what_is_no_request_is_counted(stack):
    gateway = stack.gateways[0]
    name = "parley_gateway_frames_refused_total"
    before = gateway.metric(name)
    ann = await Session.open(gateway, register(gateway))
    await ann.send_text("{")
    await ann.wait("error")
    assert gateway.metric(name) == before + 1


async def test_a_need_that_is_lost_shows_itself(new_stack):
    stack = new_stack()
    chatd = stack.chatds[0]

    def met(need):
        _, text = chatd.admin("/metrics")
        return float(re.search(rf'^parley_need_met{{need="{need}"}} (\d)$',
                               text, re.MULTILINE)[1])
    assert met("redis") == 1 and met("postgres") == 1
    assert chatd.metric("parley_bus_up") >= 1
    stack.redis.kill()
    poll(lambda: met("redis") == 0, "the lost need")
    assert met("postgres") == 1
    assert chatd.metric("parley_bus_up") == 0
    stack.redis.start()
    poll(lambda: met("redis") == 1, "the need that is met again")


def request_ids(process, pattern):
    return re.findall(pattern + r".* req=([0-9a-f]{16})", process.log_text())


async def test_one_request_id_leads_through_all_logs(new_stack):
    """A message from its sender's gateway over chatd to its receiver's; a session
    from its gateway to presenced; a change of presence from there to chatd and on
    to a gateway."""
    stack = new_stack(gateways=2, settings={
        kind: {"log_level": "debug"}
        for kind in ("gateway", "chatd", "presenced")})
    one, two = stack.gateways
    chatd, presenced = stack.chatds[0], stack.presenceds[0]
    ann = await Session.open(one, register(one))
    ben = await Session.open(two, register(two))
    chat_id = await private_chat(ann, ben)
    await ann.say(chat_id, "a text that no log may show")
    await ben.wait("new_message")
    sent, = request_ids(one, r"asked type=send_message")
    assert sent in request_ids(one, r"called service=chatd type=send_message")
    assert sent in request_ids(one, r"answered type=send_message result=ok")
    assert sent in request_ids(chatd, r"answered type=send_message result=ok")
    poll(lambda: sent in request_ids(two, r" event topic=user:"),
         "the event in the other gateway's log")
    told = request_ids(presenced, r"answered type=sessions_changed result=ok")
    assert set(told) & set(request_ids(
        one, r"called service=presenced type=sessions_changed"))
    await ben.close()
    await ann.wait("user_status_changed")
    reported = set(request_ids(presenced, r"reported changes="))
    assert reported & set(request_ids(
        chatd, r"answered type=presence_changed result=ok"))
    assert reported & set(request_ids(one, r" event topic=user:"))
