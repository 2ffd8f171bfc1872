"""Which fault when: made from a seed alone, so that a run can be had again.

A plan has lanes that go on side by side; the blows of a lane come one after
another. Every kind comes once before any comes again.

SPDX-License-Identifier: MIT
"""

import random
from typing import NamedTuple

PROCESSES = ("gateway", "chatd", "presenced", "redis", "postgres")
LINKS = ("gateway-chatd", "chatd-redis", "gateway-redis", "chatd-postgres",
         "gateway-presenced")
# Also there, though not each has a blow of its own kind.
MORE_LINKS = ("presenced-redis", "presenced-chatd", "chatd-presenced")

KINDS = tuple(
    [(kind, part) for kind in ("kill", "pause", "restart", "clock")
     for part in PROCESSES]
    + [("immediate", "postgres"), ("flushall", "redis"), ("disk", "media"),
       ("slow", "clients"), ("cut", "clients")]
    + [(kind, link) for kind in ("cut", "hold") for link in LINKS]
    + [("delay", "any"), ("cut", "any"), ("hold", "any")])


class Step(NamedTuple):
    kind: str
    part: str
    number: int             # which of several, by remainder
    pause: float            # before it
    seconds: float          # how long it lasts
    amount: float           # of what the kind has an amount of, 0 to 1


class Plan:
    def __init__(self, seed, seconds, lanes, short):
        self.seed = seed
        self.lanes = [[] for _ in range(lanes)]
        rng = random.Random(f"{seed}/plan")
        # Pauses and lengths, as (least, most).
        pause, length = ((0.1, 0.6), (0.3, 1.5)) if short \
            else ((0.3, 5.0), (0.5, 6.0))
        ends = [0.0] * lanes
        while min(ends) < seconds and not (short and self.lanes[0]):
            deck = list(KINDS)
            rng.shuffle(deck)
            for kind, part in deck:
                lane = ends.index(min(ends))
                long_one = not short and rng.random() < 0.08
                step = Step(kind, part, rng.randrange(60),
                            round(rng.uniform(*pause), 2),
                            round(rng.uniform(7, 12) if long_one
                                  else rng.uniform(*length), 2),
                            round(rng.random(), 3))
                ends[lane] += step.pause + step.seconds + 0.5
                self.lanes[lane].append(step)

    def kinds(self):
        return {(s.kind, s.part) for lane in self.lanes for s in lane}
