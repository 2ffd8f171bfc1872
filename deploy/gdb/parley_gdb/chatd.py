"""A chatd's state: requests that wait, database units, its queues.

SPDX-License-Identifier: MIT
"""

import gdb

from .lines import statements
from .process import age, age_us, kind, left, service
from .reading import (entries, fields_of, function_name, is_null, kind_name,
                      length, struct, trace_text, uuid_text, word)


def require():
    if kind() != "chatd":
        raise gdb.GdbError(f"this is a {kind()}: only a chatd has a database")


# ---- database ---------------------------------------------------------------

def request_of(pointer):
    """The request that a unit's argument is, if it is one: it points to the one
    struct service, to the frame within what came, and to that frame's row of the
    contract. None: it is something else."""
    try:
        request = pointer.cast(struct("request", "dispatch_new").pointer())
        if int(request["svc"]) == int(service().address) and \
                int(request["frame"]) == int(request["in"]["frame"].address) \
                and int(request["row"]["kind"]) == \
                int(request["frame"]["kind"]):
            return request.dereference()
    except gdb.MemoryError:
        pass
    return None


def unit_row(where, unit):
    request = None if is_null(unit["arg"]) else request_of(unit["arg"])
    return (where, " + ".join(statements(unit)), int(unit["attempts"]),
            age_us(unit["submitted_us"]), left(unit["deadline_ms"]),
            function_name(unit["done"]), "-" if request is None else
            trace_text(request["frame"]["trace"]))


UNITS_HEAD = ("WHERE", "STATEMENTS", "SENT", "AGE", "LEFT", "THEN", "REQ")


def units():
    """A row a database unit: those sent on each link, then those that wait."""
    require()
    db = service()["db"].dereference()
    kind_of = struct("db_unit")
    for i in range(int(db["link_count"])):
        for unit in entries(db["links"][i]["sent"], kind_of):
            yield unit_row(f"link {i}", unit)
    for name in fields_of(db, "list"):
        for unit in entries(db[name], kind_of):
            yield unit_row(f"waiting, {name}", unit)


def links():
    db = service()["db"].dereference()
    for i in range(int(db["link_count"])):
        link = db["links"][i]
        more = f"{int(link['sent_count'])} units sent"
        if int(link["sent_count"]) > 0:
            more += f", nothing has come for {age(link['moved_ms'])}"
        yield "postgres", f"link {i}", word(link["state"], "LINK_"), more


# ---- requests ---------------------------------------------------------------

def request_row(where, request):
    frame = request["frame"].dereference()
    return (where, kind_name(frame["kind"]), age_us(request["started_us"]),
            left(request["in"]["deadline_ms"]), trace_text(frame["trace"]),
            uuid_text(frame["user"]), uuid_text(frame["chat"]))


REQUESTS_HEAD = ("WHERE", "TYPE", "AGE", "LEFT", "REQ", "USER", "CHAT")


def waiting(head, name, function):
    """The requests of a list whose entries have them as `r`."""
    for entry in entries(head, struct(name, function)):
        yield entry["r"].dereference()


def requests():
    """A row a request, by the place where it waits."""
    require()
    svc = service()
    for lane in fields_of(svc["writer"].dereference(), "send_lane"):
        for head in ("queue", "batch"):
            for r in waiting(svc["writer"][lane][head], "send", "writer_send"):
                yield request_row(f"writer's {head}, {lane}", r)
    for name in ("token_checks", "user_infos"):
        for r in waiting(svc[name]["queue"], "waiting", "gather_add"):
            yield request_row(f"to gather in {name}", r)
    for a_round in entries(svc["receipts"]["rounds"],
                           struct("round", "receipts_add")):
        for r in waiting(a_round["waiters"], "waiter", "receipts_add"):
            yield request_row("receipts", r)
    for r in waiting(svc["typing"]["waiting"], "news", "typing_new"):
        yield request_row("typing", r)
    yield from with_database()


def with_database():
    db = service()["db"].dereference()
    for i in range(int(db["link_count"])):
        for unit in entries(db["links"][i]["sent"], struct("db_unit")):
            request = None if is_null(unit["arg"]) else \
                request_of(unit["arg"])
            if request is not None:
                yield request_row(f"database, link {i}", request)


# ---- queues -----------------------------------------------------------------

def queues():
    svc = service()
    db = svc["db"].dereference()
    yield "requests", int(svc["dispatch"]["pending"]), "-"
    for lane in fields_of(svc["writer"].dereference(), "send_lane"):
        writer = svc["writer"][lane]
        yield f"sends, {lane}", int(writer["queued"]), "-"
        low, high = writer["rows"][0]["row"].type.range()
        yield f"sends in the batch, {lane}", int(writer["batch_len"]), \
            high - low + 1
    for name in ("token_checks", "user_infos"):
        gather = svc[name].dereference()
        yield name, length(gather["queue"]), "-"
        yield f"{name}, batches out", int(gather["batches"]), \
            int(gather["conf"]["batches_max"])
    yield "delivered marks", int(svc["receipts"]["waiting"]), "-"
    yield "typing notices", int(svc["typing"]["waiting_len"]), "-"
    passwords = svc["passwords"].dereference()
    yield "password hashes waiting", int(passwords["waiting_count"]), \
        int(passwords["conf"]["queue_max"])
    yield "password hashes running", int(passwords["running_count"]), \
        int(passwords["conf"]["workers"])
    yield "database units", int(db["pending"]), "-"
    yield "database units waiting", int(db["waiting"]), "-"
    yield "database links up", int(db["up_count"]), int(db["link_count"])
    yield "chats with a change under way", int(svc["groups"]["lines"]["len"]), \
        "-"
    yield "questions to gateways", int(svc["live"]["count"]), "-"
