"""The cases of the standard set: what each runs and which figures it gives.

A case's run() takes the Installation and returns parley-load's figures, or a
dict of its own; its `message` says what the CPU of the processes is divided by.
A new case is one more entry of CASES.

SPDX-License-Identifier: MIT
"""

import os
import signal
import time
from dataclasses import dataclass
from typing import Callable

import alone

from standard.figures import Figure, at, ms, ratio, to_case
from standard.installation import CaseFailed

STORE_MILLION, STORE_TEN = 0x5EED0001, 0x5EED000A
PRIVATE_100 = ("private", "--connections", 100, "--window", 8)


@dataclass(frozen=True)
class Case:
    name: str
    meaning: str
    run: Callable
    figures: tuple
    message: str = "acked_per_s"  # a path: per what the CPU is told
    one: str = "message"          # and what one of them is called
    standard: bool = True         # part of the standard set


def load(*arguments, **more):
    """A case that is one run of parley-load."""
    return lambda bench: bench.load(*arguments, **more)


# ---- what the processes themselves say ----------------------------------------

def served(before, after, family, kind):
    """Mean and count of what a process's histogram took up meanwhile, in
    microseconds."""
    def change(what):
        return sum(v - before.get(k, 0) for k, v in after.items()
                   if k.startswith(f"{family}_{what}{{")
                   and f'type="{kind}"' in k)
    count = change("count")
    return {"count": count,
            "mean_us": change("sum") * 1e6 / count if count else None}


def with_metrics(kind, *arguments, **more):
    """A run of parley-load, and how long gateway and chatd say that they took
    for this kind of request meanwhile."""
    def take(bench):
        processes = ("gateway-1", "chatd-1")
        before = [bench.metrics(p) for p in processes]
        result = bench.load(*arguments, **{
            k: v(bench) if callable(v) else v for k, v in more.items()})
        after = [bench.metrics(p) for p in processes]
        result["served"] = {
            name: served(before[i], after[i], family, kind)
            for i, (name, family) in enumerate((
                ("gateway", "parley_gateway_request_seconds"),
                ("chatd", "parley_chatd_request_seconds")))}
        return result
    return take


def in_ring(count=10000):
    return lambda bench: bench.world("--connections", count, "--chats", 20)


# ---- cases of several runs ----------------------------------------------------

def storm(bench):
    count = bench.connections(10000)
    return bench.load("storm", "--connections", count, "--chats", 20,
                      "--sources", 8, "--seconds", 60,
                      world=in_ring()(bench))


def memory(bench):
    """On a gateway started for it: what it needs for its first connections is
    not given back by what came before."""
    bench.restart("gateway-1")
    before = bench.resident_kib("gateway-1")
    count = bench.connections(20000)
    result = bench.load("idle", "--connections", count, "--sources", 8,
                        "--seconds", 1, "--warmup", 1,
                        world=bench.world("--connections", 20000))
    after = result["processes"]["gateway-1"]["resident_kib"]
    result["kib_per_connection"] = (after - before) / count
    bench.restart("gateway-1")
    return result


def idle(bench):
    """Half a minute, which is one round of pings."""
    count = bench.connections(10000)
    result = bench.load("idle", "--connections", count, "--sources", 8,
                        "--warmup", 5, "--seconds", 30,
                        world=bench.world("--connections", 20000))
    result["idle_cores"] = sum(p["cores"] for name, p in
                               result["processes"].items()
                               if name != "client")
    return result


def mixed(bench):
    """Each alone and then together, with the same clients connected."""
    arguments = ("--group", 1000, "--connections", 200)
    world = bench.world(*arguments)
    rates = {"private": (2000, 0), "group": (0, 50), "together": (2000, 50)}
    runs = {}
    for name, (private, group) in rates.items():
        runs[name] = bench.load("mixed", *arguments, "--rate", private,
                                "--group-rate", group, world=world)
    result = runs["together"]
    result["alone"] = {k: runs[k] for k in ("private", "group")}
    return result


def store(bench, world, messages, people):
    """The cases that a full store could slow down, in a store filled by
    seed_messages.sql."""
    began = time.monotonic()
    bench.seed_store(messages, people, world)
    took = time.monotonic() - began
    result = bench.load(*PRIVATE_100)
    result["seeded_in_s"] = took
    result["open_chat"] = with_metrics(
        "open_chat", "request", "--connections", 100, "--chats", 20,
        "--rate", 200, "--seconds", 3, world=world)(bench)
    result["group"] = bench.load("group", "--group", 500, "--senders", 4,
                                 "--seconds", bench.seconds / 2)
    return result


def stall(bench):
    """The gateway stands still for 300 ms under an open loop: whoever measures
    rightly sees it in every message that was due meanwhile."""
    process = bench.start_load("private", "--connections", 200, "--rate",
                               2000, "--seconds", 4)
    time.sleep(3)
    pid = bench.pid("gateway-1")
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.3)
    os.kill(pid, signal.SIGCONT)
    return bench.finish_load(process)


# ---- the set ------------------------------------------------------------------

DELIVERY = "latency_us.delivery"
SPREAD_WITHIN = ("<=", 5)
RATIO = ("<=", 2)

CASES = [
    Case("private-100", "private messages, 100 connections",
         load(*PRIVATE_100), (
             Figure("stored, acked and delivered", "acked_per_s", "/s",
                    (">=", 20000), "insert"),)),
    Case("private-1000", "private messages, 1,000 connections",
         load("private", "--connections", 1000, "--window", 1), (
             Figure("stored, acked and delivered", "acked_per_s", "/s",
                    (">=", 20000), "insert"),)),
    Case("private-alone", "one message at a time",
         load("private", "--connections", 2, "--rate", 200), (
             Figure("send to delivery, p50", ms(f"{DELIVERY}.p50"), "ms",
                    ("<=", 0.8), "alone_ms"),
             Figure("send to ack, p50", ms("latency_us.ack.p50"), "ms",
                    None, "alone_ms"))),
    Case("private-5000", "open loop, 5,000 messages a second",
         load("private", "--connections", 500, "--rate", 5000), (
             Figure("send to delivery, p99", ms(f"{DELIVERY}.p99"), "ms",
                    ("<=", 10)),
             Figure("max over p99", ratio(f"{DELIVERY}.max",
                                          f"{DELIVERY}.p99"), "x",
                    SPREAD_WITHIN))),
    Case("group-500", "a group of 500, as fast as it goes",
         load("group", "--group", 500, "--senders", 4), (
             Figure("deliveries", "delivered_per_s", "/s", (">=", 100000),
                    "send"),
             Figure("share of bare send()", lambda result, results:
                    at(result, "delivered_per_s")
                    / results["ceilings"]["send"], "%", (">=", 0.5))),
         "delivered_per_s", "delivery"),
    Case("group-500-paced", "a group of 500, 50 messages a second",
         load("group", "--group", 500, "--rate", 50), (
             Figure("send to last delivery, p50",
                    ms("latency_us.last_delivery.p50"), "ms", ("<=", 8)),),
         "delivered_per_s", "delivery"),
    Case("mixed", "a group of 1,000 at 50/s beside 2,000 private messages/s",
         mixed, (
             Figure("private: p99 together over alone", lambda result, _:
                    at(result, f"{DELIVERY}.p99") / at(
                        result, f"alone.private.{DELIVERY}.p99"), "x", RATIO),
             Figure("group: p99 of the last delivery, together over alone",
                    lambda result, _: at(
                        result, "group.latency_us.last_delivery.p99") / at(
                        result, "alone.group.group.latency_us."
                        "last_delivery.p99"), "x", RATIO),
             Figure("private: p99 alone",
                    ms(f"alone.private.{DELIVERY}.p99"), "ms"),
             Figure("group: p99 of the last delivery, alone",
                    ms("alone.group.group.latency_us.last_delivery.p99"),
                    "ms"),
             # A ratio of two runs that both fall behind says nothing.
             Figure("group: deliveries of those due, together",
                    lambda result, _: at(result, "group.delivered_per_s")
                    / (50 * 999), "%", (">=", 0.98)))),
    Case("connect", "connect to user_info, 20 chats each",
         with_metrics("user_info", "connect", "--connections", 2000,
                      "--chats", 20, "--window", 32, "--sources", 8,
                      world=in_ring()), (
             Figure("connections", "opened_per_s", "/s", (">=", 3000)),),
         "opened_per_s", "connection"),
    Case("storm", "10,000 clients cut at once", storm, (
             Figure("until the last is back",
                    lambda result, _: at(result, "latency_us.opening.max")
                    / 1e6, "s", ("<=", 5)),), "opened_per_s", "connection"),
    Case("user-info-500", "user_info with 500 chats",
         with_metrics("user_info", "connect", "--connections", 40,
                      "--chats", 500, "--history", 1, "--window", 1,
                      "--seconds", 3), (
             Figure("chatd's part, mean", ms("served.chatd.mean_us"), "ms",
                    ("<=", 5)),
             Figure("connect to user_info, p50",
                    ms("latency_us.opening.p50"), "ms")),
         "opened_per_s", "connection"),
    Case("open-chat", "open_chat, one at a time",
         with_metrics("open_chat", "request", "--connections", 1,
                      "--history", 200, "--seconds", 3), (
             Figure("server side (gateway's request to answer), mean",
                    ms("served.gateway.mean_us"), "ms", ("<=", 3)),
             Figure("of it chatd, mean", ms("served.chatd.mean_us"), "ms"),
             Figure("at the client, p50", ms("latency_us.ack.p50"), "ms")),
         one="request"),
    Case("memory", "20,000 idle connections", memory, (
             Figure("gateway memory per connection", "kib_per_connection",
                    "KiB", ("<=", 4)),), "", ""),
    Case("idle", "10,000 idle connections", idle, (
             Figure("CPU of the whole stack, of one core", "idle_cores", "%",
                    ("<=", 0.03)),), "", ""),
    Case("gateway-alone", "one gateway alone, requests",
         lambda bench: alone.Alone(bench).gateway(
             ["request", "--request", "open_chat", "--connections", "1000",
              "--window", "4"], bench.seconds), (
             Figure("requests on one core", "acked_per_s", "/s",
                    (">=", 70000), "lws"),), one="request"),
    Case("gateway-alone-send", "one gateway alone, messages",
         lambda bench: alone.Alone(bench).gateway(
             ["private", "--connections", "1000", "--window", "4"],
             bench.seconds), (
             Figure("messages on one core", "acked_per_s", "/s", None,
                    "lws"),)),
    Case("chatd-alone", "one chatd alone, messages, 1,000 in flight",
         lambda bench: alone.Alone(bench).chatd(
             ["--request", "send_message", "--connections", "1000"],
             bench.seconds), (
             Figure("messages", "acked_per_s", "/s", None, "insert"),)),
    Case("presenced-alone", "one presenced alone, sessions that come or go",
         lambda bench: alone.Alone(bench).presenced(
             ["--connections", "8000", "--window", "8", "--batch", "500"],
             bench.seconds), (
             Figure("sessions", "acked_per_s", "/s"),), one="session"),
    Case("store-1m", "1,000,000 messages in the store",
         lambda bench: store(bench, STORE_MILLION, 1000000, 2000), (
             Figure("private messages", "acked_per_s", "/s", None, "insert"),
             Figure("of the empty store's", to_case("acked_per_s",
                    "private-100"), "%", (">=", 0.85)),
             Figure("group of 500, of the empty store's", to_case(
                    "group.delivered_per_s", "group-500", "delivered_per_s"),
                    "%", (">=", 0.85)),
             Figure("open_chat of any chat, server side, mean",
                    ms("open_chat.served.gateway.mean_us"), "ms",
                    ("<=", 3)))),
    Case("store-10m", "10,000,000 messages in the store",
         lambda bench: store(bench, STORE_TEN, 10000000, 20000), (
             Figure("private messages", "acked_per_s", "/s", None, "insert"),
             Figure("of the empty store's", to_case("acked_per_s",
                    "private-100"), "%", (">=", 0.85)),
             Figure("group of 500, of the empty store's", to_case(
                    "group.delivered_per_s", "group-500", "delivered_per_s"),
                    "%", (">=", 0.85)),
             Figure("open_chat of any chat, server side, mean",
                    ms("open_chat.served.gateway.mean_us"), "ms",
                    ("<=", 3))), standard=False),
    Case("stall", "the gateway stopped for 300 ms, open loop 2,000/s",
         stall, (
             Figure("max (must be 300 or more)", ms(f"{DELIVERY}.max"), "ms",
                    (">=", 300)),
             Figure("p99", ms(f"{DELIVERY}.p99"), "ms")), standard=False),
]

NAMED = {case.name: case for case in CASES}
__all__ = ["CASES", "Case", "CaseFailed", "NAMED"]
