"""The short chaos run of the default tests: every kind of fault once, in a little
more than a minute. PARLEY_CHAOS_SEED has another plan and other people.

SPDX-License-Identifier: MIT
"""

import os
import time

from chaos import report, run
from chaos.plan import KINDS

from support.client import PATIENCE


def test_a_short_run_with_every_kind_of_fault_breaks_no_rule(world):
    options = run.Options(seed=int(os.environ.get("PARLEY_CHAOS_SEED", "1")),
                          seconds=50 * PATIENCE)
    start = time.monotonic()
    done, faults = run.run(world, options)
    summary = report.summarize(done, faults, time.monotonic() - start)
    text = report.text_of(summary)
    print(text)
    wrong = report.write(done, faults, summary)
    if faults:
        world.faulty = True     # the logs are kept
        raise AssertionError(f"{wrong}\n{text}")
    made = set(summary["blows"])
    assert made | {f"{kind} {part}" for kind, part in KINDS
                   if kind in summary["skipped"]} == \
        {f"{kind} {part}" for kind, part in KINDS}
    assert summary["acknowledged"] > 100 and summary["live_deliveries"] > 500
