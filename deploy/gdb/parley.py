"""Parley's helpers for gdb: printers for its structures, and commands that tell
the state of a gateway, a chatd or a presenced, alive or from a core.

    (gdb) source /usr/share/parley/gdb/parley.py
    (gdb) parley state

They read memory and call nothing in the process. Nothing of what people wrote, no
token and no password is shown, unless "set parley-bodies on" asks for it.
docs/debugging.md tells more.

SPDX-License-Identifier: MIT
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
sys.dont_write_bytecode = True

import parley_gdb  # noqa: E402  pylint: disable=wrong-import-position

parley_gdb.register()
