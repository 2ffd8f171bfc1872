"""Parley under faults, checked in the manner of Jepsen: see docs/reliability.md.

    history.py   what clients did and saw, one record each
    people.py    the clients, and what they do all day
    plan.py      which fault when, from a seed
    nemesis.py   makes the faults, and heals them
    oracle.py    what the database itself says
    checker.py   the rules that a history has to obey
    run.py       one run of all this; report.py its summary
    __main__.py  the command line

SPDX-License-Identifier: MIT
"""
