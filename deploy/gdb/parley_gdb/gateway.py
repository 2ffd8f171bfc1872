"""A gateway's state: its sessions, its users, its queues.

SPDX-License-Identifier: MIT
"""

import gdb

from .lines import calls, conn_call, conn_calls, session_chat
from .process import age, age_us, gateway, kind
from .reading import (entries, fields_of, length, map_items, struct,
                      uuid_text, word)


def require():
    if kind() != "gateway":
        raise gdb.GdbError(f"this is a {kind()}: only a gateway has sessions")


def conns():
    """All connections."""
    require()
    yield from entries(gateway()["conns"]["all"], struct("conn"), "link")


def known_chats(conn):
    return int(conn["chats"]["awake"]["len"]) + int(conn["chats"]["rest_len"])


def sessions():
    """A row a connection."""
    for c in conns():
        asked = conn_calls(c)
        call = f"{conn_call(asked[0])} for {age_us(asked[0]['started_us'])}" \
            if asked else "-"
        if len(asked) > 1:
            call += f", {calls(len(asked) - 1)} behind it"
        yield (uuid_text(c["session"]), uuid_text(c["user"]),
               word(c["state"], "CONN_"), age(c["opened_ms"]),
               int(c["out"]["bytes"]), int(c["in"]["count"]), known_chats(c),
               call)


SESSIONS_HEAD = ("SESSION", "USER", "STATE", "AGE", "OUT-BYTES", "IN-FRAMES",
                 "CHATS", "CALL")


def find_conn(text):
    """The one connection whose session or user begins so."""
    found = [c for c in conns() if uuid_text(c["session"]).startswith(text)
             or uuid_text(c["user"]).startswith(text)]
    if len(found) != 1:
        raise gdb.GdbError(f"{len(found)} sessions are, or belong to, "
                           f"\"{text}\": see \"parley sessions\"")
    return found[0]


def session(c):
    """Everything on one connection, line by line."""
    yield f"session  {uuid_text(c['session'])}, opened {age(c['opened_ms'])} ago"
    yield f"user     {uuid_text(c['user'])}, token {uuid_text(c['token'])}"
    state = word(c["state"], "CONN_")
    if int(c["close_code"]) != 0:
        state += f", closed with {int(c['close_code'])}: " \
            f"{c['close_why'].string()}"
    yield f"state    {state}"
    for call in conn_calls(c):
        yield f"call     {conn_call(call)}"
    yield (f"in       {int(c['in']['count'])} frames wait"
           f"{', reading paused' if bool(c['read_paused']) else ''}")
    out = c["out"]
    yield (f"out      {int(out['bytes'])} of {int(out['bytes_max'])} bytes: "
           f"{length(out['items'])} frames queued, {length(out['held'])} with "
           "the library")
    yield (f"events   {int(c['waiting_len'])} wait for user_info, "
           f"{int(c['held_len'])} receipts for an answer")
    yield (f"chats    {known_chats(c)}, of these "
           f"{int(c['chats']['awake']['len'])} awake")
    kind_of = struct("session_chat")
    for _, chat in map_items(c["chats"]["awake"], kind_of):
        yield f"  {session_chat(chat)}"


def users():
    """(user, sessions here, subscription) of all whose topics it has."""
    require()
    kind_of = struct("fan_user", "fanout_join")
    for user, fan in map_items(gateway()["fanout"]["users"], kind_of):
        yield (user, f"{length(fan['conns'])} sessions",
               "subscribing" if bool(fan["asking"]) else "subscribed")


def queues():
    gw = gateway()
    settings = static_settings()
    book = gw["conns"].dereference()
    sums = {"out": 0, "in": 0, "waiting": 0, "held": 0, "most": 0}
    for c in conns():
        sums["out"] += int(c["out"]["bytes"])
        sums["most"] = max(sums["most"], int(c["out"]["bytes"]))
        sums["in"] += int(c["in"]["count"])
        sums["waiting"] += int(c["waiting_len"])
        sums["held"] += int(c["held_len"])
    yield "connections", int(book["count"]), int(settings["connections_max"])
    yield "of these live", int(book["live"]), "-"
    yield "opening now", int(book["admitted"]), int(settings["openings_max"])
    yield "waiting to open", int(book["waiting_len"]), "-"
    for name in fields_of(book["flush"], "list"):
        yield f"connections to write to, {name}", \
            length(book["flush"][name]), "-"
    yield "bytes to clients, all", sums["out"], "-"
    yield "bytes to clients, most of one", sums["most"], \
        int(settings["outbox_max"])
    yield "frames from clients", sums["in"], "-"
    yield "events before user_info", sums["waiting"], "-"
    yield "receipts before an answer", sums["held"], "-"
    yield "delivered marks", int(gw["receipts"]["pending"]), "-"
    yield "sessions to catch up", int(gw["catchup"]["waiting_len"]), "-"
    yield "HTTP requests", int(gw["requests"]), "-"


def static_settings():
    return gdb.lookup_global_symbol("settings").value()
