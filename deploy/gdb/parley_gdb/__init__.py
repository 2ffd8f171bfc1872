"""The parts of the gdb helpers.

    reading.py     lists, maps, ids, enums, statics: from memory to Python
    json_c.py      json-c's values, whose layout its package keeps to itself
    lines.py       one line for each structure worth one
    printers.py    pretty-printers: these lines, and what is not to be shown
    process.py     what every process has: daemon, links, calls, metrics
    gateway.py     sessions, users, the gateway's queues
    chatd.py       requests, database units, chatd's queues
    presenced.py   the book as presenced remembers it, its queues
    stacks.py      backtraces without anybody's text
    commands.py    the commands "parley ..." and the functions $uuid() and so on

SPDX-License-Identifier: MIT
"""

from . import commands, printers


def register():
    """Makes all of it known to gdb. A second time replaces the first."""
    printers.register()
    commands.register()
