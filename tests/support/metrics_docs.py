"""docs/metrics.md from what the processes' /metrics says.

    cd tests && PARLEY_BUILD=build/dev python3 -m support.metrics_docs

starts a stack with TLS, lets somebody use it so that every metric shows itself,
and writes the page; a test holds the page against the processes.

SPDX-License-Identifier: MIT
"""

import asyncio
import re

from .client import Session, close_all, http_request, private_chat, register
from .process import poll
from .stack import ROOT, World

PATH = ROOT / "docs" / "metrics.md"

HEAD = """\
# Metrics

Every process answers `/metrics` on its admin port (`admin_listen`) in Prometheus'
text format. A histogram has `_bucket`, `_sum` and `_count`; its times are in
seconds, from 0.1 ms to 10 s. Nothing is reset but by a restart.

[operations.md](operations.md#watching) tells which of them to watch;
`deploy/prometheus/` has recording and alert rules, `deploy/grafana/` a dashboard.

A message's way is measured hop by hop:

| hop | metric |
|---|---|
| arrived at the gateway, waits for those before it on its connection | `parley_gateway_frame_wait_seconds` |
| with chatd: there, at work, and back | `parley_rpc_seconds{service="chatd"}` in the gateway |
| arrived at chatd, waits for its batch | `parley_writer_wait_seconds` |
| its batch is with the database | `parley_writer_store_seconds`; of this, waiting for a link: `parley_db_wait_seconds` |
| committed, published to Redis | `parley_bus_publish_seconds` in chatd |
| through Redis to a gateway | `parley_bus_beat_seconds{link="subscriptions"}` in the gateway, by a beat of its own |
| answered to its sender | `parley_gateway_request_seconds{type="send_message"}` |
| from the sender's frame to a receiver's socket | `parley_gateway_delivery_seconds`, where both are at one gateway |

This page is made from the processes (`tests/support/metrics_docs.py`), and a test
holds it against them.
"""

ORDER = ("gateway", "chatd", "presenced")


def families_of(text):
    """{name: (type, meaning, label names)} of an exposition."""
    found = {}
    for line in text.splitlines():
        words = line.split(" ", 3)
        if line.startswith("# HELP "):
            meaning = words[3].rstrip(".") if len(words) > 3 else ""
            found[words[2]] = ["", meaning, set()]
        elif line.startswith("# TYPE "):
            found[words[2]][0] = words[3]
        else:
            name = re.sub(r"\{.*", "", words[0])
            base = re.sub(r"_(bucket|sum|count)$", "", name)
            labels = re.findall(r'(\w+)="', line)
            found[name if name in found else base][2] |= set(labels) - {"le"}
    return found


async def use(stack):
    """What brings about the metrics that are made on first use."""
    gateway = stack.gateways[0]
    ann = await Session.open(gateway, register(gateway))
    ben = await Session.open(gateway, register(gateway))
    chat_id = await private_chat(ann, ben)
    await ann.say(chat_id, "a text")
    await ben.wait("new_message")
    await ann.send_text("no JSON")
    await ann.wait("error")
    await ann.close()
    http_request(gateway, "GET", "/api/health")
    poll(lambda: gateway.metric("parley_gateway_closes_total") > 0,
         "a close that is counted")
    poll(lambda: stack.presenceds[0].metric("parley_presence_calls_total") > 0,
         "a call that is counted")
    await close_all()


def collect(stack):
    """{kind: families} of a stack that was used."""
    return {process.name.rsplit("-", 1)[0]:
            families_of(process.admin("/metrics")[1])
            for process in stack.processes()}


def where(families, name):
    return tuple(kind for kind in ORDER if name in families[kind])


def title(kinds):
    if kinds == ORDER:
        return "Every process"
    return " and ".join(kinds)


def render(families):
    names = sorted(set().union(*families.values()))
    groups = sorted({where(families, name) for name in names},
                    key=lambda kinds: (-len(kinds), ORDER.index(kinds[0])))
    parts = [HEAD]
    for kinds in groups:
        lines = [f"## {title(kinds)}", "",
                 "| name | type | labels | meaning |", "|---|---|---|---|"]
        for name in names:
            if where(families, name) != kinds:
                continue
            of = [families[kind][name] for kind in kinds]
            labels = ", ".join(f"`{x}`" for x in
                               sorted(set().union(*(f[2] for f in of))))
            lines.append(f"| `{name}` | {of[0][0]} | {labels} |"
                         f" {of[0][1]} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def main():
    world = World()
    stack = world.new_stack(tls=("links", "clients"))
    try:
        asyncio.run(use(stack))
        PATH.write_text(render(collect(stack)))
    finally:
        faults = stack.close() + world.close()
    assert not faults, faults


if __name__ == "__main__":
    main()
