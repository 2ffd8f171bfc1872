#!/usr/bin/env python3
"""The standard set of load tests, on an installation of its own.

    tests/bench/run.py [--only NAME,...] [--seconds S] [--list]

Builds the release programs, starts PostgreSQL (fsync on), Redis and one of each
process by deploy/local.sh with --bench under build/bench-run, measures what the
machine can do at most with the bare steps (parley-ceiling), runs the cases below
with parley-load on the same cores, and writes build/bench/results.json and
build/bench/results.md. Each figure is also given as a share of its ceiling,
which was measured in the same run. docs/benchmarks.md tells how to read it.

SPDX-License-Identifier: MIT
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

import alone

ROOT = Path(__file__).resolve().parents[2]
RUN_DIR = "build/bench-run"
OUT = ROOT / "build" / "bench"
PORT, ADMIN = 18080, 19100
PROCESSES = ("gateway-1", "chatd-1", "presenced-1", "postgres", "redis")

# name: (what is measured, parley-load's arguments, the figure, its ceiling)
CASES = {
    "private-100": (
        "private messages, 100 connections",
        ["private", "--connections", "100", "--window", "8"],
        "acked_per_s", "insert"),
    "private-1000": (
        "private messages, 1,000 connections",
        ["private", "--connections", "1000", "--window", "1"],
        "acked_per_s", "insert"),
    "private-alone": (
        "one message at a time, send to delivery",
        ["private", "--connections", "2", "--rate", "200"],
        "latency_us.delivery.p50", None),
    "private-5000": (
        "open loop, 5,000 messages a second",
        ["private", "--connections", "500", "--rate", "5000"],
        "latency_us.delivery.p99", None),
    "group-500": (
        "a group of 500, deliveries",
        ["group", "--group", "500", "--senders", "4"],
        "delivered_per_s", "send"),
    "group-500-paced": (
        "a group of 500, 50 messages a second, send to last delivery",
        ["group", "--group", "500", "--rate", "50"],
        "latency_us.last_delivery.p50", None),
    "connect": (
        "connect to user_info, 20 chats each",
        ["connect", "--connections", "2000", "--chats", "20", "--window",
         "32"],
        "opened_per_s", None),
    "storm": (
        "5,000 clients cut at once, until all are back",
        ["storm", "--connections", "5000", "--chats", "20", "--sources", "8",
         "--seconds", "60"],
        "latency_us.opening.max", None),
    "open-chat": (
        "open_chat, one at a time",
        ["request", "--request", "open_chat", "--connections", "2",
         "--history", "200"],
        "latency_us.ack.p50", None),
    "idle": (
        "10,000 idle connections",
        ["idle", "--connections", "10000", "--sources", "8"],
        "idle_cores", None),
    "gateway-alone": (
        "one gateway alone, requests",
        ["request", "--request", "open_chat", "--connections", "1000",
         "--window", "4"],
        "acked_per_s", "lws"),
    "gateway-alone-send": (
        "one gateway alone, messages",
        ["private", "--connections", "1000", "--window", "4"],
        "acked_per_s", "lws"),
    "chatd-alone": (
        "one chatd alone, messages, 1,000 in flight",
        ["--request", "send_message", "--connections", "1000"],
        "acked_per_s", "insert"),
    "presenced-alone": (
        "one presenced alone, sessions that come or go",
        ["--connections", "8000", "--window", "8", "--batch", "500"],
        "acked_per_s", None),
}

# Cases that are not run_case(): how one process alone is loaded.
ALONE = {
    "gateway-alone": alone.Alone.gateway,
    "gateway-alone-send": alone.Alone.gateway,
    "chatd-alone": alone.Alone.chatd,
    "presenced-alone": alone.Alone.presenced,
}


def environment():
    return dict(os.environ, PARLEY_RUN_DIR=RUN_DIR, PARLEY_PORT=str(PORT),
                PARLEY_ADMIN_PORT=str(ADMIN),
                PARLEY_BUILD_DIR="build/release",
                PARLEY_CONNECTIONS_MAX="100000")


def local(*words):
    done = subprocess.run([ROOT / "deploy" / "local.sh", *words], cwd=ROOT,
                          env=environment(), text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        sys.exit(f"local.sh {' '.join(words)} failed:\n{done.stdout}")


def build():
    for words in (["cmake", "--preset", "release", "-DPARLEY_TESTS=ON"],
                  ["cmake", "--build", "build/release", "--target", "gateway",
                   "chatd", "presenced", "bench"]):
        done = subprocess.run(words, cwd=ROOT, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            sys.exit(done.stdout[-3000:])


def tool(name):
    return ROOT / "build" / "release" / "tests" / "bench" / name


def conninfo():
    secrets = dict(line.split("=", 1) for line in
                   (ROOT / RUN_DIR / "secrets").read_text().split())
    host, port = ROOT / RUN_DIR / "postgres", 5432
    given = ROOT / RUN_DIR / "postgres.port"
    if given.exists():
        host, port = "127.0.0.1", given.read_text().strip()
    return (f"host='{host}' port={port} dbname=parley user=parley_owner "
            f"password={secrets['PG_OWNER']}")


def ceilings(seconds):
    found = {}
    for kind in ("send", "nng", "insert", "redis"):
        env = dict(os.environ, BENCH_DATABASE=conninfo(),
                   BENCH_REDIS=str(ROOT / RUN_DIR / "redis" / "redis.sock"))
        found[kind] = float(subprocess.run(
            [tool("parley-ceiling"), kind, str(seconds)], env=env, check=True,
            stdout=subprocess.PIPE, text=True).stdout)
    found["lws"] = alone.Alone(sys.modules[__name__]).echo(seconds)
    return found


def run_alone(name, seconds):
    result = ALONE[name](alone.Alone(sys.modules[__name__]), CASES[name][1],
                         seconds)
    result["idle_cores"] = sum(p["cores"] for p in
                               result.get("processes", {}).values())
    return result


def run_case(arguments, seconds):
    watched = []
    for name in PROCESSES:
        pid = (ROOT / RUN_DIR / f"{name}.pid").read_text().split()[0]
        watched += ["--watch", f"{name}={pid}"]
    if "--seconds" not in arguments:
        arguments = arguments + ["--seconds", str(seconds)]
    # The conninfo holds a password: it goes by the environment.
    done = subprocess.run(
        [tool("parley-load"), *arguments, "--target", f"127.0.0.1:{PORT}",
         *watched], env=dict(os.environ, BENCH_DATABASE=conninfo()),
        stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        return {"failed": done.returncode}
    result = json.loads(done.stdout)
    result["idle_cores"] = sum(p["cores"]
                               for p in result["processes"].values())
    return result


def pick(result, path):
    for key in path.split("."):
        result = result.get(key, {}) if isinstance(result, dict) else {}
    return result if isinstance(result, (int, float)) else None


def show(value, figure):
    if value is None:
        return "failed"
    if figure.startswith("latency_us"):
        return f"{value / 1000:.2f} ms"
    if figure == "idle_cores":
        return f"{value * 100:.1f} % of a core"
    return f"{value:,.0f}/s"


def table(results):
    lines = ["| what | figure | of the bare step | p50 / p99 / max | "
             "CPU: gateway, chatd, presenced, PostgreSQL, Redis |",
             "|---|---|---|---|---|"]
    for name, (meaning, _, figure, ceiling) in CASES.items():
        result = results["cases"].get(name)
        if result is None:
            continue
        value = pick(result, figure)
        share = "" if ceiling is None or value is None else \
            f"{100 * value / results['ceilings'][ceiling]:.0f} % of {ceiling}"
        times = result.get("latency_us", {})
        kind = next((k for k in ("last_delivery", "delivery", "ack",
                                 "opening") if k in times), None)
        spread = "" if kind is None else " / ".join(
            f"{times[kind][k] / 1000:.2f}" for k in ("p50", "p99", "max")) \
            + f" ms ({kind})"
        used = result.get("processes", {})
        cores = ", ".join(f"{used[p]['cores']:.2f}" if p in used else "-"
                          for p in PROCESSES) if used else ""
        lines.append(f"| {meaning} | {show(value, figure)} | {share} | "
                     f"{spread} | {cores} |")
    lines.append("")
    lines.append("Bare steps: " + ", ".join(
        f"{kind} {value:,.0f}/s"
        for kind, value in results["ceilings"].items()))
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default=",".join(CASES),
                        help="names of cases, comma-separated")
    parser.add_argument("--seconds", type=float, default=8,
                        help="length of each case (8)")
    parser.add_argument("--list", action="store_true",
                        help="print the names and end")
    given = parser.parse_args()
    if given.list:
        for name, case in CASES.items():
            print(f"{name:17} {case[0]}")
        return 0
    names = given.only.split(",")
    unknown = [n for n in names if n not in CASES]
    if unknown:
        parser.error(f"no case {', '.join(unknown)}: see --list")
    OUT.mkdir(parents=True, exist_ok=True)
    build()
    results = {"cases": {}}
    try:
        local("up", "--bench", "--fresh", "--detach")
        results["ceilings"] = ceilings(2)
        for name in names:
            print(f"== {name}: {CASES[name][0]}", file=sys.stderr)
            results["cases"][name] = \
                run_alone(name, given.seconds) if name in ALONE else \
                run_case(CASES[name][1], given.seconds)
    finally:
        local("down")
    (OUT / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (OUT / "results.md").write_text(table(results))
    print(table(results))
    failed = [n for n, r in results["cases"].items() if "failed" in r]
    return f"failed: {', '.join(failed)}" if failed else 0


if __name__ == "__main__":
    sys.exit(main())
