"""One line for each structure that deserves one: what somebody at a breakpoint
wants to know of it first. Each takes the structure and gives its text.

SPDX-License-Identifier: MIT
"""

from .reading import (bodies, c_string, entries, err_name, has_field,
                      is_null, kind_name, length, read_bytes, size_text,
                      struct, trace_text, uuid_text, word)


def data(address, size):
    """Bytes that somebody wrote, of which only the number is shown."""
    size = int(size)
    if not bodies.value or is_null(address):
        return size_text(size)
    shown = read_bytes(int(address), min(size, 400)).decode("utf-8", "replace")
    return f'{size_text(size)} "{shown}"' + ("..." if size > 400 else "")


# ---- common -----------------------------------------------------------------

def list_line(value):
    if is_null(value["next"]):
        return "list, never initialised"
    count = length(value)
    return f"list of {count}" if count else "list, empty"


def buf(value):
    return data(value["data"], value["len"])


def rd(value):
    left = int(value["end"]) - int(value["p"])
    return ("past its end, " if bool(value["bad"]) else "") + \
        f"{left} bytes left"


def map_line(value):
    return f"map of {int(value['len'])} (room for {int(value['cap'])})"


def text(value):
    return "null" if is_null(value["p"]) else data(value["p"], value["len"])


def who(value):
    """The ids in an envelope, as far as they are there."""
    parts = [f"{name} {uuid_text(value[name])}"
             for name in ("user", "chat", "session")]
    return ", ".join(p for p in parts if not p.endswith(" nil"))


def frame(value):
    status = "" if int(value["status"]) == 0 else \
        f" {err_name(value['status'])}"
    return (f"{kind_name(value['kind'])}{status} "
            f"req={trace_text(value['trace'])} {who(value)}, body "
            f"{data(value['body'], value['body_len'])}")


def rpc_request(value):
    return (f"{kind_name(value['kind'])} req={trace_text(value['trace'])} "
            f"{who(value)}, body {data(value['body'], value['body_len'])}")


def call(value):
    return f"call {word(value['place'], 'CALL_')} {rpc_request(value['req'])}"


def slots_busy(peer):
    """Batches on their way, without hello and going."""
    return sum(1 for i in range(int(peer["slots_len"]))
               if str(peer["slots"][i]["role"]) == "SLOT_CALLS"
               and int(peer["slots"][i]["count"]) > 0)


def queued(peer):
    low, high = peer["queue"].type.range()
    return sum(length(peer["queue"][i]) for i in range(low, high + 1))


def peer(value):
    return (f"{c_string(value['service'])} at {c_string(value['url'])} "
            f"{word(value['state'], 'PEER_')}, {queued(value)} queued, "
            f"{slots_busy(value)} batches in flight")


def event(value):
    chat = uuid_text(value["chat"])
    return (f"{word(value['kind'], 'EVENT_')} "
            f"req={trace_text(value['trace'])} chat {chat} seq "
            f"{int(value['seq'])}, json "
            f"{data(value['json'], value['json_len'])}")


def publish(value):
    size = int(value["topic_len"])
    topic = "" if size == 0 else read_bytes(
        int(value["bytes"].address), size).decode("utf-8", "replace")
    return (f"publish to {topic}, {size_text(value['len'])}, "
            f"{'on its way' if bool(value['sent']) else 'not sent yet'}")


def bus(value):
    link = word(value["commands"]["state"], "LINK_")
    subs = "none" if is_null(value["subs"]) else \
        word(value["subs"]["state"], "LINK_")
    return (f"bus: commands {link}, subscriptions {subs}, "
            f"{int(value['topics']['len'])} topics, "
            f"{int(value['backlog_len'])} publishes "
            f"({size_text(value['backlog'])}) and "
            f"{int(value['pending_len'])} commands unanswered")


# ---- gateway ----------------------------------------------------------------

def conn(value):
    return (f"conn {uuid_text(value['session'])} user "
            f"{uuid_text(value['user'])} {word(value['state'], 'CONN_')}, "
            f"out {size_text(value['out']['bytes'])}, "
            f"in {int(value['in']['count'])} frames, "
            f"{calls(length(value['calls']))}")


def calls(count):
    return f"{count} call" + ("" if count == 1 else "s")


def conn_calls(conn_):
    """What a connection asks chatd for: one request, or a group of sends."""
    return list(entries(conn_["calls"], struct("conn_call"), "link"))


def conn_call(value):
    if bool(value["refused"]):
        state = ", refused"
    elif not is_null(value["kept"]):
        state = ", answered before its turn"
    else:
        state = ""
    return f"{c_string(value['row']['name'])} " \
        f"req={trace_text(value['trace'])}{state}"


def outbox(value):
    return (f"outbox: {size_text(value['bytes'])} of "
            f"{int(value['bytes_max'])}; {length(value['items'])} frames "
            f"queued, {length(value['held'])} with the library")


def out_frame(value):
    return f"frame of {data(value['data'], value['len'])}, " \
        f"{int(value['refs'])} references"


def inbound(value):
    return (f"inbound: {int(value['count'])} of {int(value['count_max'])} "
            f"frames, {size_text(value['bytes'])}")


def inbound_frame(value):
    return "frame of " + (data(value["data"].address, value["len"])
                          if value.address is not None else "nothing")


def fan_user(value):
    return (f"user {uuid_text(value['user'])}, "
            f"{length(value['conns'])} sessions, "
            f"{'subscribing' if bool(value['asking']) else 'subscribed'}")


def ranges(track):
    return ["%d-%d" % (int(track["ranges"][i]["from"]),
                       int(track["ranges"][i]["to"]))
            for i in range(int(track["len"]))]


def seqtrack(value):
    above = ranges(value)
    return f"all up to {int(value['frontier'])}" + \
        (f", and {' '.join(above)}" if above else "")


def session_chat(value):
    return (f"chat {uuid_text(value['id'])}: {seqtrack(value['track'])}, "
            f"delivered {int(value['noted'])}, version "
            f"{int(value['version'])}, {word(value['want'], 'WANT_')}")


def chat_at_rest(value):
    return f"chat {uuid_text(value['id'])}: all up to {int(value['upto'])}"


def out_note(value):
    if str(value["kind"]) != "NOTE_CHAT":
        return word(value["kind"], "NOTE_")
    return f"chat {uuid_text(value['chat'])} up to {int(value['upto'])}"


# ---- chatd ------------------------------------------------------------------

def request(value):
    if not has_field(value, "svc"):     # the gateway's
        return f"request of type {c_string(value['type'])}"
    return f"request {frame(value['frame'].dereference())}"


def statements(unit):
    return [str(unit["steps"][i]["statement"]).removeprefix("SQL_")
            for i in range(int(unit["step_count"]))]


def db_unit(value):
    return (f"unit of {' + '.join(statements(value)) or 'nothing'}, "
            f"{int(value['param_count'])} parameters, sent "
            f"{int(value['attempts'])} times")


def db_link(value):
    return (f"link {int(value['number'])} {word(value['state'], 'LINK_')}, "
            f"{int(value['sent_count'])} units sent")


def send_row(value):
    return (f"message {uuid_text(value['id'])} to chat "
            f"{uuid_text(value['chat_id'])} from "
            f"{uuid_text(value['sender_id'])}, front_msg_id "
            f"{uuid_text(value['front_msg_id'])}, "
            f"{word(value['format'], 'FORMAT_')} of {text(value['content'])}")


# ---- presenced --------------------------------------------------------------

def session_change(value):
    return (f"{word(value['op'], 'SESSION_')} user {uuid_text(value['user'])} "
            f"session {uuid_text(value['session'])}")


def presence_change(value):
    return (f"user {uuid_text(value['user'])} "
            f"{'online' if bool(value['online']) else 'offline'} at "
            f"{int(value['at_ms'])} version {int(value['version'])}")


def store_tick(value):
    return ", ".join(f"{name} {int(value[name])}" for name in (
        "online", "gateways", "reports", "due", "dying", "version"))
