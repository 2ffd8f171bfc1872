"""The summary of a run: figures, and a verdict, as text to be pasted into
docs/reliability.md and as JSON.

SPDX-License-Identifier: MIT
"""

import json
import textwrap
from collections import Counter

from support.stack import ROOT

from . import checker
from .history import (Attempt, Blow, Ended, Opened, Refused, Seen, Told, Token,
                      Upload)

OUT = ROOT / "build" / "chaos"
SHOWN = 20
WIDTH = 100


def quantile(values, part):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * part))] \
        if values else 0.0


def answer_times(history):
    """Of each message: from its first attempt to its acknowledgement."""
    first, times = {}, []
    for r in history.records:
        if isinstance(r, Attempt):
            first.setdefault(r.front, r.at)
        elif isinstance(r, Seen) and r.how == "answer" and r.front in first:
            times.append(r.at - first[r.front])
            first[r.front] = float("inf")   # repeated after the answer
    return [t for t in times if t >= 0]


def longest_silence(history):
    """Between two acknowledgements, over all people."""
    acks = [r.at for r in history.records
            if isinstance(r, Seen) and r.how == "answer"]
    return max((b - a for a, b in zip(acks, acks[1:])), default=0.0)


def away_times(history):
    """From the end of a session to the next of the same device."""
    ended, device, times = {}, {}, []
    for r in history.records:
        if isinstance(r, Opened):
            if r.device in ended:
                times.append(r.at - ended.pop(r.device))
            device[r.session] = r.device
        elif isinstance(r, Ended) and r.session in device:
            ended[device[r.session]] = r.at
    return times


def summarize(world, faults, seconds):
    history, options = world.history, world.options
    seen = Counter(r.how for r in history.all(Seen))
    fronts = {r.front for r in history.all(Attempt)}
    acked = {r.front for r in history.all(Seen) if r.how == "answer"}
    answers, away = answer_times(history), away_times(history)
    uploads = Counter((u.full, u.status) for u in history.all(Upload))
    codes = Counter(str(e.code) for e in history.all(Ended))
    return {
        "seed": options.seed,
        "minutes": round(options.seconds / 60, 2),
        "seconds_in_all": round(seconds, 1),
        "people": options.people,
        "devices": len(world.devices()),
        "gateways": options.gateways,
        "chatds": len(world.stack.chatds),
        "presenceds": len(world.stack.presenceds),
        "chats": len(world.database.chats) if world.database else 0,
        "messages": len(fronts),
        "attempts": len(history.all(Attempt)),
        "acknowledged": len(acked),
        "refused": len(history.all(Refused)),
        "answered_unavailable": world.late_answers,
        "stored": len(world.database.rows) if world.database else 0,
        "live_deliveries": seen["live"],
        "of_these_catch_up": sum(1 for r in history.all(Seen)
                                 if r.how == "live" and r.late),
        "fetched": seen["page"] + seen["info"],
        "receipts": sum(len(t.ids) for t in history.all(Told)),
        "sessions": len([o for o in history.all(Opened)
                         if o.device != "final"]),
        "closes": dict(sorted(codes.items())),
        "logouts": sum(t.what == "ended" for t in history.all(Token)),
        "uploads": {f"{status}{' (disk full)' if full else ''}": n
                    for (full, status), n in sorted(uploads.items(),
                                                    key=str)},
        "blows": dict(sorted(world.nemesis.counts.items())),
        "skipped": world.nemesis.skipped,
        "answer_seconds": {
            "median": round(quantile(answers, 0.5), 4),
            "99 %": round(quantile(answers, 0.99), 3),
            "longest": round(max(answers, default=0), 2)},
        "longest_silence_seconds": round(longest_silence(history), 2),
        "away_seconds": {
            "median": round(quantile(away, 0.5), 2),
            "99 %": round(quantile(away, 0.99), 2)},
        "longest_blow_seconds": round(max(
            (b.at - b.began for b in history.all(Blow)), default=0), 2),
        "rules": len(checker.RULES),
        "faults": len(faults),
    }


def text_of(s):
    blows = "; ".join(f"{name} {count}" for name, count in s["blows"].items())
    lines = [
        f"seed {s['seed']}, {s['minutes']:g} minutes of faults, "
        f"{s['people']} people with {s['devices']} devices, "
        f"{s['gateways']} gateways, {s['chatds']} chatds, "
        f"{s['presenceds']} presenceds, {s['chats']} chats",
        f"messages: {s['messages']} in {s['attempts']} attempts, "
        f"{s['acknowledged']} acknowledged, {s['refused']} refused, "
        f"{s['answered_unavailable']} times unavailable; {s['stored']} stored",
        f"deliveries: {s['live_deliveries']} live "
        f"({s['of_these_catch_up']} of them catch_up), {s['fetched']} fetched; "
        f"{s['receipts']} receipts",
        f"sessions: {s['sessions']}, ended by "
        + ", ".join(f"{c} ({n})" for c, n in s["closes"].items())
        + f"; {s['logouts']} logouts",
        "uploads: " + (", ".join(f"{k}: {n}"
                                 for k, n in s["uploads"].items()) or "none"),
        f"faults made: {sum(s['blows'].values())}: {blows or 'none'}",
        f"pauses: an answer took {s['answer_seconds']['median'] * 1000:.0f} ms "
        f"(median), {s['answer_seconds']['99 %']:.2f} s (99 %), "
        f"{s['answer_seconds']['longest']:.1f} s (longest); nobody was "
        f"answered for {s['longest_silence_seconds']:.1f} s at most; a device "
        f"was away for {s['away_seconds']['median']:.2f} s (median), "
        f"{s['away_seconds']['99 %']:.1f} s (99 %)",
    ]
    lines += [f"skipped: {k}: {v}" for k, v in s["skipped"].items()]
    lines.append(f"verdict: {s['rules']} rules, "
                 + ("no fault" if not s["faults"]
                    else f"{s['faults']} FAULTS"))
    return "\n".join(textwrap.fill(line, WIDTH, subsequent_indent="    ")
                     for line in lines)


def faults_text(world, faults):
    """Some of each rule, explained."""
    shown = Counter()
    lines = []
    for fault in faults:
        shown[fault.rule] += 1
        if shown[fault.rule] <= 3 and sum(
                min(n, 3) for n in shown.values()) <= SHOWN:
            lines.append(checker.explain(world.history, world.database, fault)
                         if world.database else
                         f"{fault.rule}: {fault.text}")
    lines += [f"{rule}: {count} in all" for rule, count in shown.items()
              if count > 3]
    return "\n".join(lines)


def write(world, faults, summary):
    """Summary, history and faults to build/chaos/; returns the faults as text,
    with where to find the rest."""
    OUT.mkdir(parents=True, exist_ok=True)
    base = OUT / f"seed-{summary['seed']}"
    base.with_suffix(".json").write_text(json.dumps(summary, indent=1) + "\n")
    world.history.write(base.with_suffix(".history"))
    base.with_suffix(".faults").unlink(missing_ok=True)
    if not faults:
        return ""
    text = faults_text(world, faults)
    base.with_suffix(".faults").write_text(text + "\n")
    return (f"{text}\nlogs: {world.stack.directory}; "
            f"history: {base}.history")
