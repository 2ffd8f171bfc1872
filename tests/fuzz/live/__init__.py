"""A stateful fuzzer for running gateways: many connections do mostly valid things
in any order, each spoilt at one layer or another, while a well-behaved pair of
clients beside them must notice nothing.

    cd tests && /usr/bin/python3 -m fuzz.live --seconds 60 --seed 7

SPDX-License-Identifier: MIT
"""
