#!/usr/bin/env python3
"""The standard set of load tests, on an installation of its own.

    tests/bench/run.py [--only NAME,...] [--seconds S] [--build DIR] [--list]

Builds the release programs, starts PostgreSQL (fsync on), Redis and one of each
process by deploy/local.sh with --bench under build/bench-run, measures what the
machine can do at most with the bare steps (parley-ceiling), runs the cases of
standard/cases.py with parley-load on the same cores, and writes under
build/bench: results.json (everything), results.md (tables), and plots (SVG).
docs/benchmarks.md tells how to read them. Timings fail nothing: the status is
non-zero only when a case could not be measured.

SPDX-License-Identifier: MIT
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time

from standard import ceilings, installation, plots, table, work
from standard.cases import CASES, NAMED, CaseFailed
from standard.figures import at, shown, shown_target
from standard.installation import ROOT, Installation

OUT = ROOT / "build" / "bench"


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", help="names of cases, comma-separated")
    parser.add_argument("--seconds", type=float, default=6,
                        help="how long each case is measured (6)")
    parser.add_argument("--build", default="build/release", metavar="DIR",
                        help="a build directory (build/release)")
    parser.add_argument("--ceilings", type=float, metavar="S",
                        help="how long each bare step is measured (2; with "
                        "--only 1; 0: not at all)")
    parser.add_argument("--work", action="store_true", default=None,
                        help="also count system calls and allocations (with "
                        "--only they are not, unless asked for)")
    parser.add_argument("--out", default=str(OUT), metavar="DIR",
                        help="where the results go (build/bench)")
    parser.add_argument("--list", action="store_true",
                        help="print the names of the cases and end")
    given = parser.parse_args()
    given.names = given.only.split(",") if given.only else \
        [c.name for c in CASES if c.standard]
    unknown = [n for n in given.names if n not in NAMED]
    if unknown:
        parser.error(f"no case {', '.join(unknown)}: see --list")
    if given.ceilings is None:
        given.ceilings = 1 if given.only else 2
    if given.work is None:
        given.work = not given.only
    return given


def machine():
    processor = next((line.partition(":")[2].strip() for line in
                      open("/proc/cpuinfo") if line.startswith("model name")),
                     platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return (f"{os.cpu_count()} cores ({processor}), "
            f"{memory / 2 ** 30:.0f} GiB, Linux {platform.release()}")


def revision():
    done = subprocess.run(["git", "describe", "--always", "--dirty"],
                          cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL)
    return done.stdout.strip() or "unknown"


def run_case(bench, case, results):
    print(f"== {case.name}: {case.meaning}", file=sys.stderr)
    entry = results["cases"][case.name] = {
        "name": case.name, "meaning": case.meaning, "one": case.one}
    began = time.monotonic()
    try:
        entry["result"] = case.run(bench)
        if "failed" in entry["result"]:
            raise CaseFailed(f"its load tool ended with "
                             f"{entry['result']['failed']}")
    except CaseFailed as failure:
        entry["failed"] = str(failure)
        print(f"  failed: {failure}", file=sys.stderr)
        return
    entry["took_s"] = time.monotonic() - began
    entry["per"] = at(entry["result"], case.message)
    entry["figures"] = [f.measured(entry["result"], results)
                        for f in case.figures]
    print(f"  measured in {entry['took_s']:.1f} s", file=sys.stderr)
    for f in entry["figures"]:
        met = {None: "", True: ", met", False: ", NOT MET"}[f["met"]]
        share = "" if f["share"] is None else \
            f", {100 * f['share']:.0f} % of {f['ceiling']}"
        target = shown_target(f["target"], f["unit"])
        print(f"  {f['label']}: {shown(f['value'], f['unit'])}"
              f"{' (target: ' + target + met + ')' if target else ''}{share}",
              file=sys.stderr)


def measure(given):
    bench = Installation(given.build, given.seconds)
    results = {"machine": machine(), "revision": revision(),
               "when": time.strftime("%Y-%m-%d"), "ceilings": {}, "cases": {},
               "notes": []}
    try:
        bench.up()
        if given.ceilings > 0:
            results["ceilings"] = ceilings.measure(bench, given.ceilings)
        for name in given.names:
            run_case(bench, NAMED[name], results)
        if given.work:
            results["work"] = work.count(bench, results["notes"])
    finally:
        bench.down()
    return results


def main():
    given = arguments()
    if given.list:
        for case in CASES:
            print(f"{case.name:19} {case.meaning}"
                  f"{'' if case.standard else ' (not in the standard set)'}")
        return 0
    out = ROOT / given.out
    out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    installation.build(given.build)
    results = measure(given)
    results["took_s"] = time.monotonic() - began
    (out / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (out / "results.md").write_text(table.table(results))
    made = plots.draw(results, out)
    print(table.table(results))
    print(f"{results['took_s']:.0f} s; {out}: results.json, results.md, "
          f"{', '.join(made) or 'no plots (gnuplot is not installed)'}")
    failed = [n for n, c in results["cases"].items() if "failed" in c]
    return f"failed: {', '.join(failed)}" if failed else 0


if __name__ == "__main__":
    sys.exit(main())
