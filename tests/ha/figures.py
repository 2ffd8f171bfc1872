"""What a fault cost people, by what they sent and saw: how long until the first send
made after it was acknowledged, until sends were as quick as before, and the same of
live events to others.

"As quick as before": the first of three seconds in a row in each of which 99 % took
no more than twice what 99 % took before the fault, or 100 ms, whichever is more. A
message belongs to the second in which it was first sent, so one that waited out a
fault counts against the second it was sent in.

SPDX-License-Identifier: MIT
"""

from collections import defaultdict
from typing import NamedTuple

from chaos.history import Attempt, Seen
from support.stack import ROOT

OUT = ROOT / "build" / "ha"
BEFORE = 10.0       # seconds before a fault that tell what is usual
LEAST = 0.1
IN_A_ROW = 3
HEAD = ("fault", "p99 before", "first ack", "sends normal", "slowest send",
        "first event", "events normal", "slowest event", "sends")


class Course(NamedTuple):
    """How sends, or events, went: seconds since the fault; None: never."""
    usual: float            # their 99 % before it
    first: float
    normal: float
    slowest: float
    count: int              # after the fault


class Figure(NamedTuple):
    fault: str
    sends: Course
    events: Course


def quantile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] \
        if values else 0.0


def times_of(history):
    """([(first sent, until acknowledged)], [(first sent, until another session
    heard it live)])"""
    first, front_of, own = {}, {}, {}
    acks, events = [], []
    for r in history.all(Attempt):
        first.setdefault(r.front, r.at)
    for r in history.all(Seen):
        if r.how == "answer" and r.id not in front_of:
            front_of[r.id] = r.front
            own[r.id] = r.session
            acks.append((first[r.front], r.at - first[r.front]))
    for r in history.all(Seen):
        if r.how == "live" and r.id in front_of and own[r.id] != r.session:
            sent = first[front_of[r.id]]
            events.append((sent, r.at - sent))
    return acks, events


def normal_after(times, fault, end, limit):
    buckets = defaultdict(list)
    for sent, took in times:
        if fault <= sent < end:
            buckets[int(sent - fault)].append(took)
    calm = 0
    for second in range(int(end - fault)):
        took = buckets[second]
        calm = calm + 1 if took and quantile(took, 0.99) <= limit else 0
        if calm == IN_A_ROW:
            return float(second + 1 - IN_A_ROW)
    return None


def course(times, fault, end):
    usual = quantile([t for sent, t in times
                      if fault - BEFORE <= sent < fault - 1], 0.99)
    after = [(sent, t) for sent, t in times if fault <= sent < end]
    return Course(
        usual, min((sent + t - fault for sent, t in after), default=None),
        normal_after(times, fault, end, max(2 * usual, LEAST)),
        max((t for _, t in after), default=0.0), len(after))


def measure(trial):
    acks, events = times_of(trial.history)
    ends = [at for _, at in trial.faults[1:]] + [trial.faults_end]
    return [Figure(name, course(acks, at, end), course(events, at, end))
            for (name, at), end in zip(trial.faults, ends)]


# ---- as a table ------------------------------------------------------------------

def seconds(value):
    return "-" if value is None else f"{value:.1f} s" if value >= 1 \
        else f"{value * 1000:.0f} ms"


def normal(value):
    """Known by the second."""
    return "not within the trial" if value is None else "at once" \
        if value == 0 else f"{value:.0f} s"


def row(f):
    return (f.fault, seconds(f.sends.usual), seconds(f.sends.first),
            normal(f.sends.normal), seconds(f.sends.slowest),
            seconds(f.events.first), normal(f.events.normal),
            seconds(f.events.slowest), str(f.sends.count))


def line(cells):
    return "| " + " | ".join(cells) + " |"


def write(figures):
    """To build/ha/results.md, in which other trials' figures stay. Returns them
    as text."""
    lines = {f.fault: line(row(f)) for f in figures}
    path = OUT / "results.md"
    OUT.mkdir(parents=True, exist_ok=True)
    before = path.read_text(encoding="utf-8").splitlines()[2:] \
        if path.exists() else []
    kept = {text.split(" | ")[0].removeprefix("| "): text for text in before}
    path.write_text("\n".join(
        [line(HEAD), line(["---"] * len(HEAD)), *{**kept, **lines}.values()])
        + "\n", encoding="utf-8")
    return "\n".join(lines.values())
