"""High availability, tried: several hosts, each a network namespace of this
machine, joined by a bridge; stores that are failed over while people write; the
checker of the chaos runs at the end. docs/high-availability.md tells more.

    hosts.py         hosts, and the wire between them, which can be cut
    database.py      PostgreSQL: a primary, a synchronous standby, a failover
    cache.py         Redis: a master, replicas, Sentinels
    installation.py  all of it with gateways, chatds and presenceds
    trial.py         people write, a script of faults goes on, the checker judges
    figures.py       the pauses, measured from what people saw

SPDX-License-Identifier: MIT
"""
