"""The commands "parley ..." and the functions for expressions.

SPDX-License-Identifier: MIT
"""

import gdb

from . import chatd, gateway, presenced, process, reading, stacks

HELP = """State of a process of Parley, alive or from a core.
Each but "session" and "state" takes a word: only lines that hold it are shown,
such as a request id, a user or a state."""


def by_kind(**found):
    """What is to be done for this kind of process."""
    kind = process.kind()
    if kind not in found:
        raise gdb.GdbError(f"this is a {kind}: nothing to show of that")
    return found[kind]


def queues():
    yield from by_kind(gateway=gateway.queues, chatd=chatd.queues,
                       presenced=presenced.queues)()
    yield from process.queues()


def links():
    yield from process.links()
    if process.kind() == "chatd":
        yield from chatd.links()


QUEUES_HEAD = ("QUEUE", "NOW", "BOUND")
LINKS_HEAD = ("LINK", "WHERE", "STATE", "MORE")


def say(lines):
    for line in lines:
        gdb.write(f"{line}\n")


def state(_only):
    """Ready or not, links and queues in one view."""
    say(process.head())
    if process.kind() == "presenced":
        say(presenced.facts())
    gdb.write("\n")
    reading.table(LINKS_HEAD, links())
    gdb.write("\n")
    reading.table(QUEUES_HEAD, queues())


def sessions(only):
    """A gateway's connections."""
    count = reading.table(gateway.SESSIONS_HEAD, gateway.sessions(), only)
    gdb.write(f"{count} sessions\n")


def session(which):
    """One connection in full, by the beginning of its session or user id.
It is $conn afterwards."""
    if not which:
        raise gdb.GdbError("which? the beginning of a session's or user's id")
    conn = gateway.find_conn(which)
    say(gateway.session(conn))
    gdb.set_convenience_variable("conn", conn.address)


def users(only):
    """Whose events a gateway receives; who is online, as presenced remembers."""
    reading.table(("USER", "WHAT", "HOW"), by_kind(
        gateway=gateway.users, presenced=presenced.users)(), only)


def calls(only):
    """Calls to other processes that are not answered yet."""
    reading.table(("TO", "TYPE", "PLACE", "AGE", "LEFT", "REQ", "FOR"),
                  process.calls(), only)


def requests(only):
    """Requests that wait in a chatd, and where."""
    reading.table(chatd.REQUESTS_HEAD, chatd.requests(), only)


def units(only):
    """A chatd's transactions: sent on which link, or waiting."""
    reading.table(chatd.UNITS_HEAD, chatd.units(), only)


def reports(only):
    """Transitions that a presenced has given to a chatd."""
    say(line for line in by_kind(presenced=presenced.reports)()
        if only in line)


def show_links(only):
    """Connections to the other processes, Redis and PostgreSQL."""
    reading.table(LINKS_HEAD, links(), only)


def show_queues(only):
    """Everything that is bounded: how full it is."""
    reading.table(QUEUES_HEAD, queues(), only)


def metrics(only):
    """Counters, gauges and histograms as they stand in memory."""
    reading.table(("METRIC", "VALUE"), process.metrics(), only)


def where(which):
    """Stacks without anybody's text, fit to be shown to others.
"parley where all" also shows the threads of libraries that run nothing of ours."""
    say(stacks.all_threads(which == "all"))


COMMANDS = {
    "state": state, "sessions": sessions, "session": session, "users": users,
    "calls": calls, "requests": requests, "units": units, "reports": reports,
    "links": show_links, "queues": show_queues, "metrics": metrics,
    "where": where,
}


class Prefix(gdb.Command):
    __doc__ = HELP

    def __init__(self):
        super().__init__("parley", gdb.COMMAND_STATUS, prefix=True)

    def invoke(self, _argument, _from_tty):
        gdb.execute("help parley")


class Command(gdb.Command):
    """One of COMMANDS."""

    def __init__(self, name, function):
        self.__doc__ = function.__doc__
        self.function = function
        super().__init__(f"parley {name}", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        try:
            self.function(argument.strip())
        except gdb.MemoryError as error:
            raise gdb.GdbError(f"memory cannot be read: {error}; a core may "
                               "have been cut off") from None


# ---- functions --------------------------------------------------------------

class Uuid(gdb.Function):
    """$uuid(X): the id X as text, for conditions with $_streq()."""

    def __init__(self):
        super().__init__("uuid")

    def invoke(self, value):
        if value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR:
            value = value.dereference()
        return reading.uuid_text(value)


class Length(gdb.Function):
    """$length(LIST): how many are on a struct list."""

    def __init__(self):
        super().__init__("length")

    def invoke(self, value):
        if value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR:
            value = value.dereference()
        return reading.length(value)


class Conn(gdb.Function):
    """$conn_of("ID"): a gateway's connection by its session or user."""

    def __init__(self):
        super().__init__("conn_of")

    def invoke(self, text):
        return gateway.find_conn(text.string()).address


def register():
    Prefix()
    for name, function in COMMANDS.items():
        Command(name, function)
    for function in (Uuid, Length, Conn):
        function()
