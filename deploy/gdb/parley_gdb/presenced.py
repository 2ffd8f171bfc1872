"""A presenced's state. The book itself is in Redis; here is what the process
remembers of it, and what is under way.

SPDX-License-Identifier: MIT
"""

from .lines import presence_change
from .process import age, presenced
from .reading import is_null, map_items, struct, word


def users():
    """(user, since when known) as remembered."""
    memory = presenced()["memory"].dereference()
    for user, _ in map_items(memory["now"]):
        yield user, "online", "in the present book"
    for user, _ in map_items(memory["before"]):
        yield user, "online", "before the book was lost, not settled yet"


def facts():
    """Lines on the store, the leases and the memory."""
    p = presenced()
    contact = p["leases"]["contact"]
    yield f"store: {word(p['store']['state'], 'STORE_')}"
    yield "contact with redis: " + (
        "none" if int(contact["since_ms"]) == 0 else
        f"for {age(contact['since_ms'])}, last heard "
        f"{age(contact['heard_ms'])} ago")
    yield (f"leases of {int(p['leases']['conf']['lease_ms'])} ms, grace of "
           f"{int(p['leases']['conf']['grace_ms'])} ms")
    memory = p["memory"].dereference()
    yield (f"memory: {word(memory['state'], 'MEMORY_')}, "
           f"{int(memory['now']['len'])} users online, "
           f"{int(memory['before']['len'])} from before a loss")


def reports():
    """Transitions that are with a chatd."""
    report = presenced()["report"].dereference()
    kind_of = struct("batch", "report_kick")
    low, high = report["batches"].type.range()
    for i in range(low, high + 1):
        if is_null(report["batches"][i]):
            continue
        batch = report["batches"][i].cast(kind_of.pointer())
        for j in range(int(batch["n"])):
            yield presence_change(batch["changes"][j])


def queues():
    p = presenced()
    yield "calls to redis", int(p["store"]["pending"]), "-"
    yield "batches of transitions with chatd", \
        int(p["report"]["in_flight"]), \
        p["report"]["batches"].type.range()[1] + 1
    yield "users remembered", int(p["memory"]["now"]["len"]), "-"
    yield "users of a lost book", int(p["memory"]["before"]["len"]), "-"
