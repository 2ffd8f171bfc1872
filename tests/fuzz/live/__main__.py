"""See __init__.py. Exit status 0: nothing was found.

SPDX-License-Identifier: MIT
"""

import argparse
import asyncio
import secrets
import sys

from support.stack import World

from .run import LAYOUT, fuzz


def main():
    parser = argparse.ArgumentParser(prog="fuzz.live")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--steps", type=int, default=None,
                        help="so many steps, whatever time they take")
    options = parser.parse_args()
    seed = secrets.randbelow(10**6) if options.seed is None else options.seed
    world = World()
    faults = []
    try:
        stack = world.new_stack(**LAYOUT)
        try:
            asyncio.run(fuzz(stack, options.seconds, seed, options.steps))
        except Exception as error:
            faults.append(f"{type(error).__name__}: {error}")
            world.faulty = True
        faults += stack.close()
    finally:
        faults += world.close()
    print("\n".join(faults) if faults else "live fuzz: nothing was found")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
