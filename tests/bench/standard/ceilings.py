"""The bare steps: what this machine does at most, measured in the same run.

SPDX-License-Identifier: MIT
"""

import subprocess

import alone

# name: (what it is, parley-ceiling's arguments after the kind and seconds)
CEILINGS = {
    "send": ("frames of 500 bytes sent to each of 500 TCP connections in turn, "
             "at most 4 of them unread", "send", ("500", "500", "4")),
    "send-piled": ("the same, unread as many as fit: they pile up and are read "
                   "many at a time", "send", ("500", "500", "0")),
    "insert": ("message rows inserted durably, 64 to a commit, 4 links",
               "insert", ()),
    "commit": ("message rows inserted durably, one after another",
               "insert", ("1", "1")),
    "nng": ("requests of 300 bytes, 16 to an NNG message, echoed over ipc",
            "nng", ()),
    "redis": ("PUBLISH of 500 bytes, 64 to a pipeline, one subscriber",
              "redis", ()),
    "lws": ("requests echoed by bare libwebsockets on one core, the client "
            "on the other", "lws", ()),
}


def measure(bench, seconds):
    """{name: how many a second}; "alone_ms" is what a message by itself takes
    at least: a commit."""
    found = {}
    for name, (_, kind, more) in CEILINGS.items():
        if kind == "lws":
            found[name] = alone.Alone(bench).echo(seconds)
            continue
        done = subprocess.run(
            [bench.tool("parley-ceiling"), kind, str(seconds), *more],
            env=bench.environment(), check=True, stdout=subprocess.PIPE,
            text=True)
        found[name] = float(done.stdout.split()[0])
    found["alone_ms"] = 1000 / found["commit"]
    return found
