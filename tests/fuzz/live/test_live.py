"""A short run of the live fuzzer, always the same steps. PARLEY_FUZZ_SECONDS and
PARLEY_FUZZ_SEED make it longer, and another.

SPDX-License-Identifier: MIT
"""

import os

from fuzz.live.run import LAYOUT, fuzz

SECONDS = float(os.environ.get("PARLEY_FUZZ_SECONDS", "30"))
SEED = int(os.environ.get("PARLEY_FUZZ_SEED", "6455"))


async def test_strangers_harm_nobody(new_stack):
    await fuzz(new_stack(**LAYOUT), SECONDS, SEED)
