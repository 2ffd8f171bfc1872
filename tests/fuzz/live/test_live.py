"""A short run of the live fuzzer, always the same steps, by the command of
docs/testing.md. PARLEY_FUZZ_SECONDS and PARLEY_FUZZ_SEED make it longer, and another.

SPDX-License-Identifier: MIT
"""

import os

from support.client import PATIENCE
from support.doc_commands import run_block
from support.stack import BUILD

SECONDS = os.environ.get("PARLEY_FUZZ_SECONDS", "30")
SEED = os.environ.get("PARLEY_FUZZ_SEED", "6455")


def test_strangers_harm_nobody():
    done = run_block(
        "docs/testing.md", "live-fuzzer",
        {"build/asan": BUILD, "--seconds 600": f"--seconds {SECONDS}",
         "--seed 7": f"--seed {SEED}"},
        env={k: v for k, v in os.environ.items()
             if k.startswith("PARLEY_TEST_")},
        seconds=float(SECONDS) + 120 * PATIENCE)
    print(done.stdout)
