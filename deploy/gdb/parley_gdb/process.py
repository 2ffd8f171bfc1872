"""What a gateway, a chatd and a presenced have in common: whether it is ready,
whom it calls and who calls it, Redis, metrics. Times are by the loop's own clock,
so they are right in a core too.

SPDX-License-Identifier: MIT
"""

import gdb

from .lines import data, queued, slots_busy, who
from .reading import (c_string, entries, is_null, kind_name, length, static,
                      struct, trace_text, word)

SECOND_MS = 1000


def daemon():
    return static("daemon_main", "d")


def kind():
    """gateway, chatd or presenced; stops the command if it is none, or has not
    begun to run."""
    spec = daemon()["spec"]
    if is_null(spec):
        raise gdb.GdbError("this process has not started yet: \"run\" first")
    return c_string(spec["name"])


def now_ms():
    """The monotonic clock when the loop last looked at it."""
    return int(daemon()["loop"]["time"])


def age(then_ms):
    return f"{now_ms() - int(then_ms)} ms"


def age_us(then_us):
    return f"{now_ms() - int(then_us) // 1000} ms"


def left(deadline_ms):
    return "-" if int(deadline_ms) == 0 else \
        f"{int(deadline_ms) - now_ms()} ms"


# ---- the parts, by kind of process ------------------------------------------

def gateway():
    return static("app_init", "gw").dereference()


def service():
    return static("service_init", "svc")


def presenced():
    return static("main", "p")


def clients():
    """Those whom this process calls, by rpc_client."""
    if kind() == "gateway":
        found = [gateway()["chatd"], gateway()["presenced"]]
    elif kind() == "chatd":
        found = [service()["presence"]["client"]]
    else:
        found = [presenced()["client"]]
    return [c.dereference() for c in found if not is_null(c)]


def server():
    """The rpc_server by which others call it; None: a gateway."""
    if kind() == "gateway":
        return None
    found = service()["dispatch"]["server"] if kind() == "chatd" else \
        presenced()["server"]
    return None if is_null(found) else found.dereference()


def bus():
    if kind() == "gateway":
        found = gateway()["bus"]
    elif kind() == "chatd":
        found = service()["events"]["bus"]
    else:
        found = presenced()["store"]["bus"]
    return found.dereference()


# ---- what is told -----------------------------------------------------------

def head():
    """One line on the process, one on what it needs."""
    d = daemon()
    needs = [f"{c_string(d['needs'][i]['what'])} "
             f"{'met' if bool(d['needs'][i]['met']) else 'MISSING'}"
             for i in range(int(d["need_count"]))]
    ready = bool(d["ready_said"]) and all("MISSING" not in n for n in needs)
    return [f"{kind()}, process {gdb.selected_inferior().pid}, "
            f"{word(d['state'], 'STATE_')}, "
            f"{'ready' if ready else 'not ready'}",
            f"needs: {', '.join(needs) or 'nothing'}"]


def calls():
    """(service, type, place, age, time left, request id, for whom) of every call
    that is not answered."""
    for client in clients():
        entry = struct("table_entry", "calls_find")
        table = client["table"].cast(entry.pointer())
        for i in range(int(client["table_len"])):
            if is_null(table[i]["call"]):
                continue
            call = table[i]["call"].dereference()
            place = word(call["place"], "CALL_")
            if not is_null(call["slot"]):
                place += f" to {c_string(call['slot']['peer']['url'])}"
            yield (c_string(client["service"]),
                   kind_name(call["req"]["kind"]), place,
                   age_us(call["started_us"]), left(call["deadline_ms"]),
                   trace_text(call["req"]["trace"]),
                   f"{who(call['req'])} "
                   f"{data(call['req']['body'], call['req']['body_len'])}")


def server_phases(found):
    counts = {}
    for i in range(int(found["work_len"])):
        work = found["work"][i]
        phase = word(work["phase"], "WORK_").replace("_", " ")
        if phase == "at work" and int(work["going"]["kind"]) != 0:
            phase = "to tell our end"
        counts[phase] = counts.get(phase, 0) + 1
    return ", ".join(f"{n} {phase}" for phase, n in sorted(counts.items()))


def links():
    """(what, where, state, more) of every link to another process."""
    for client in clients():
        for peer in entries(client["peers"], struct("peer"), "link"):
            yield (c_string(client["service"]), c_string(peer["url"]),
                   word(peer["state"], "PEER_"),
                   f"{queued(peer)} calls queued, {slots_busy(peer)} batches "
                   f"in flight, {int(peer['timeouts'])} timeouts")
    found = server()
    if found is not None:
        yield ("callers", f"{int(found['pipes_len'])} connections",
               "draining" if bool(found["draining"]) else "open",
               f"contexts: {server_phases(found)}")
    yield from bus_links()


def bus_links():
    found = bus()
    where = c_string(found["address"]["path"]) or \
        f"{c_string(found['address']['host'])}:{int(found['address']['port'])}"
    yield ("redis commands", where, word(found["commands"]["state"], "LINK_"),
           f"{int(found['backlog_len'])} publishes and "
           f"{int(found['pending_len'])} commands unanswered")
    if not is_null(found["subs"]):
        yield ("redis topics", where, word(found["subs"]["state"], "LINK_"),
               f"{int(found['topics']['len'])} topics, "
               f"{int(found['unconfirmed'])} unconfirmed")


def queues():
    """(queue, how much is in it, its bound) of what every process has."""
    for client in clients():
        service_name = c_string(client["service"])
        yield (f"calls to {service_name}", int(client["pending"]),
               int(client["conf"]["pending_max"]))
        yield (f"of these waiting for a {service_name}",
               length(client["parked"]), "-")
    found = server()
    if found is not None:
        yield ("requests with the handlers", int(found["in_flight"]),
               int(found["in_flight_max"]))
    found = bus()
    yield ("publishes unanswered, bytes", int(found["backlog"]),
           int(found["conf"]["backlog_max"]) or "-")
    yield "commands to redis unanswered", int(found["pending_len"]), "-"


# ---- metrics ----------------------------------------------------------------

def metric_value(series):
    kind_of = word(series["type"], "TYPE_")
    if kind_of == "histogram":
        count = int(series["count"])
        scale = float(series["scale"]["scale"])
        mean = float(series["value"]) / count if count else 0.0
        return f"{count}, mean {mean * scale if scale < 1 else mean:g}"
    if not is_null(series["fn"]):
        return "(computed when asked)"
    return int(series["count"]) if kind_of == "counter" else \
        float(series["value"])


def metrics():
    """(name with labels, value) as they stand in memory."""
    families = static("metrics_render", "families")
    for family in entries(families, struct("family", "metrics_render")):
        for series in entries(family["series"], struct("metric")):
            labels = c_string(series["labels"])
            yield (c_string(family["name"]) +
                   (f"{{{labels}}}" if labels else ""), metric_value(series))
