"""gdb over a process or a core, with the helpers of deploy/gdb.

SPDX-License-Identifier: MIT
"""

import asyncio
import subprocess
import tempfile
from pathlib import Path

from . import hygiene
from .process import clean_environment
from .stack import ROOT

HELPERS = ROOT / "deploy" / "gdb" / "parley.py"
SECONDS = 60
# Complaints of the helpers and of gdb about them.
BROKEN = ("Traceback", "Python Exception", "Error while executing Python",
          "no member named", "unreadable")


class Output:
    """What gdb printed, by command."""

    def __init__(self, text, commands):
        self.text = text
        self.parts = {}
        for number, command in enumerate(commands):
            at = text.find(f"<<{number}>>\n")
            assert at >= 0, f"gdb did not come to \"{command}\":\n{text}"
            end = text.find(f"<<{number + 1}>>\n")
            self.parts[command] = text[at:end if end >= 0 else None].split(
                "\n", 1)[1]

    def __getitem__(self, command):
        return self.parts[command]

    def rows(self, command):
        """The lines of a table, cell by cell."""
        return [[cell for cell in line.split("  ") if cell.strip()]
                for line in self.parts[command].splitlines()[1:]]

    def number(self, command, row):
        """The second cell of the row that begins so."""
        found = [line for line in self.parts[command].splitlines()
                 if line.startswith(row + "  ")]
        assert len(found) == 1, self.parts[command]
        return int(found[0][len(row):].split()[0])


def marked(commands):
    for number, command in enumerate(commands):
        yield f"echo <<{number}>>\\n"
        yield command
    yield f"echo <<{len(commands)}>>\\n"


def arguments(target, commands):
    words = ["gdb", "-nx", "-q", "-batch", "-ex", "set pagination off",
             "-ex", f"source {HELPERS}", *target]
    for command in commands:
        words += ["-ex", command]
    return words


def check(text, secret=True):
    """Nothing broke, and nothing was shown that is not to be shown."""
    for words in BROKEN:
        assert words not in text, text
    if secret:
        with tempfile.NamedTemporaryFile("w", suffix=".log") as log:
            log.write(text)
            log.flush()
            faults = hygiene.faults_in(Path(log.name))
        assert not faults, faults


def look(target, *commands, secret=True):
    """Runs the commands on `target`: ["-p", pid], [program], [program, core]."""
    done = subprocess.run(
        arguments([str(word) for word in target], list(marked(commands))),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, timeout=SECONDS, check=False,
        env=clean_environment())
    check(done.stdout, secret)
    return Output(done.stdout, commands)


def look_at(process, *commands, **more):
    return look(["-p", process.pid], *commands, **more)


class Breakpoint:
    """A process that runs on until it comes to a place; then the commands."""

    def __init__(self, process, place, *commands):
        self.commands = commands
        self.child = subprocess.Popen(
            arguments(["-p", str(process.pid)],
                      [f"tbreak {place}", "echo <<armed>>\\n", "continue",
                       *marked(commands)]),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, env=clean_environment())
        self.before = ""
        while "<<armed>>" not in self.before:
            line = self.child.stdout.readline()
            assert line, self.before
            self.before += line

    async def output(self):
        """Waits until it got there and gdb has let it go on."""
        try:
            rest, _ = await asyncio.to_thread(self.child.communicate,
                                              timeout=SECONDS)
        except subprocess.TimeoutExpired:
            self.child.terminate()
            rest = self.child.communicate()[0] + "\n(gdb was ended)"
        text = self.before + rest
        check(text)
        return Output(text, self.commands)
