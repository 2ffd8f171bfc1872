"""The chaos run by hand, from tests/:

    PARLEY_BUILD=build/dev /usr/bin/python3 -m chaos --minutes 30 --seed 7

Prints the summary and writes it with the history to build/chaos/. The exit status
is 0 when no rule was broken, 1 when one was, 2 when the run itself failed.

SPDX-License-Identifier: MIT
"""

import argparse
import faulthandler
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.stack import World  # noqa: E402

from chaos import report, run  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(
        prog="python3 -m chaos", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=None,
                        help="default: the time")
    parser.add_argument("--people", type=int, default=60)
    parser.add_argument("--gateways", type=int, default=3)
    parser.add_argument("--lanes", type=int, default=2,
                        help="faults at a time")
    parser.add_argument("--rate", type=float, default=0.4,
                        help="actions a second of each device")
    parser.add_argument("--short", action="store_true",
                        help="each kind of fault once, with short pauses, as "
                        "in the default tests")
    parser.add_argument("--calm", action="store_true",
                        help="no faults at all")
    return parser.parse_args()


def one_run(options):
    """(world, faults); prints and writes what came of it."""
    start = time.monotonic()
    tests = World()
    world, faults = None, []
    try:
        world, faults = run.run(tests, options)
    finally:
        # A run that found something keeps its logs.
        tests.faulty = tests.faulty or bool(faults) or world is None
        tests.close()
    summary = report.summarize(world, faults, time.monotonic() - start)
    text = report.write(world, faults, summary)
    if text:
        print(text)
    # As it may be put into docs/reliability.md.
    print(f"```\n{report.text_of(summary)}\n```", flush=True)
    return world, faults


def main():
    args = arguments()
    options = run.Options(
        seed=args.seed if args.seed is not None else int(time.time()),
        seconds=args.minutes * 60, people=args.people,
        gateways=args.gateways, lanes=args.lanes, short=args.short,
        rate=args.rate, blows=not args.calm)
    # Whatever hangs, the run ends, and with it, by the kernel, what it started.
    faulthandler.dump_traceback_later(options.limit() + 600, exit=True)
    try:
        _, faults = one_run(options)
    except Exception:
        traceback.print_exc()
        return 2
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
