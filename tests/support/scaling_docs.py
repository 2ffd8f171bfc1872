"""The tables of docs/scaling.md, worked out from the figures in its first two.

    cd tests && /usr/bin/python3 -m support.scaling_docs

writes them anew after one of those figures was changed; a test holds the page
against this arithmetic.

SPDX-License-Identifier: MIT
"""

import re
from math import ceil

from .stack import ROOT

PATH = ROOT / "docs" / "scaling.md"
SIZES = (10**4, 10**5, 10**6, 10**7, 10**8)
NAMES = ("10 thousand", "100 thousand", "1 million", "10 million",
         "100 million")
PARTS = ("gateway", "chatd", "presenced", "PostgreSQL", "Redis")
DAY = 86400
# What a process is filled to at the peak: half of its core.
FULL = 0.5
SPARE = 1


def habits(text):
    """{name: number} of the table of assumptions."""
    rows = re.findall(r"^\| `(\w+)` \| ([\d.,]+) \|", text, re.M)
    return {name: float(value.replace(",", "")) for name, value in rows}


def costs(text):
    """{what: {part: microseconds}} of the table of costs."""
    rows = re.findall(r"^\| \*(\w+)\* \|[^|]*\|" + 5 * r" *([\d.]*) *\|",
                      text, re.M)
    return {name: dict(zip(PARTS, (float(v or 0) for v in values)))
            for name, *values in rows}


def load(users, h):
    """What happens in a second of the peak."""
    def per_second(a_day):
        return users * a_day * h["peak"] / DAY
    sends = per_second(h["sends"])
    changes = per_second(2 * h["sessions"])
    return {
        "connected": users * h["online"],
        "message": sends,
        "member": sends * (h["members"] - 2),
        "delivery": sends * ((h["members"] - 1) * h["there"] - 1),
        "request": per_second(h["requests"]),
        "session": per_second(h["sessions"]),
        "change": changes,
        "watcher": changes * h["watchers"],
        "published": sends * h["members"] + changes * h["watchers"],
        "delivered": sends * (h["members"] - 1) * h["there"],
    }


def cores(users, h, c):
    rates = load(users, h)
    return {part: sum(max(rates[what], 0) * cost[part]
                      for what, cost in c.items()) / 1e6 for part in PARTS}


def needed(used):
    """Processes of one thread that carry so many cores, and one to lose."""
    return max(2, ceil(used / FULL) + SPARE)


def shown(x):
    if x >= 100:
        return f"{round(x, 1 - len(str(int(x))) + 1):,.0f}"
    return f"{x:.2g}" if x < 10 else f"{x:.0f}"


def table(first, rows):
    """Markdown: a line for each row, a column for each size."""
    lines = [f"| {first} | " + " | ".join(NAMES) + " |",
             "|---" + "|---:" * len(NAMES) + "|"]
    lines += [f"| {name} | " + " | ".join(cells) + " |"
              for name, cells in rows]
    return "\n".join(lines)


def table_load(h, _):
    rates = [load(n, h) for n in SIZES]
    return table("at the peak, a second", [
        ("connected (not a second)", [shown(r["connected"]) for r in rates]),
        ("messages sent", [shown(r["message"]) for r in rates]),
        ("requests beside them", [shown(r["request"]) for r in rates]),
        ("sessions that begin", [shown(r["session"]) for r in rates]),
        ("events published: of messages",
         [shown(r["published"] - r["watcher"]) for r in rates]),
        ("events published: who came and went",
         [shown(r["watcher"]) for r in rates]),
        ("messages delivered live", [shown(r["delivered"]) for r in rates])])


def table_cores(h, c):
    used = [cores(n, h, c) for n in SIZES]
    return table("cores at the peak", [
        (part, [shown(u[part]) for u in used]) for part in PARTS])


def table_bytes(h, _):
    a_day = [n * h["sends"] for n in SIZES]
    sends = [load(n, h)["message"] for n in SIZES]
    out = [load(n, h) for n in SIZES]
    return table("bytes", [
        ("rows of messages and their indexes, TB a year",
         [shown(d * h["stored"] * 365 / 1e12) for d in a_day]),
        ("WAL at the peak, at worst, MB/s",
         [shown(s * h["wal"] / 1e6) for s in sends]),
        ("frames to clients at the peak, MB/s",
         [shown(((r["delivered"] + r["message"]) * h["frame"] +
                 (r["session"] + r["request"]) * h["answer"]) / 1e6)
          for r in out]),
        ("files, TB a year",
         [shown(n * h["files"] * h["file"] * 365 / 1e12) for n in SIZES]),
        ("files up and down at the peak, MB/s",
         [shown(n * h["files"] * h["file"] * (1 + h["fetched"]) *
                h["peak"] / DAY / 1e6) for n in SIZES])])


def table_processes(h, c):
    used = [cores(n, h, c) for n in SIZES]
    gateways = [max(needed(u["gateway"]),
                    ceil(n * h["online"] / h["held"]) + SPARE)
                for n, u in zip(SIZES, used)]
    chatds = [needed(u["chatd"]) for u in used]
    return table("processes", [
        ("gateways", [f"{g:,}" for g in gateways]),
        ("chatds", [f"{n:,}" for n in chatds]),
        ("presenceds", [f"{needed(u['presenced']):,}" for u in used]),
        ("links between gateways and chatds",
         [f"{g * n:,}" for g, n in zip(gateways, chatds)]),
        ("messages a second and link at the peak",
         [shown(load(n, h)["message"] / (g * d))
          for n, g, d in zip(SIZES, gateways, chatds)]),
        ("PostgreSQL: cores, half used",
         [f"{max(2, ceil(u['PostgreSQL'] / FULL)):,}" for u in used]),
        ("Redis: threads, half used",
         [f"{ceil(u['Redis'] / FULL):,}" for u in used])])


def table_storms(h, c):
    held = [n * h["online"] for n in SIZES]
    return table("core seconds", [
        ("everybody connects anew, PostgreSQL",
         [shown(x * c["session"]["PostgreSQL"] / 1e6) for x in held]),
        ("everybody catches up, PostgreSQL",
         [shown(x * c["request"]["PostgreSQL"] / 1e6) for x in held]),
        ("everybody catches up, chatds",
         [shown(x * c["request"]["chatd"] / 1e6) for x in held])])


MADE = {"load": table_load, "cores": table_cores, "bytes": table_bytes,
        "processes": table_processes, "storms": table_storms}


def render(text):
    """The page with its tables worked out."""
    h, c = habits(text), costs(text)
    for name, make in MADE.items():
        begin, end = f"<!-- worked out: {name} -->\n", "<!-- end -->"
        assert text.count(begin) == 1, f"{PATH}: no {begin}"
        head, _, rest = text.partition(begin)
        text = f"{head}{begin}{make(h, c)}\n{end}{rest.partition(end)[2]}"
    return text


if __name__ == "__main__":
    PATH.write_text(render(PATH.read_text(encoding="utf-8")),
                    encoding="utf-8")
