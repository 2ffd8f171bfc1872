"""Whether a program of ours would start with the variables that a deployment gives it.

SPDX-License-Identifier: MIT
"""

import re
import subprocess

from .process import clean_environment
from .stack import BUILD, program


def milliseconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)?", text).groups()
    return int(number) * {"ms": 1, "s": 1000, "m": 60000, "h": 3600000,
                          None: 1}[unit]


def program_takes(kind, environment, *args):
    """One of ours knows every variable, and would start with them. Returns the
    times that are then in force, in ms."""
    first = [BUILD / "chatd" / kind / kind, "settings"] \
        if kind == "parleyctl" else [program(kind)]

    def run(*more, **variables):
        return subprocess.run(
            [*first, *args, *more], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=30, check=False,
            env=clean_environment(**variables))
    known = {f"PARLEY_{key.upper().replace('-', '_')}" for key in re.findall(
        r"^  --(\S+?)[=\[ ]", run("--help").stdout, re.MULTILINE)}
    assert set(environment) <= known, set(environment) - known
    done = run("--check-config", **environment)
    assert done.returncode == 0, (kind, done.stdout, done.stderr)
    printed = run("--print-config", **environment).stdout
    return {key: milliseconds(value) for key, value in
            re.findall(r"^(drain_\w+) = (\S+)$", printed, re.MULTILINE)}
